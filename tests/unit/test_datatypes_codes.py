"""Codes as sent, and the codes that readers of FHIR know."""

from typing import Any

import pytest

from adapter.mapper.datatypes import CONVERTERS
from adapter.mapper.datatypes.doubt import Doubt
from tests.unit.datatypes_reading import ER7, one, several, site, split_field

CS = "https://fhir.tli-trial.example.org/CodeSystem"
BELOW_38 = "体温低于38℃\uff0c未用"
SNOMED, LOINC, ATC = "http://snomed.info/sct", "http://loinc.org", "http://www.whocc.no/atc"


def codings(made: dict[str, Any]) -> list[tuple[str, str]]:
    return [(coding.get("system", ""), coding["code"]) for coding in made["coding"]]


@pytest.mark.parametrize(
    ("of", "at", "raw", "expected"),
    [
        ("YWCH", "OBX-3", "BXB^白细胞^99YWLIS", [(LOINC, "6690-2"), (f"{CS}/ywch-lab", "BXB")]),
        ("JHAH", "OBX-3", "WBC^白细胞", [(LOINC, "6690-2"), (f"{CS}/jhah-lab", "WBC")]),
        (
            "FAHZU",
            "OBX-3",
            "6690-2^Leukocytes^LN^WBC^白细胞计数^99ZJULIS",
            [(LOINC, "6690-2"), (f"{CS}/fahzu-lab", "WBC")],
        ),
        ("FAHZU", "OBX-3", "IL4^白介素-4^99ZJULIS", [(f"{CS}/tli-lab", "IL4"), (f"{CS}/fahzu-lab", "IL4")]),
        ("LSCH", "RXA-5", "LS10231^地西他滨^LSYK", [(ATC, "L01BC08"), (f"{CS}/lsch-drug", "LS10231")]),
        (
            "FAHZU",
            "RXA-5",
            "X0231^地西他滨^99FAHDRUG^L01BC08^decitabine^ATC",
            [(ATC, "L01BC08"), (f"{CS}/fahzu-drug", "X0231")],
        ),
        (
            "YWCH",
            "RXA-5",
            "9001^供者CD3+T细胞输注^99YWYP",
            [(f"{CS}/tli-product", "TLI-CD3"), (f"{CS}/ywch-drug", "9001")],
        ),
        (
            "YWCH",
            "DG1-3",
            "C92.000^急性髓系白血病^ICD10",
            [(SNOMED, "91861009"), ("http://hl7.org/fhir/sid/icd-10", "C92.0"), (f"{CS}/icd10-cn", "C92.000")],
        ),
        (
            "FAHZU",
            "RXR-1",
            "IV^Intravenous^HL70162",
            [(SNOMED, "47625008"), ("http://terminology.hl7.org/CodeSystem/v2-0162", "IV")],
        ),
        (
            "FAHZU",
            "SPM-4",
            "PLAS^Plasma^HL70487",
            [("http://terminology.hl7.org/CodeSystem/v2-0487", "PLAS"), (SNOMED, "119361006")],
        ),
        (
            "FAHZU",
            "RXA-18",
            f"OTH^{BELOW_38}^99TLI",
            [(f"{CS}/tli-held-reason", "TEMP38"), (f"{CS}/tli-assessment", "OTH")],
        ),
        ("FAHZU", "OBX-3", "89247-1^ECOG Performance Status score^LN", [(LOINC, "89247-1")]),
    ],
)
def test_targets_first_then_the_codes_as_sent(of: str, at: str, raw: str, expected: list[tuple[str, str]]) -> None:
    made = one("CWE-CodeableConcept", raw, at=at, of=of)
    assert not isinstance(made, Doubt)
    assert codings(made) == expected


@pytest.mark.parametrize(
    ("at", "raw", "code"),
    [
        ("RXR-1", "静滴", "47625008"),
        ("RXA-18", BELOW_38, "TEMP38"),
    ],
)
def test_a_text_that_stands_for_a_code(at: str, raw: str, code: str) -> None:
    made = one("CWE-CodeableConcept", raw, at=at, of="JHAH")
    assert [coding["code"] for coding in made["coding"]] == [code]
    assert made["text"] == raw


def test_a_code_in_no_table_keeps_its_local_coding_and_is_doubted() -> None:
    made = one("CWE-CodeableConcept", "NEWTEST^新项目^99YWLIS", at="OBX-3", of="YWCH")
    assert (made.kind, made.code) == ("unmapped-code", "103")
    assert made.value == {"coding": [{"system": f"{CS}/ywch-lab", "code": "NEWTEST", "display": "新项目"}]}
    assert "NEWTEST" not in made.text


def test_a_coding_system_that_nobody_knows_gets_no_uri() -> None:
    made = one("CWE-CodeableConcept", "X^thing^99NOBODY", at="OBX-17")
    assert made.kind == "unknown-system"
    assert made.value == {"coding": [{"code": "X", "display": "thing"}]}


