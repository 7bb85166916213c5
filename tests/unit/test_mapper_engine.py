"""One step of the engine at a time, on messages of a few segments."""

from typing import Any

import pytest

from adapter.convert import Converted, convert
from adapter.errors import NoIdentity, NoMap, SuspectCharset, UnknownSender
from tests import mappings

CATALOG = mappings.catalog()
MSH = "MSH|^~\\&|LIS|FAHZU|HUB|CENTRAL|20240315100000+0800||{type}|TEST1|T|2.5.1|||AL|NE|CHN|UNICODE UTF-8"
PID = "PID|1||TEST0001^^^FAHZU^MR||TEST^ONE||19600203|M"
PV1 = "PV1|1|I|HEM3||||||||||||||||V1"
OBR = "OBR|1||R1|CBC^^99ZJULIS|||20240315063000+0800||||||||||||||||||F"
WBC = "OBX|1|NM|6690-2^^LN||1.2|10*9/L|||||F"


def converted(kind: str, *segments: str) -> Converted:
    return convert("\r".join([MSH.format(type=kind), *segments, ""]).encode(), catalog=CATALOG)


def of_type(made: Converted, kind: str) -> list[dict[str, Any]]:
    return [mapped.resource for mapped in made.resources if mapped.resource["resourceType"] == kind]


@pytest.mark.parametrize("pid", ["PID|1||||TEST^ONE", "PID|1||^^^FAHZU^MR||TEST^ONE", 'PID|1||""||TEST^ONE'])
def test_a_patient_without_a_number_holds_the_message(pid: str) -> None:
    with pytest.raises(NoIdentity, match="PID names no patient identifier"):
        converted("ADT^A08^ADT_A01", pid, PV1)


def test_an_event_without_a_map_is_told() -> None:
    with pytest.raises(NoMap):
        converted("QRY^A19^QRY_A19", PID)


def test_a_sender_that_no_site_names_is_told() -> None:
    with pytest.raises(UnknownSender):
        convert(MSH.format(type="ADT^A08").replace("FAHZU", "OTHER").encode(), catalog=CATALOG)


def test_bytes_that_two_character_sets_fit_hold_the_message() -> None:
    """UTF-8 under a header that says GB 18030 (C4)."""
    head = "MSH|^~\\&|HIS|YWCH|HUB|CENTRAL|20240315100000||ADT^A08|T1|T|2.4||||||GB 18030-2000"
    raw = "\r".join([head, "EVN|A08|20240315", "PID|1||T1^^^YWCH^BLH||试^例四", ""]).encode()
    with pytest.raises(SuspectCharset):
        convert(raw, catalog=CATALOG)


def test_nothing_refers_to_a_resource_that_was_not_made() -> None:
    made = converted("ORU^R01^ORU_R01", PID, PV1, OBR, WBC, "OBX|2|NM||9|1.2|10*9/L|||||F")
    (report,), (observation,) = of_type(made, "DiagnosticReport"), of_type(made, "Observation")
    assert report["result"] == [{"reference": f"Observation/{observation['id']}"}]
    assert [(issue.severity, issue.path, issue.kind) for issue in made.issues] == [("error", "OBX[2]", "incomplete")]


def test_what_was_doubtful_is_told_even_where_the_resource_is_not_made() -> None:
    made = converted("CRM^C01^CRM_C01", PID, "CSR|OTHER-STUDY||01|ATLI-990^^^TLI2017^ANON||20240301")
    assert of_type(made, "ResearchSubject") == []
    assert [(issue.path, issue.kind) for issue in made.issues] == [("CSR-1", "unknown-study"), ("CSR", "incomplete")]
    assert {"CSR-1", "CSR-4", "CSR-6"} <= {one.path for one in made.ledger.unmapped()}


def test_null_of_a_part_clears_that_part_alone() -> None:
    made = converted("ADT^A08^ADT_A01", PID, PV1 + "|" * 17 + '""')
    (encounter,) = [mapped for mapped in made.resources if mapped.resource["resourceType"] == "Encounter"]
    assert encounter.cleared == ("hospitalization.dischargeDisposition",)


def test_a_diagnosis_that_stands_before_its_patient_is_still_the_patients() -> None:
    dg1 = "DG1|1||C92.000^^99ICD10CN"
    (usual,) = of_type(converted("ADT^A01^ADT_A01", PID, PV1, dg1), "Condition")
    (early,) = of_type(converted("ADT^A01^ADT_A01", dg1, PID, PV1), "Condition")
    assert early == usual


def test_a_result_takes_its_time_from_its_own_order() -> None:
    later = OBR.replace("R1", "R2").replace("0315063000", "0316063000")
    made = converted("ORU^R01^ORU_R01", PID, PV1, OBR, WBC, later, WBC)
    times = [one["effectiveDateTime"] for one in of_type(made, "Observation")]
    assert times == ["2024-03-15T06:30:00+08:00", "2024-03-16T06:30:00+08:00"]


