"""Every row of the hospitals' own code tables is in ours, with the expected code and unit."""

import csv
from functools import cache
from pathlib import Path

import pytest

from adapter.mapper.datatypes import CONVERTERS
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from tests.unit.datatypes_reading import ER7, MAPPINGS, one, site, split_field

SHARED = Path(__file__).parents[3] / "shared"
INTERFACE, VERIFIED = SHARED / "interface", SHARED / "domain" / "codes.csv"
pytestmark = pytest.mark.skipif(not INTERFACE.is_dir(), reason=f"no interface tables beside the project ({INTERFACE})")

FOLDERS = {"FAHZU": "01-fahzu", "YWCH": "02-yiwu", "JHAH": "03-jinhua", "LSCH": "04-lishui"}
LOINC = "http://loinc.org"
ONLY_ONE_HOSPITAL = {"DDIMER": "48065-7"}
OF_THE_HOSPITALS = "as in 01 drug-codes.csv"


@cache
def rows(code: str, name: str) -> list[dict[str, str]]:
    with (INTERFACE / FOLDERS[code] / name).open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def expected_loinc() -> dict[str, str]:
    """Analyte to LOINC, as the coordinating hospital sends it."""
    found = dict(ONLY_ONE_HOSPITAL)
    for row in rows("FAHZU", "lab-codes.csv"):
        first, _, system, *_ = [*row["obx3_as_sent"].split("^"), ""]
        if system == "LN":
            found[row["analyte_key"]] = first
    return found


def trial_units() -> dict[str, str]:
    """Analyte to UCUM, as the coordinating hospital sends it; aliquots and doses come from the others."""
    found = {"MNCALQ": "10*8", "CD3ALQ": "10*8", "MNCKG": "10*8/kg", "CD3KG": "10*8/kg", "DDIMER": "mg/L"}
    return found | {r["analyte_key"]: r["unit_as_sent_obx6"].partition("^")[0] for r in rows("FAHZU", "lab-codes.csv")}


@pytest.mark.parametrize("code", FOLDERS)
def test_every_laboratory_code_has_its_loinc_or_trial_code(code: str) -> None:
    expected = expected_loinc()
    for row in rows(code, "lab-codes.csv"):
        sent = row["obx3_as_sent"].replace("BP^", f"BP.{row['analyte_key']}^", 1)
        made = one("CWE-CodeableConcept", sent, at="OBX-3", of=code)
        assert not isinstance(made, Doubt), row
        first = made["coding"][0]
        if row["analyte_key"] in expected:
            assert (first["system"], first["code"]) == (LOINC, expected[row["analyte_key"]]), row
        else:
            assert first["system"].endswith("/CodeSystem/tli-lab"), row
        local = made["coding"][-1]
        assert local["display"] == row["name_zh"]
        assert f"/{code.lower()}-" in local["system"]


@pytest.mark.parametrize("code", FOLDERS)
def test_every_laboratory_unit_becomes_that_of_the_trial(code: str) -> None:
    expected = trial_units()
    convert = CONVERTERS["OBX-value"].bind(site(code), ("OBX-5", "OBX-2", "OBX-6", "OBX-3"))
    for row in rows(code, "lab-codes.csv"):
        if not row["unit_as_sent_obx6"]:
            continue
        sent = row["obx3_as_sent"].replace("BP^", f"BP.{row['analyte_key']}^", 1)
        made = convert(*[split_field(raw, ER7) for raw in ("1", row["obx2"], row["unit_as_sent_obx6"], sent)])
        if isinstance(made, Doubt) and made.kind == "unit-repaired":
            made = made.value
        assert not isinstance(made, Doubt), row
        assert made["valueQuantity"]["code"] == expected[row["analyte_key"]], row


@pytest.mark.parametrize("code", FOLDERS)
def test_every_reference_range_is_read(code: str) -> None:
    convert = CONVERTERS["OBX-referenceRange"].bind(site(code), ("OBX-7", "OBX-6", "OBX-3"))
    for row in rows(code, "lab-codes.csv"):
        sent = row["reference_range_male"]
        if sent in {"", "-"}:
            continue
        made = convert(*[split_field(raw, ER7) for raw in (sent, row["unit_as_sent_obx6"], row["obx3_as_sent"])])
        assert "high" in made, row


@pytest.mark.parametrize("code", FOLDERS)
def test_every_drug_has_its_atc_code(code: str) -> None:
    atc = {row["drug_key"]: row["rxa5_as_sent"].split("^")[3] for row in rows("FAHZU", "drug-codes.csv")}
    for row in rows(code, "drug-codes.csv"):
        made = one("CWE-CodeableConcept", row["rxa5_as_sent"], at="RXA-5", of=code)
        assert not isinstance(made, Doubt)
        assert made["coding"][0]["system"] == "http://www.whocc.no/atc"
        assert made["coding"][0]["code"] == atc[row["drug_key"]]


@pytest.mark.parametrize("code", FOLDERS)
def test_every_local_code_that_a_rule_reads_is_known(code: str) -> None:
    fields = {"route": "RXR-1", "text result": "OBX-3", "reason not given": "RXA-18"}
    for row in rows(code, "local-tables.csv"):
        kind = row["table"].partition(" (")[0]
        if at := fields.get(kind):
            made = one("CWE-CodeableConcept", row["code_as_sent"], at=at, of=code)
            assert not isinstance(made, Doubt), row
            assert made["coding"], row
        if kind == "panel":
            assert one("CWE-code", row["code_as_sent"], at="codes:category", of=code) in {"laboratory", "vital-signs"}
        if kind == "sex":
            table = "codes:0001-administrative-sex"
            assert one("CWE-code", row["code_as_sent"], at=table, of=code) == row["meaning"]
        if kind == "unit of a dose":
            unit = site(code).units.resolve(split_field(row["code_as_sent"], ER7))
            assert unit
            assert unit.code == row["meaning"], row


def test_no_unverified_code_is_ever_a_target() -> None:
    with VERIFIED.open(encoding="utf-8") as stream:
        known = {(row["system"], row["code"]): row for row in csv.DictReader(stream) if row["status"] == "verified"}
    external = {LOINC, "http://snomed.info/sct", "http://www.whocc.no/atc", "http://unitsofmeasure.org"}
    for file in (*MAPPINGS.glob("codes/*.csv"), *MAPPINGS.glob("sites/*/codes.csv")):
        with file.open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                key = (row["target_system"], row["target_code"])
                if key[0] in external and OF_THE_HOSPITALS not in row["source"]:
                    assert key in known, (file, row)
                    assert row["target_display"] == known[key]["display"]


def test_every_ucum_code_is_verified() -> None:
    with VERIFIED.open(encoding="utf-8") as stream:
        known = {row["code"] for row in csv.DictReader(stream) if row["system"] == "http://unitsofmeasure.org"}
    ucumvert = pytest.importorskip("ucumvert")
    parse = ucumvert.get_ucum_parser().parse
    with (MAPPINGS / "units" / "ucum.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            assert row["code"] in known or parse(row["code"]), row


def test_diagnoses_of_the_four_dialects_are_one_condition() -> None:
    sent = {
        "FAHZU": "C92.000^急性髓系白血病^99ICD10CN^C92.0^^I10",
        "YWCH": "C92.000^急性髓系白血病^ICD10",
        "JHAH": "C92.000^急性髓系白血病",
        "LSCH": "C92.000^急性髓系白血病^99ICD10CN^C92.0^^I10",
    }
    made = [without_doubt(one("CWE-CodeableConcept", raw, at="DG1-3", of=code)) for code, raw in sent.items()]
    assert all(one == made[0] for one in made)
