"""Group E of the fault catalogue: values of results, their status over time, and results by two ways."""

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapter.data import data_folder
from adapter.store.database import open_database
from adapter.store.repair import REQUEUE, Doing, carry_out
from tests import databases
from tests.integration.catalogue_stand import Outcome, pass_through
from tests.integration.intake_stand import OBR, PID, header, message

LOINC_WBC, WBC_UNIT = "6690-2^Leukocytes^LN", "10*9/L^^UCUM"
EARLY, LATE = "20180101080000+0800", "20180101083000+0800"


def obx(
    value: str,
    *,
    kind: str = "NM",
    code: str = LOINC_WBC,
    unit: str = WBC_UNIT,
    status: str = "F",
    limits: str = "",
    number: int = 1,
) -> str:
    return f"OBX|{number}|{kind}|{code}||{value}|{unit}|{limits}||||{status}"


def oru(*segments: str, time: str = EARLY, number: str = "", pid: str = PID, **fields: str) -> bytes:
    """A report of the one order, under a control id of its own."""
    own = number or f"{time[8:14]}{abs(hash(segments)) % 10_000_000}"
    return message(header(msh_7=time, msh_10=own, **fields), pid, OBR, *segments)


def reported(status: str, *segments: str, time: str = EARLY) -> bytes:
    """The same with OBR-25."""
    order = f"{OBR}{'|' * 18}{status}"
    return message(header(msh_7=time, msh_10=f"{status}{time[8:14]}"), PID, order, *segments)


def kept(outcome: Outcome) -> dict[str, Any]:
    """The one result, which was accepted and mapped."""
    assert (outcome.message["ack_code"], outcome.message["state"]) == ("CA", "mapped")
    return outcome.only("Observation")


def flags(outcome: Outcome) -> list[str]:
    """The flags of each message, but that no registration has come."""
    return [" ".join(one for one in row["flags"].split() if one != "waits_for_adt") for row in outcome.messages]


def held(outcome: Outcome, code: str, path: str) -> None:
    assert (outcome.message["ack_code"], outcome.message["state"]) == ("CA", "held")
    assert outcome.message["cause_code"] == code
    assert outcome.message["cause"].startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("sent", "value", "comparator"),
    [(">100", Decimal(100), ">"), ("<0.01", Decimal("0.01"), "<"), ("1e5", Decimal("1E+5"), None)],
    ids=["E1 more than", "E1 less than", "E1 with an exponent"],
)
def test_number_that_is_not_written_as_hl7_says(
    tmp_path: Path, sent: str, value: Decimal, comparator: str | None
) -> None:
    outcome = pass_through(tmp_path, oru(obx(sent)))
    made = kept(outcome)["valueQuantity"]
    assert (Decimal(str(made["value"])), made.get("comparator")) == (value, comparator)
    assert made["extension"][0]["valueString"].startswith(sent)
    assert ("OBX-5", "number-spelling") in outcome.kinds


@pytest.mark.parametrize("sent", ["阴性", "12,5", "1.2.3", "+"], ids=[f"E2 text {n}" for n in range(4)])
def test_number_that_is_a_text_stays_a_text(tmp_path: Path, sent: str) -> None:
    outcome = pass_through(tmp_path, oru(obx(sent)))
    assert kept(outcome)["valueString"] == sent
    assert ("OBX-5", "not-a-number") in outcome.kinds


def test_e3_value_without_a_type_is_a_text(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, oru(obx("1.2", kind="")))
    assert kept(outcome)["valueString"] == "1.2"
    assert ("OBX-2", "missing-value-type") in outcome.kinds


def test_e4_value_of_an_unknown_type_is_held(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, oru(obx("1.2", kind="QQ")))
    held(outcome, "H2F-3005", "OBX-2")
    assert outcome.resources == {}


