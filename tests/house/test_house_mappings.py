"""Is every mapping used, shown by a case, and free to use."""

import csv
from collections import Counter
from pathlib import Path

import pytest
import yaml

from adapter.mapper.datatypes import FAMILIES
from tests.house.project import PROJECT, code_spans, table_rows

MAPPINGS = PROJECT / "mappings"
MESSAGES = sorted((MAPPINGS / "messages").glob("*.yaml"))


@pytest.mark.parametrize("message_map", MESSAGES, ids=lambda path: path.stem)
def test_every_message_structure_has_a_case(message_map: Path) -> None:
    cases = PROJECT / "tests/cases" / message_map.stem
    whole = [case for case in cases.glob("*/message.hl7") if case.with_name("expected.json").exists()]
    assert whole, f"{cases.relative_to(PROJECT)}/<situation>/ needs a message.hl7 with its expected.json"


def test_every_case_belongs_to_a_message_structure() -> None:
    structures = {path.parent.parent.name for path in (PROJECT / "tests/cases").glob("*/*/message.hl7")}
    assert structures - {path.stem for path in MESSAGES} == set()


def test_every_segment_map_is_used_by_a_message() -> None:
    used = {part["map"] for path in MESSAGES for part in yaml.safe_load(path.read_text(encoding="utf-8"))["resources"]}
    written = {path.stem for path in (*MAPPINGS.glob("segments/*.yaml"), *MAPPINGS.glob("sites/*/*-*.yaml"))}
    assert used == written


def test_every_code_table_is_used() -> None:
    """By its name, in a mapping or in the converter that it belongs to."""
    readers = (*MAPPINGS.glob("**/*.yaml"), *PROJECT.glob("adapter/mapper/**/*.py"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in readers)
    assert [path.name for path in MAPPINGS.glob("codes/*.csv") if path.stem not in text] == []


def test_no_converter_hides_another_of_its_name() -> None:
    named = Counter(converter.name for family in FAMILIES for converter in family.CONVERTERS)
    assert [name for name, times in named.items() if times > 1] == []


def test_every_code_system_that_a_mapping_writes_has_its_licence_told() -> None:
    told = {span for row in table_rows(PROJECT / "docs/terminology-licences.md") for span in code_spans(row[1])}
    untold: set[str] = set()
    for table in MAPPINGS.glob("**/*.csv"):
        with table.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        systems = {row.get("target_system") or "" for row in rows} - {""}
        untold |= {f"{table.name}: {system}" for system in systems if not system.startswith(tuple(told))}
    assert untold == set()
