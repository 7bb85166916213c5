"""Identifiers, names, addresses, telephones and staff of the four hospitals."""

from typing import Any

import pytest

from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.identity import resident_number_problem
from tests.unit.datatypes_reading import one, several

NS = "https://fhir.tli-trial.example.org/NamingSystem"
OID = "2.16.840.1.113883.3.9999.1"
REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"


@pytest.mark.parametrize(
    ("of", "at", "raw", "system", "type_code"),
    [
        ("FAHZU", "PID-3", f"00A30813^^^FAHZU&{OID}.01.2&ISO^MR", "fahzu-mrn", "MR"),
        ("FAHZU", "PID-3", f"LS8815419^^^LSCH&{OID}.04.2&ISO^MR", "lsch-mrn", "MR"),
        ("FAHZU", "PID-3", f"ATLI-901^^^TLI2017&{OID}.99&ISO^ANON", "tli-subject", "ANON"),
        ("FAHZU", "CSR-4", f"ATLI-901^^^TLI2017&{OID}.99&ISO^ANON", "tli-subject", "ANON"),
        ("FAHZU", "PID-3", f"DON-ATLI-901^^^TLI2017&{OID}.99&ISO^DR", "tli-donor", "DR"),
        ("FAHZU", "PID-3", f"990101195412026113^^^CHN-MPS&{OID}.90&ISO^NI", "cn-resident-id", "NI"),
        ("YWCH", "PID-3", "2017-034111^^^YWCH^BLH", "ywch-mrn", "MR"),
        ("YWCH", "PID-3", "990102196406206194^^^GAB^SFZH", "cn-resident-id", "NI"),
        ("YWCH", "PID-3", "DON-ATLI-903^^^TLI^GZBH", "tli-donor", "DR"),
        ("YWCH", "PV1-19", "ZY20171213001", "ywch-visit", "VN"),
        ("JHAH", "PID-2", "0003390744", "jhah-mrn", "MR"),
        ("JHAH", "PID-3", "0003390744", "jhah-mrn", "MR"),
        ("JHAH", "PID-3", "ZY00513744", "jhah-file", ""),
        ("JHAH", "PID-4", "990103194705096236", "cn-resident-id", "NI"),
        ("JHAH", "PID-4", "DON-ATLI-904", "tli-donor", "DR"),
    ],
)
def test_an_identifier_belongs_to_one_system(of: str, at: str, raw: str, system: str, type_code: str) -> None:
    made = one("CX-Identifier", raw, at=at, of=of)
    assert not isinstance(made, Doubt)
    assert (made["system"], made["value"]) == (f"{NS}/{system}", raw.partition("^")[0])
    assert (made["type"]["coding"][0]["code"] if "type" in made else "") == type_code


def test_an_unknown_authority_never_matches_a_hospital() -> None:
    made = one("CX-Identifier", "123^^^ELSEWHERE&1.2.3&ISO^MR", at="PID-3")
    assert made.kind == "unknown-authority"
    assert (made.value["system"], made.value["value"]) == ("urn:oid:1.2.3", "123")
    assert made.value["type"]["coding"][0]["code"] == "MR"


@pytest.mark.parametrize(
    "number", ["990101195412026114", "99010119541202611", "990101195413326113", "99010119541202611x"]
)
def test_a_wrong_resident_number_is_kept_but_not_for_matching(number: str) -> None:
    made = one("CX-Identifier", f"{number}^^^CHN-MPS^NI", at="PID-3")
    assert (made.kind, made.code) == ("identity-number", "102")
    assert made.value["value"] == number
    assert made.value["system"].endswith("cn-resident-id-unchecked")
    assert number not in made.text


def test_resident_numbers_with_a_right_check_character() -> None:
    assert resident_number_problem("990101195412026113") is None
    assert resident_number_problem("11010519491231002X") is None