def test_e5_final_result_without_a_value_says_so(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, oru(obx("")))
    assert kept(outcome)["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert ("OBX-5", "missing-value") in outcome.kinds


def test_e6_trial_result_without_a_unit_is_stored_and_no_value_of_the_trial(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, oru(obx("1.2", unit="")))
    assert kept(outcome)["valueQuantity"].keys() == {"value"}
    assert ("OBX-6", "missing-unit") in outcome.kinds


def test_e7_unit_without_an_approved_conversion_is_held(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, oru(obx("1.2", unit="g/L^^UCUM")))
    held(outcome, "H2F-3006", "OBX-6")


def test_e7_unit_with_an_approved_conversion_has_both_values(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, oru(obx("0.265", code="4544-3^Hematocrit^LN", unit="L/L^^UCUM")))
    made = kept(outcome)["valueQuantity"]
    assert (Decimal(str(made["value"])), made["code"]) == (Decimal("26.5"), "%")
    assert made["extension"][0]["valueString"] == "0.265 L/L"


def test_e8_unescaped_caret_in_a_unit_is_read_and_counted(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, oru(obx("1.2", unit="10^9/L")))
    assert kept(outcome)["valueQuantity"]["code"] == "10*9/L"
    assert ("OBX-6", "unit-repaired") in outcome.kinds


def test_e9_implausible_value_is_stored_as_sent(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, oru(obx("450", code="2823-3^Potassium^LN", unit="mmol/L^^UCUM")))
    assert kept(outcome)["valueQuantity"]["value"] == 450


def test_e10_reference_range_that_cannot_be_read_is_a_text(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, oru(obx("1.2", limits="see report")))
    assert kept(outcome)["referenceRange"] == [{"text": "see report"}]


def test_e11_correction_is_a_new_version_of_the_same_result(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, oru(obx("1.2")), oru(obx("1.4", status="C"), time=LATE))
    made = kept(outcome)
    assert (made["status"], made["valueQuantity"]["value"]) == ("corrected", Decimal("1.4"))
    assert made["meta"]["versionId"] == "2"
    assert flags(outcome) == ["", ""]


@pytest.mark.parametrize("first", [[], ["P"]], ids=["E12 nothing before", "E12 only preliminary before"])
def test_correction_without_an_original_is_flagged(tmp_path: Path, first: list[str]) -> None:
    before = [oru(obx("1.2", status=status)) for status in first]
    outcome = pass_through(tmp_path, *before, oru(obx("1.4", status="C"), time=LATE))
    assert kept(outcome)["status"] == "corrected"
    assert flags(outcome)[-1] == "no_original"


def test_e13_deleted_result_is_an_error_and_keeps_its_history(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, oru(obx("1.2")), oru(obx("1.2", status="D"), time=LATE))
    assert (kept(outcome)["status"], kept(outcome)["meta"]["versionId"]) == ("entered-in-error", "2")


def test_e14_result_that_cannot_be_obtained_has_no_value(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, oru(obx("1.2")), oru(obx("", status="X"), time=LATE))
    made = kept(outcome)
    assert (made["status"], "valueQuantity" in made) == ("cancelled", False)
    assert made["dataAbsentReason"]


def test_e15_result_of_another_patient_is_marked_and_alarms(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, oru(obx("1.2")), oru(obx("", status="W"), time=LATE))
    made = kept(outcome)
    assert made["status"] == "entered-in-error"
    assert [tag["code"] for tag in made["meta"]["tag"]] == ["wrong-patient"]
    assert flags(outcome) == ["", "wrong_patient"]
    assert [(one["kind"], one["site"]) for one in outcome.incidents] == [("result_of_wrong_patient", "FAHZU")]


def test_e15_result_of_the_right_patient_under_the_same_number_is_taken(tmp_path: Path) -> None:
    right = PID.replace("00A90001", "00A90002")
    outcome = pass_through(
        tmp_path,
        oru(obx("1.2")),
        oru(obx("", status="W"), time=LATE),
        oru(obx("1.2"), time="20180101084500+0800", pid=right),
    )
    made = kept(outcome)
    assert made["status"] == "final"
    assert made["subject"]["reference"] == f"Patient/{patient_with(outcome, '00A90002')['id']}"
    assert flags(outcome)[-1] == "other_patient"


def patient_with(outcome: Outcome, number: str) -> dict[str, Any]:
    (found,) = [one for one in outcome.resources["Patient"] if one["identifier"][0]["value"] == number]
    return found


@pytest.mark.parametrize(
    ("first", "then"),
    [("C", "F"), ("F", "P"), ("D", "F")],
    ids=["E16 final after corrected", "E17 preliminary after final", "E16 final after deleted"],
)
@pytest.mark.parametrize("time", [EARLY, LATE])
def test_less_sure_result_is_stale_whenever_it_comes(tmp_path: Path, first: str, then: str, time: str) -> None:
    sure = oru(obx("1.4", status=first), time="20180101081500+0800")
    outcome = pass_through(tmp_path, sure, oru(obx("1.2", status=then), time=time))
    made = kept(outcome)
    assert (made["valueQuantity"]["value"], made["meta"]["versionId"]) == (Decimal("1.4"), "1")
    assert "stale" in flags(outcome)[-1].split()
    assert ("OBX", "stale") in outcome.kinds


def test_e18_two_results_of_one_code_and_sub_id_are_two(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, oru(obx("1.2"), obx("1.3", number=2)))
    assert sorted(one["valueQuantity"]["value"] for one in outcome.resources["Observation"]) == [
        Decimal("1.2"),
        Decimal("1.3"),
    ]
    assert ("OBX", "repeated") in outcome.kinds


def test_e19_status_of_the_result_counts_where_the_report_says_otherwise(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, reported("F", obx("1.2", status="P")))
    assert kept(outcome)["status"] == "preliminary"
    assert ("OBX-11", "status-contradicted") in outcome.kinds


def test_e33_dates_that_are_partial_or_impossible(tmp_path: Path) -> None:
    made = {
        born: pass_through(folder(tmp_path, born), oru(obx("1"), pid=PID.replace("19541202", born)))
        for born in ("195412", "1954", "00000000", "0000", "19540230", "1954-12-02")
    }
    dates = {born: outcome.only("Patient").get("birthDate") for born, outcome in made.items()}
    assert dates["195412"] == "1954-12"
    assert dates["1954"] == "1954"
    for born in ("00000000", "0000", "19540230", "1954-12-02"):
        assert dates[born] is None
        assert ("PID-7", "impossible-date") in made[born].kinds
        assert born.encode() in made[born].message["raw"]


def folder(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("20180101063000+0000", "2018-01-01T06:30:00+00:00"),
        ("20180101063000", "2018-01-01T06:30:00+08:00"),
        ("198807010630", "1988-07-01T06:30:00+09:00"),
    ],
    ids=["E34 with an offset", "E34 of the hospital", "E35 in the summer time of 1988"],
)
def test_time_has_its_own_offset_or_that_of_the_hospital(tmp_path: Path, sent: str, written: str) -> None:
    raw = message(header(), PID, OBR.replace("20180101063000+0800", sent), obx("1.2"))
    assert kept(pass_through(tmp_path, raw))["effectiveDateTime"] == written


