"""Every populated field is mapped, ignored with a reason, or told as read by no rule."""

import pytest

from adapter.convert import convert
from adapter.hl7v2.parse import parse
from adapter.mapper.fates import Fate, fates, without_map
from adapter.operate.coverage import Coverage, told
from tests import mappings

CATALOG = mappings.catalog()
MSH = "MSH|^~\\&|LIS|FAHZU|HUB|CENTRAL|20240315100000+0800||{type}|TEST1|T|2.5.1|||AL|NE|CHN|UNICODE UTF-8"
PID = "PID|1||TEST0001^^^FAHZU^MR^^^^^^X||TEST^ONE||19600203|M"
PV1 = "PV1|1|I|HEM3||||||||||||||||V1"


def message(kind: str, *segments: str) -> bytes:
    return "\r".join([MSH.format(type=kind), *segments, ""]).encode()


def by_label(kind: str, *segments: str) -> dict[str, Fate]:
    made = convert(message(kind, *segments), catalog=CATALOG)
    return {fate.label: fate for fate in fates(made.ledger)}


@pytest.fixture(scope="module")
def admission() -> dict[str, Fate]:
    return by_label("ADT^A01^ADT_A01", "EVN|A01|20240315100000+0800", PID, PV1, "ZZZ|nobody reads this")


@pytest.mark.parametrize(
    ("label", "kind", "reason"),
    [
        ("PID-5", "mapped", ""),
        ("PV1-19", "mapped", ""),
        ("MSH-7", "ignored", "date and time of the message, order of events"),
        ("PID-1", "ignored", "set id"),
        ("MSH-10", "ignored", "message control id, answered in MSA-2 and kept with the message"),
        ("ZZZ-1", "unmapped", ""),
    ],
)
def test_a_field_has_one_fate(admission: dict[str, Fate], label: str, kind: str, reason: str) -> None:
    assert (admission[label].kind, admission[label].reason) == (kind, reason)


def test_every_populated_field_is_told_once(admission: dict[str, Fate]) -> None:
    populated = {"MSH": 16, "EVN": 2, "PID": 5, "PV1": 4, "ZZZ": 1}
    told_of = {name: sum(fate.segment == name for fate in admission.values()) for name in populated}
    assert told_of == populated | {"MSH": len([part for part in MSH.split("|") if part])}


def test_a_component_that_no_rule_reads_makes_the_field_partly_mapped() -> None:
    order = "OBR|1||R1|CBC^^99ZJULIS|||20240315063000+0800^X||||||||||||||||||F"
    fate = by_label("ORU^R01^ORU_R01", PID, PV1, order)["OBR-7"]
    assert (fate.kind, fate.unread) == ("partly", ("OBR-7.2",))


def test_without_a_map_all_but_the_envelope_is_unmapped() -> None:
    read = parse(message("ADT^Z99^ADT_A01", PID), default_encoding="utf-8")
    found = {fate.label: fate.kind for fate in without_map(read, CATALOG.site_maps["FAHZU"].ignored)}
    assert (found["PID-1"], found["PID-5"], found["MSH-9"]) == ("ignored", "unmapped", "ignored")


def test_coverage_counts_fields_and_names_an_example() -> None:
    counted = Coverage(CATALOG)
    site = CATALOG.sites["FAHZU"]
    for number in ("1", "2"):
        counted.add(message("ADT^A01^ADT_A01", PID, PV1, "ZZZ|x"), site=site, example=number)
    counted.add(message("ADT^A01^ADT_A01", "PID|1||||TEST"), site=site, example="3")
    found = told(counted)
    (structure,) = found["structures"]
    assert (structure["messages"], structure["structure"]) == (2, "ADT_A01")
    assert {"path": "ZZZ-1", "count": 2, "example": "1"} in structure["fields"]
    assert structure["populated"] == sum(structure[kind] for kind in ("mapped", "partly", "ignored", "unmapped"))
    assert [(one["count"], one["example"]) for one in found["failed"]] == [(1, "3")]