@pytest.mark.parametrize(
    ("name", "at", "raw", "of", "expected"),
    [
        ("EI-Identifier", "OBR-3", "L171029-0001^FAHZULIS", "FAHZU", ("fahzu-report", "L171029-0001")),
        ("EI-Identifier", "OBR-3", "201802150001", "JHAH", ("jhah-report", "201802150001")),
        ("EI-Identifier", "BTX-2", "A990117001901^CELLBANK", "FAHZU", ("tli-product", "A990117001901")),
        ("EIP-Identifier", "SPM-2", "^SL171029-0001&FAHZULIS", "FAHZU", ("fahzu-specimen", "SL171029-0001")),
        ("EI-Identifier", "SPM-2.2", "180724S00001&LSLIS", "LSCH", ("lsch-specimen", "180724S00001")),
    ],
)
def test_entity_identifiers(name: str, at: str, raw: str, of: str, expected: tuple[str, str]) -> None:
    made = one(name, raw, at=at, of=of)
    assert (made["system"], made["value"]) == (f"{NS}/{expected[0]}", expected[1])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            "赵^试九〇一^^^^^L^I",
            {"use": "official", "text": "赵试九〇一", "family": "赵", "given": ["试九〇一"], "as": "IDE"},
        ),
        (
            "ZHAO^SHIJIULINGYI^^^^^L^A",
            {"use": "official", "text": "ZHAO SHIJIULINGYI", "family": "ZHAO", "given": ["SHIJIULINGYI"], "as": "ABC"},
        ),
        ("谢^试九〇三", {"text": "谢试九〇三", "family": "谢", "given": ["试九〇三"], "as": "IDE"}),
        ("周璡试九〇四", {"text": "周璡试九〇四", "as": "IDE"}),
        ("ZHOU JINSHIJIULINGSI", {"text": "ZHOU JINSHIJIULINGSI"}),
        ("ATLI-901^^^^^^S", {"use": "anonymous", "text": "ATLI-901"}),
    ],
)
def test_names_are_never_split_by_guess(raw: str, expected: dict[str, Any]) -> None:
    if code := expected.pop("as", None):
        expected["extension"] = [{"url": REPRESENTATION, "valueCode": code}]
    assert one("XPN-HumanName", raw, at="PID-5") == expected


def test_addresses_in_parts_and_as_one_text() -> None:
    assert one("XAD-Address", "示范路901号^^杭州市^浙江省^310003^CHN^H", at="PID-11") == {
        "use": "home",
        "line": ["示范路901号"],
        "city": "杭州市",
        "state": "浙江省",
        "postalCode": "310003",
        "country": "CHN",
    }
    assert one("XAD-Address", "浙江省金华市示范路904号", at="PID-11") == {"text": "浙江省金华市示范路904号"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("13800001806", {"system": "phone", "value": "13800001806"}),
        ("^PRN^PH^^86^^13800001802", {"system": "phone", "value": "+86 13800001802", "use": "home"}),
        ("^PRN^CP^^86^^13800009006", {"system": "phone", "value": "+86 13800009006", "use": "mobile"}),
        ("^WPN^PH^^86^571^55500009^12", {"system": "phone", "value": "+86 571 55500009 X12", "use": "work"}),
        ("^NET^Internet^a@example.org", {"system": "email", "value": "a@example.org"}),
        ("^PRN^PH^^^^^^^^^+86 0571", {"system": "phone", "value": "+86 0571", "use": "home"}),
    ],
)
def test_telephones_of_versions_2_3_to_2_7(raw: str, expected: dict[str, str]) -> None:
    made = one("XTN-ContactPoint", raw, at="PID-13")
    assert {name: value for name, value in made.items() if name != "extension"} == expected


def test_the_parts_of_a_telephone_number_stand_beside_it() -> None:
    made = one("XTN-ContactPoint", "^WPN^PH^^86^571^55500009^12^^^^^20200101^20211231^^^^2", at="PID-14")
    parts = {part["url"].rpartition("-")[2]: part["valueString"] for part in made["extension"]}
    assert parts == {"country": "86", "area": "571", "local": "55500009", "extension": "12"}
    assert (made["period"], made["rank"]) == ({"start": "2020-01-01", "end": "2021-12-31"}, 2)


def test_a_telephone_number_as_old_versions_write_it() -> None:
    assert one("XTN-ContactPointHome", "(0571)5550009", at="PID-13") == {
        "system": "phone",
        "value": "(0571)5550009",
        "use": "home",
    }
    assert one("XTN-ContactPointWork", "^PRN^CP^^^^13800001806", at="PID-14")["use"] == "mobile"


def test_every_part_of_a_name() -> None:
    raw = "VAN TEST&VAN&TEST&DE&PARTNER^ONE^TWO^JR^DR^MD^L^A^^20200101&20211231^G^^^FACP^TESSIE"
    name, nickname = one("XPN-HumanName", raw, at="PID-5")
    assert (name["family"], name["given"], name["prefix"]) == ("VAN TEST", ["ONE", "TWO"], ["DR"])
    assert name["suffix"] == ["JR", "MD", "FACP"]
    assert name["period"] == {"start": "2020-01-01", "end": "2021-12-31"}
    surname = {part["url"].partition("humanname-")[2]: part["valueString"] for part in name["_family"]["extension"]}
    assert surname == {"own-prefix": "VAN", "own-name": "TEST", "partner-prefix": "DE", "partner-name": "PARTNER"}
    assert [part["valueCode"] for part in name["extension"]] == ["ABC", "G"]
    assert nickname == {"use": "nickname", "given": ["TESSIE"]}