def test_e37_result_refers_to_its_parent_before_it_has_come(tmp_path: Path) -> None:
    culture = "OBR|1||M180101-0001^FAHZULIS|CULT^细菌培养^99ZJULIS|||20180101063000+0800"
    organism = obx("Escherichia coli", kind="ST", code="ORG^菌^99ZJULIS", unit="")
    child = f"OBR|1||M180101-0002^FAHZULIS|SUSC^药敏^99ZJULIS{'|' * 22}ORG&菌&99ZJULIS|||^M180101-0001&FAHZULIS"
    first = message(header(msh_10="1"), PID, child, obx("S", kind="ST", code="AMK^阿米卡星^99ZJULIS", unit=""))
    then = message(header(msh_10="2"), PID, culture, organism)
    outcome = pass_through(tmp_path, first, then)
    by_text = {one["valueString"]: one for one in outcome.resources["Observation"]}
    parent = by_text["Escherichia coli"]
    assert by_text["S"]["derivedFrom"] == [{"reference": f"Observation/{parent['id']}"}]
    assert flags(outcome) == ["link_pending", ""]


def test_e38_unmapped_code_is_stored_and_goes_on_once_it_is_mapped(tmp_path: Path) -> None:
    raw = oru(obx("1.2", code="XYZ9^某项^99ZJULIS", unit=""))
    outcome = pass_through(tmp_path, raw)
    assert [one["code"] for one in kept(outcome)["code"]["coding"]] == ["XYZ9"]
    assert ("OBX-3", "unmapped-code") in outcome.kinds
    mapped = shutil.copytree(data_folder("mappings"), tmp_path / "mappings")
    with (mapped / "sites/fahzu/codes.csv").open("a", encoding="utf-8") as codes:
        codes.write("OBX-3,XYZ9,某项,http://loinc.org,6690-2,Leukocytes,,test\n")
    database = open_database(databases.sqlite(tmp_path))
    with database.write() as connection:
        assert carry_out(connection, [outcome.message["id"]], Doing(REQUEUE, "analyst", "the code is mapped now")) == 1
    database.close()
    again = pass_through(tmp_path, source=mapped)
    assert again.only("Observation")["code"]["coding"][0]["code"] == "6690-2"


