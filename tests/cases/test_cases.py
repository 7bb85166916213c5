"""What does this message become? `<STRUCTURE>/<situation>/{message.hl7,expected.json}`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapter.convert import Converted, convert
from adapter.fhir import json, r4
from adapter.hl7v2.parse import header
from adapter.mapper.catalog import Catalog
from tests import mappings

CASES = sorted(Path(__file__).parent.glob("*/*/message.hl7"))
NAMES = [f"{case.parent.parent.name}/{case.parent.name}" for case in CASES]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return mappings.catalog()


def converted(case: Path, catalog: Catalog) -> Converted:
    raw = case.read_bytes()
    head = header(raw)
    site = catalog.sites.find(head.sending_application, head.sending_facility)
    return convert(raw, catalog=catalog, site=site or catalog.standard)


def as_json(made: Converted) -> dict[str, Any]:
    """What an analyst reviews: resources as stated, what is doubtful, what was not read."""
    return {
        "resources": [
            mapped.resource
            | ({"_fill": True} if mapped.fill else {})
            | ({"_defaults": list(mapped.defaults)} if mapped.defaults else {})
            | ({"_cleared": list(mapped.cleared)} if mapped.cleared else {})
            | ({"_undone": list(mapped.undone)} if mapped.undone else {})
            | ({"_cancels": True} if mapped.cancels else {})
            for mapped in made.resources
        ],
        "issues": [f"{issue.severity} {issue.code} {issue.path} {issue.kind}: {issue.text}" for issue in made.issues],
        **({"identities": [asdict(one) for one in made.identities]} if made.identities else {}),
        "unmapped": sorted({one.path for one in made.ledger.unmapped()}),
    }


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_message_becomes_what_was_reviewed(case: Path, catalog: Catalog, request: pytest.FixtureRequest) -> None:
    made = json.loads(json.dumps(as_json(converted(case, catalog))))
    expected = case.with_name("expected.json")
    if request.config.getoption("--update-cases"):
        option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        expected.write_bytes(orjson.dumps(made, default=lambda number: orjson.Fragment(str(number)), option=option))
    assert made == json.loads(expected.read_bytes())


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_every_resource_is_valid_r4(case: Path, catalog: Catalog) -> None:
    for mapped in converted(case, catalog).resources:
        assert r4.validate(mapped.resource) == []


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_every_value_leads_to_its_bytes(case: Path, catalog: Catalog) -> None:
    made = converted(case, catalog)
    raw, encoding = case.read_bytes(), made.ledger.message.encoding
    for line in made.ledger.lineage():
        start, end = line.span
        field = int(line.path.partition("-")[2].partition(".")[0] or 0)
        if field:
            sent = raw[start:end].decode(encoding)
            assert sent == made.ledger.message.segments[line.position].raw(field)