def test_every_part_of_an_address() -> None:
    raw = (
        "1 Main&Main Street&1A^Floor 2^Testville^ZJ^310003^CHN^P^^C1&County One^T1^^20200101&20211231^^^^Y^^V^c/o Test"
    )
    made = one("XAD-Address", raw, at="PID-11")
    assert made["line"] == ["1 Main", "Main Street", "1A", "Floor 2", "c/o Test"]
    assert (made["district"], made["use"], made["type"]) == ("County One", "temp", "physical")
    assert made["_use"]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "P"
    assert made["period"] == {"start": "2020-01-01", "end": "2021-12-31"}
    assert made["extension"][0]["valueString"] == "T1"


def test_an_identifier_with_check_digit_and_validity() -> None:
    made = one("CX-Identifier", f"T1^7^M11^FAHZU&{OID}.01.2&ISO^MR^^20200101^20211231", at="PID-3")
    assert [part["valueString"] for part in made["extension"]] == ["7", "M11"]
    assert made["period"] == {"start": "2020-01-01", "end": "2021-12-31"}


def test_a_date_that_does_not_exist_is_told_wherever_it_stands() -> None:
    for name, raw in (("XPN-HumanName", "TEST^ONE^^^^^^^^^^20200230"), ("XAD-Address", "1 Main^^T^^^^^^^^^^20200230")):
        made = one(name, raw, at="PID-5")
        assert isinstance(made, Doubt)
        assert "period" not in made.value


def test_an_organization_is_a_reference_by_number_and_name() -> None:
    made = one("XON-Reference", "Test Insurance^L^^^^TI&1.2.3&ISO^XX^^^T77", at="IN1-4")
    assert made["display"] == "Test Insurance"
    assert made["identifier"]["value"] == "T77"
    assert one("XON-string", "^^T77", at="PD1-14") == "T77"


def test_staff_by_number_and_name_or_by_name_alone() -> None:
    made = one("XCN-EncounterParticipant", "D1002^示例医^二", at="PV1-7")
    assert made["individual"]["identifier"] == {"system": f"{NS}/fahzu-staff", "value": "D1002"}
    assert made["individual"]["display"] == "示例医二"
    assert made["type"][0]["coding"][0]["code"] == "ATND"
    performer = one("XCN-MedicationAdministrationPerformer", "示例护三", at="RXA-10", of="JHAH")
    assert performer == {"actor": {"type": "Practitioner", "display": "示例护三"}}


STAY = ("PV1-3", "MSH-9", "EVN-6", "EVN-2")


@pytest.mark.parametrize(
    ("of", "raw", "value"),
    [("FAHZU", "HEM3^0302^01^FAHZU", "HEM3/0302/01"), ("JHAH", "血液内科^05床", "血液内科/05床")],
)
def test_a_place_is_a_reference_by_its_parts(of: str, raw: str, value: str) -> None:
    made = several("PL-EncounterStay", raw, "ADT^A08", "", "20180101080000", at=STAY, of=of)
    assert made["location"]["identifier"]["value"] == value
    assert made["location"]["display"] == value.replace("/", " ")
    assert made.keys() == {"location"}


def test_an_event_that_brings_a_patient_to_a_place_says_since_when() -> None:
    at_once = several("PL-EncounterStay", "HEM3", "ADT^A02^ADT_A02", "", "2018010108", at=STAY)
    assert (at_once["status"], at_once["period"]) == ("active", {"start": "2018-01-01"})
    occurred = several("PL-EncounterStay", "HEM3", "ADT^A02", "20180101073000", "20180101080000", at=STAY)
    assert occurred["period"] == {"start": "2018-01-01T07:30:00+08:00"}
    assert several("PL-EncounterStay", "HEM3", "ADT^A05", "", "", at=STAY)["status"] == "planned"


def test_yes_no_and_whatever_else() -> None:
    assert one("ID-boolean", "Y", at="PID-30") is True
    assert one("ID-boolean", "N", at="PID-30") is False
    made = one("ID-boolean", "?", at="PID-30")
    assert (without_doubt(made), made.kind) == (None, "unmapped-code")


@pytest.mark.parametrize(("name", "raw", "made"), [("NM-integer", "5.0", 5), ("NM-positiveInt", "3", 3)])
def test_whole_numbers(name: str, raw: str, made: int) -> None:
    assert one(name, raw, at="PID-25") == made


@pytest.mark.parametrize(("name", "raw"), [("NM-integer", "5.5"), ("NM-positiveInt", "0"), ("NM-decimal", "five")])
def test_what_is_no_whole_number(name: str, raw: str) -> None:
    assert one(name, raw, at="PID-25").value is None