def by_way(application: str, value: str, time: str = EARLY) -> bytes:
    return oru(obx(value), time=time, msh_3=application, number=f"{application}{time[8:12]}")


def test_e39_equal_result_by_two_ways_is_one(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, by_way("LIS", "1.2"), by_way("HIP", "1.2", LATE))
    assert kept(outcome)["meta"]["versionId"] == "1"
    assert [one["state"] for one in outcome.messages] == ["mapped", "mapped"]


def test_e40_results_of_two_ways_that_differ_are_held(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, by_way("LIS", "1.2"), by_way("HIP", "1.4", LATE))
    held(outcome, "H2F-3114", "OBX-5")
    assert flags(outcome) == ["", "conflict"]
    assert outcome.only("Observation")["valueQuantity"]["value"] == Decimal("1.2")


@pytest.mark.parametrize("first", ["LIS", "HIP"])
def test_e40_rule_of_precedence_decides_whoever_comes_first(tmp_path: Path, first: str) -> None:
    mappings = shutil.copytree(data_folder("mappings"), tmp_path / "mappings")
    file = mappings / "merge.yaml"
    file.write_text(file.read_text("utf-8").replace("sources: []", "sources: [HIP, LIS]"), "utf-8")
    said = {"LIS": "1.2", "HIP": "1.4"}
    other = "HIP" if first == "LIS" else "LIS"
    messages = by_way(first, said[first]), by_way(other, said[other], LATE)
    outcome = pass_through(tmp_path, *messages, source=mappings)
    assert kept(outcome)["valueQuantity"]["value"] == Decimal("1.2")


def test_e40_newer_result_of_the_same_application_is_no_conflict(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, by_way("LIS", "1.2"), by_way("LIS", "1.4", LATE))
    assert kept(outcome)["valueQuantity"]["value"] == Decimal("1.4")


def ordered(control: str, number: str = "1", time: str = EARLY) -> bytes:
    """An order of a laboratory test with this ORC-1."""
    head = header(msh_7=time, msh_9="ORM^O01^ORM_O01", msh_10=f"{control}{number}", msh_3="HIS")
    orc = f"ORC|{control}|P180101-0001^HIS|L180101-0001^FAHZULIS"
    return message(head, PID, orc, OBR.replace("OBR|1||", "OBR|1|P180101-0001^HIS|"))


def test_e21_result_before_its_order_refers_to_it(tmp_path: Path) -> None:
    orc = "ORC|RE|P180101-0001^HIS|L180101-0001^FAHZULIS"
    raw = message(header(), PID, orc, OBR.replace("OBR|1||", "OBR|1|P180101-0001^HIS|"), obx("1.2"))
    outcome = pass_through(tmp_path, raw, ordered("NW"))
    request = outcome.only("ServiceRequest")
    (based_on,) = outcome.only("DiagnosticReport")["basedOn"]
    assert based_on["reference"] == f"ServiceRequest/{request['id']}"


@pytest.mark.parametrize("control", ["CA", "DC"])
def test_e36_cancel_of_an_unknown_order_waits_for_it(tmp_path: Path, control: str) -> None:
    cancel = ordered(control, time=LATE)
    alone = pass_through(folder(tmp_path, "alone"), cancel)
    held(alone, "H2F-3113", "ORC-1")
    both = pass_through(folder(tmp_path, "both"), cancel, ordered("NW"))
    assert [one["state"] for one in both.messages] == ["mapped", "mapped"]
    assert both.only("ServiceRequest")["status"] == "revoked"