def test_a_dose_that_cannot_be_read_is_told_to_be_unknown() -> None:
    rxa = "RXA|0|1|20240315090000+0800||X0231^^99FAHDRUG|some|mg|||||||||||||CP"
    made = converted("RAS^O17^RAS_O17", PID, PV1, "ORC|RE|O1|M1", rxa, "RXR|IV^^HL70162")
    (given,) = of_type(made, "MedicationAdministration")
    assert given["dosage"]["dose"]["extension"][0]["valueCode"] == "unknown"
    assert given["dosage"]["route"]["coding"][0]["code"] == "47625008"
    assert ("RXA-6", "not-a-number") in {(issue.path, issue.kind) for issue in made.issues}


def test_the_same_code_and_sub_id_twice_gives_two_results() -> None:
    made = converted("ORU^R01^ORU_R01", PID, PV1, OBR, WBC, WBC)
    values = [one["identifier"][0]["value"] for one in of_type(made, "Observation")]
    assert values == ["R1/6690-2", "R1/6690-2#2"]


def test_the_time_of_the_event_comes_before_the_time_of_sending() -> None:
    happened = converted("ADT^A08^ADT_A01", "EVN|A08|20240315095900+0800||||20240314080000+0800", PID, PV1)
    recorded = converted("ADT^A08^ADT_A01", "EVN|A08|20240315095900+0800", PID, PV1)
    sent = converted("ADT^A08^ADT_A01", PID, PV1)
    orders = [made.resources[0].order for made in (happened, recorded, sent)]
    assert [order[:16] for order in orders] == ["2024-03-14T00:00", "2024-03-15T01:59", "2024-03-15T02:00"]


def test_lineage_tells_of_what_was_written_and_of_nothing_else() -> None:
    pid = PID.replace("|M", "|X").replace("19600203", "19600230")
    made = converted("ORU^R01^ORU_R01", pid, PV1, OBR, WBC, "NTE|1|L|TEST note")
    found = {(line.resource.partition("/")[0], line.element, line.path) for line in made.ledger.lineage()}
    observation = {(element, path) for kind, element, path in found if kind == "Observation"}
    wanted = {("identifier", "OBR-3.1"), ("identifier", "OBX-3.1"), ("note", "NTE-3"), ("value[x]", "OBX-5")}
    assert wanted <= observation
    assert {path for kind, _, path in found if kind == "Patient"} == {"PID-3", "PID-5", "MSH-4"}


def test_a_resource_is_made_only_when_there_is_something_to_make() -> None:
    without = converted("ADT^A01^ADT_A01", PID, PV1)
    assert {mapped.resource["resourceType"] for mapped in without.resources} == {"Patient", "Encounter"}
    assert without.issues == ()
    account = PID + "|" * 10 + "A1"
    assert [
        one["identifier"][0]["value"] for one in of_type(converted("ADT^A01^ADT_A01", account, PV1), "Account")
    ] == ["A1"]


def test_each_of_two_patients_has_the_segments_that_follow_it() -> None:
    second = PID.replace("TEST0001", "TEST0002")
    pd1, pv2 = "PD1||||D1^TEST^DOCTOR", "PV2|||FEVER^^99TEST"
    made = converted("ADT^A17^ADT_A17", PID, PV1, second, pd1, PV1.replace("V1", "V2", 2).replace("PV2", "PV1"), pv2)
    assert ["generalPractitioner" in one for one in of_type(made, "Patient")] == [False, True]
    assert ["reasonCode" in one for one in of_type(made, "Encounter")] == [False, True]


def test_a_visit_names_its_diagnoses_with_what_each_segment_says_of_it() -> None:
    first, second = "DG1|1||C92.000^^99ICD10CN|||A|||||||||1", "DG1|2||D46.200^^99ICD10CN|||W|||||||||2"
    (encounter,) = of_type(converted("ADT^A01^ADT_A01", PID, PV1, first, second), "Encounter")
    assert [(one["rank"], one["use"]["coding"][0]["code"]) for one in encounter["diagnosis"]] == [(1, "AD"), (2, "W")]


def test_a_role_belongs_to_the_segment_that_it_follows() -> None:
    person, visit = "ROL||AD|PP^^HL70443|D1^TEST^ONE", "ROL||AD|AT^^HL70443|D2^TEST^TWO"
    made = converted("ADT^A01^ADT_A01", PID, person, PV1, visit)
    (patient,), (encounter,) = of_type(made, "Patient"), of_type(made, "Encounter")
    assert [one["display"] for one in patient["generalPractitioner"]] == ["ONE TEST"]
    assert [one["individual"]["display"] for one in encounter["participant"]] == ["TWO TEST"]


def test_a_segment_that_an_event_ignores_is_not_listed_as_unread() -> None:
    assert converted("ADT^A31^ADT_A05", PID, PV1).ledger.unmapped() == ()
    left = {one.path for one in converted("ADT^A31^ADT_A05", PID, "ZXX|1").ledger.unmapped()}
    assert left == {"ZXX-1"}