@pytest.mark.parametrize(
    ("of", "table", "sent", "code"),
    [
        ("JHAH", "0001-administrative-sex", "1", "male"),
        ("JHAH", "0001-administrative-sex", "2", "female"),
        ("FAHZU", "0001-administrative-sex", "A", "other"),
        ("FAHZU", "0004-patient-class", "I", "IMP"),
        ("FAHZU", "event-encounter-status", "A03", "finished"),
        ("FAHZU", "event-encounter-status", "A08", None),
        ("FAHZU", "0085-observation-status", "W", "entered-in-error"),
        ("FAHZU", "0123-result-status", "X", "cancelled"),
        ("FAHZU", "0322-completion-status", "PA", "stopped"),
        ("YWCH", "category", "9001", "vital-signs"),
        ("YWCH", "category", "7001", "laboratory"),
        ("FAHZU", "category", "29463-7", "vital-signs"),
        ("FAHZU", "event-research-subject-status", "C04", "off-study"),
    ],
)
def test_hl7_tables_and_what_a_hospital_adds_to_them(of: str, table: str, sent: str, code: str | None) -> None:
    assert one("CWE-code", sent, at=f"codes:{table}", of=of) == code


@pytest.mark.parametrize(
    ("name", "at", "fields"),
    [
        ("XPN-IS-observer", ("PEO-9", "PEO-10"), ("Synthetic^Observer", "ZZ^unheard of")),
        ("CWE-chargeStatus", ("FT1-6", "FT1-7"), ("ZZ^unheard of", "1")),
        ("PRB-clinicalStatus", ("PRB-1", "PRB-14", "PRB-9"), ("AD", "ZZ^unheard of", "")),
    ],
)
def test_what_is_made_of_a_code_without_a_row_names_it_for_the_worklist(
    name: str, at: tuple[str, ...], fields: tuple[str, ...]
) -> None:
    assert [sent.code for sent in several(name, *fields, at=at).sent] == ["ZZ"]


def test_a_criterion_without_a_row_names_its_code_for_the_worklist() -> None:
    assert [sent.code for sent in one("IS-seriousnessCriterion", "ZZ", at="PEO-11").sent] == ["ZZ"]


def test_a_code_that_is_in_no_hl7_table_writes_nothing() -> None:
    made = one("CWE-code", "Q", at="codes:0001-administrative-sex")
    assert (made.value, made.kind) == (None, "unmapped-code")


def test_visit_course_and_study_day_from_cti() -> None:
    made = several("CTI-visit", "IND1^Induction 1^99TLIPHASE", "C1D-10^C1D-10^99TLIVISIT", at=("CTI-2", "CTI-3"))
    assert codings(made["valueCodeableConcept"]) == [(f"{CS}/tli-visit", "C1D-10"), (f"{CS}/tli-phase", "IND1")]
    for visit, day in (("C1D-10", -10), ("C2D0", 0), ("MOBD-4", -4), ("SCR", None), ("C1RESP", None), ("DONOR", None)):
        made = one("CTI-studyDay", f"{visit}^{visit}^99TLIVISIT", at="CTI-3")
        assert (made["valueInteger"] if made else None) == day


@pytest.mark.parametrize(
    ("mark", "visit", "phase", "day", "dose"),
    [
        ("TLI2017 ATLI-904 IND1 C1D-9 15mg/m2", "C1D-9", "IND1", -9, (15, "mg/m2")),
        ("TLI2017 ATLI-904 IND1 C1D0", "C1D0", "IND1", 0, None),
        ("TLI2017 DON-ATLI-904 动员D-4 8ug/kg", "MOBD-4", "MOB", -4, (8, "ug/kg")),
    ],
)
def test_the_trial_mark_in_a_text(mark: str, visit: str, phase: str, day: int, dose: tuple[int, str] | None) -> None:
    made = one("TrialMark-visit", mark, at="RXA-9", of="JHAH")
    assert codings(made["valueCodeableConcept"]) == [(f"{CS}/tli-visit", visit), (f"{CS}/tli-phase", phase)]
    assert one("TrialMark-studyDay", mark, at="RXA-9", of="JHAH")["valueInteger"] == day
    normalised = one("TrialMark-doseNormalised", mark, at="RXA-9", of="JHAH")
    assert (normalised and (normalised["valueQuantity"]["value"], normalised["valueQuantity"]["code"])) == dose


def test_another_text_is_no_trial_mark() -> None:
    assert one("TrialMark-visit", "patient vomited after the dose", at="RXA-9", of="JHAH").kind == "no-trial-mark"
    assert one("TrialMark-studyDay", "patient vomited after the dose", at="RXA-9", of="JHAH") is None


def test_our_study_is_referred_to_and_no_other() -> None:
    made = one("EI-researchStudy", "ChiCTR-ONC-17011948^CHICTR", at="CTI-1")
    assert made["valueReference"] == {"reference": "ResearchStudy/tli-trial"}
    assert one("EI-studyReference", "ChiCTR-ONC-99999999^CHICTR", at="CSR-1").kind == "unknown-study"


# The sender is its own organization, whatever the field says. What takes segments beside fields is shown by cases.
FIELDS_ALONE = {name for name, one in CONVERTERS.items() if not one.sources or not (one.fields or one.fields_by)}


@pytest.mark.parametrize("name", sorted(FIELDS_ALONE - {"HD-Organization", "DTM-DTM-effective"}))
def test_empty_parts_write_nothing(name: str) -> None:
    """`^^` reaches a converter as components without text."""
    converter = CONVERTERS[name]
    field = split_field("^^", ER7)
    count = 2 if converter.sources < 0 else max(converter.sources, 1)
    paths = ("OBX-5", "OBX-2", "OBX-6", "OBX-3")[:count]
    bound = converter.bind(site("FAHZU"), paths)
    if converter.sources == 0:
        assert bound(()) is None
    elif converter.sources == 1 and not converter.whole:
        assert bound(field[0]) is None
    elif name != "OBX-dataAbsentReason":
        assert bound(*[field] * count) is None
