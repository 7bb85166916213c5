"""Is every mapping used, shown by a case, and free to use."""

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from adapter.mapper.datatypes import FAMILIES
from tests.house.project import PROJECT, code_spans, table_rows

MAPPINGS = PROJECT / "mappings"
MESSAGES = sorted((MAPPINGS / "messages").glob("*.yaml"))
CASES = PROJECT / "tests/cases"
SITUATIONS = (
    "minimal",
    "full",
    "repeats",
    "unknown-code",
    "missing-required",
    "null",
    "escapes",
    "odd-encoding",
    "partial-dates",
    "update",
)
"""What every message structure has a case of: the beginning of the name of at least one case."""


@pytest.mark.parametrize("message_map", MESSAGES, ids=lambda path: path.stem)
def test_every_message_structure_has_a_case(message_map: Path) -> None:
    cases = CASES / message_map.stem
    whole = [case for case in cases.glob("*/message.hl7") if case.with_name("expected.json").exists()]
    assert whole, f"{cases.relative_to(PROJECT)}/<situation>/ needs a message.hl7 with its expected.json"


def test_every_case_belongs_to_a_message_structure() -> None:
    structures = {path.parent.parent.name for path in CASES.glob("*/*/message.hl7")}
    assert structures - {path.stem for path in MESSAGES} == set()


def _situations(structure: Path) -> set[str]:
    names = [case.parent.name for case in structure.glob("*/message.hl7")]
    return {one for one in SITUATIONS if any(name == one or name.startswith(f"{one}-") for name in names)}


def test_every_structure_shows_every_situation_or_says_why_it_cannot_occur() -> None:
    """A case is of a situation where its name is that, or begins with it: `null`, `null-deletes-the-phone`."""
    with (CASES / "impossible.csv").open(encoding="utf-8", newline="") as lines:
        impossible = {(row["structure"], row["situation"]) for row in csv.DictReader(lines) if row["because"]}
    wanted = {(path.stem, situation) for path in MESSAGES for situation in SITUATIONS}
    shown = {(path.stem, situation) for path in MESSAGES for situation in _situations(CASES / path.stem)}
    assert sorted(wanted - shown - impossible) == [], "needs a case, or a reason in tests/cases/impossible.csv"
    assert sorted(impossible - (wanted - shown)) == [], (
        "tests/cases/impossible.csv: there is a case, or no such situation"
    )


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


@pytest.mark.parametrize("file", sorted((MAPPINGS / "imports").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_answer_of_an_import_is_in_the_studys_code_system(file: Path) -> None:
    system = json.loads((PROJECT / "profiles/CodeSystem-tli-assessment.json").read_text(encoding="utf-8"))
    emitted = set(re.findall(r"OBX\|\{n\}\|\w+\|([A-Z0-9-]+)\^[^|^]*\^99TLI\|", file.read_text(encoding="utf-8")))
    assert emitted
    assert emitted - {concept["code"] for concept in system["concept"]} == set()
    assert system["count"] == len(system["concept"])
