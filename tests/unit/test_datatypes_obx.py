"""Values of observations: what a laboratory sends, and what a reader of FHIR finds."""

from decimal import Decimal
from typing import Any

import pytest

from adapter.hl7v2.message import Segment
from adapter.mapper.datatypes import CONVERTERS
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.datatypes.quantity import VALUE_AS_SENT
from tests.unit.datatypes_reading import ER7, UCUM, several, site, split_field, value

WBC = "6690-2^Leukocytes [#/volume] in Blood by Automated count^LN^WBC^白细胞计数^99ZJULIS"
UNIT_FAHZU = "10*9/L^10\\S\\9/L^UCUM"
RANGE = ("OBX-7", "OBX-6", "OBX-3")


def ucum(number: str, unit: str, **more: Any) -> dict[str, Any]:
    return {"valueQuantity": {**more, "value": Decimal(number), "unit": unit, "system": UCUM, "code": unit}}


@pytest.mark.parametrize(
    ("of", "raw", "kind", "unit", "code", "expected"),
    [
        ("FAHZU", "0.70", "NM", UNIT_FAHZU, WBC, ucum("0.70", "10*9/L")),
        ("YWCH", "2.58", "NM", "10\\S\\9/L", "BXB^白细胞^99YWLIS", ucum("2.58", "10*9/L")),
        ("JHAH", "1.87", "ST", "10^9/L", "WBC^白细胞", ucum("1.87", "10*9/L")),
        ("LSCH", "4.05", "NM", "^x10E9/L", "H0101^白细胞数^LSLIS", ucum("4.05", "10*9/L")),
        ("YWCH", "31.2", "NM", "S", "110203^活化部分凝血活酶时间^99YWLIS", ucum("31.2", "s")),
        ("LSCH", "37.1", "NM", "^℃", "VS0101^体温(腋)^LSHL", ucum("37.1", "Cel")),
        ("JHAH", "103", "ST", "IU/L", "ALT^丙氨酸氨基转移酶", ucum("103", "U/L")),
    ],
)
def test_one_analyte_in_four_dialects_has_one_unit(
    *, of: str, raw: str, kind: str, unit: str, code: str, expected: dict[str, Any]
) -> None:
    assert without_doubt(value(raw, kind, unit, code, of=of)) == expected


@pytest.mark.parametrize(
    ("of", "raw", "unit", "code", "number", "ucum_code", "sent"),
    [
        ("YWCH", "0.265", "L/L", "HXBYJ^红细胞压积^99YWLIS", "26.5", "%", "0.265 L/L"),
        ("YWCH", "0.3", "L/L", "HXBYJ^红细胞压积^99YWLIS", "30", "%", "0.3 L/L"),
        ("LSCH", "292", "^mg/dL", "H0505^纤维蛋白原^LSLIS", "2.92", "g/L", "292 mg/dL"),
        ("JHAH", "0.025", "μg/L", "PCT^降钙素原", "0.025", "ng/mL", "0.025 μg/L"),
    ],
)
def test_a_converted_value_says_what_was_sent(
    *, of: str, raw: str, unit: str, code: str, number: str, ucum_code: str, sent: str
) -> None:
    made = value(raw, "ST" if of == "JHAH" else "NM", unit, code, of=of)["valueQuantity"]
    assert str(made["value"]) == number
    assert made["code"] == ucum_code
    assert made["extension"] == [{"url": VALUE_AS_SENT, "valueString": sent}]


@pytest.mark.parametrize(
    ("raw", "kind", "comparator", "number"),
    [("<^0.10", "SN", "<", "0.10"), (">=^5", "SN", ">=", "5"), ("^7.0", "SN", None, "7.0"), ("<0.5", "SN", "<", "0.5")],
)
def test_structured_numbers_keep_their_comparator(raw: str, kind: str, comparator: str | None, number: str) -> None:
    made = value(raw, kind, "pg/mL^pg/mL^UCUM", "27415-9^Interferon gamma^LN")["valueQuantity"]
    assert made.get("comparator") == comparator
    assert str(made["value"]) == number


def test_matched_loci_are_a_ratio() -> None:
    expected = {"valueRatio": {"numerator": {"value": Decimal(5)}, "denominator": {"value": Decimal(10)}}}
    assert value("^5^/^10", "SN", "", "HLAMATCH^HLA相合位点数^99ZJULIS") == expected


def test_below_detection_sent_as_text_is_a_quantity_where_the_site_says_so() -> None:
    made = value("<0.5", "ST", "mg/L", "DD^D-二聚体", of="JHAH")
    assert made == ucum("0.5", "mg/L", comparator="<")


@pytest.mark.parametrize("raw", ["-", "3+", "±"])
def test_a_urine_strip_stays_text(raw: str) -> None:
    assert value(raw, "ST", "", "PRO^尿蛋白", of="JHAH") == {"valueString": raw}


@pytest.mark.parametrize("raw", ["阴性", "12,5", "1.2.3", "+", "NaN", "Infinity", "1_000", "0x10", "1^2"])
def test_text_declared_as_a_number_is_kept_and_doubted(raw: str) -> None:
    made = value(raw, "NM", UNIT_FAHZU, WBC)
    assert isinstance(made, Doubt)
    assert (made.kind, made.code) == ("not-a-number", "102")
    assert made.value == {"valueString": raw.replace("~", "\n")}


@pytest.mark.parametrize(("raw", "number"), [("\uff11\uff12\uff0e\uff15", "12.5"), ("1e5", "1E+5"), ("<0.01", "0.01")])
def test_a_number_in_another_spelling_is_read_and_kept_as_sent(raw: str, number: str) -> None:
    made = value(raw, "NM", UNIT_FAHZU, WBC)
    assert made.kind == "number-spelling"
    assert str(made.value["valueQuantity"]["value"]) == number
    assert made.value["valueQuantity"]["extension"][0]["valueString"].startswith(raw)


@pytest.mark.parametrize(
    ("unit", "kind", "left"),
    [("", "missing-unit", {}), ("furlong", "unmapped-unit", {"unit": "furlong"}), ("g/L", "unit-differs", None)],
)
def test_a_doubtful_unit_is_never_guessed(unit: str, kind: str, left: dict[str, str] | None) -> None:
    made = value("5.1", "NM", unit, WBC)
    assert made.kind == kind
    if left is not None:
        assert made.value == {"valueQuantity": {"value": Decimal("5.1"), **left}}
    else:
        assert made.value == ucum("5.1", "g/L")


@pytest.mark.parametrize(
    ("raw", "kind", "expected"),
    [
        ("20171029", "DT", {"valueDateTime": "2017-10-29"}),
        ("20171029063000+0800", "TS", {"valueDateTime": "2017-10-29T06:30:00+08:00"}),
        ("0630", "TM", {"valueTime": "06:30:00"}),
        ("first~second", "TX", {"valueString": "first\nsecond"}),
        ("a\\T\\b", "ST", {"valueString": "a&b"}),
        ("", "NM", None),
        (
            "N^No^HL70136",
            "CWE",
            {
                "valueCodeableConcept": {
                    "coding": [
                        {"system": "http://terminology.hl7.org/CodeSystem/v2-0136", "code": "N", "display": "No"}
                    ]
                }
            },
        ),
    ],
)
def test_other_value_types(raw: str, kind: str, expected: dict[str, Any] | None) -> None:
    assert value(raw, kind) == expected


@pytest.mark.parametrize(
    ("kind", "doubt", "kept"),
    [("", "missing-value-type", True), ("QQ", "unknown-value-type", True), ("ED", "document-empty", False)],
)
def test_a_value_of_unknown_type_is_kept_as_text(kind: str, doubt: str, *, kept: bool) -> None:
    made = value("something", kind)
    assert made.kind == doubt
    assert made.value == ({"valueString": "something"} if kept else None)


@pytest.mark.parametrize(
    ("sent", "low", "high"),
    [
        ("4.0-10.0", "4.0", "10.0"),
        ("4.0--10.0", "4.0", "10.0"),
        ("4.0～10.0", "4.0", "10.0"),
        ("4.0~10.0", "4.0", "10.0"),
        ("0-8", "0", "8"),
        ("-2-3", "-2", "3"),
        ("<8", None, "8"),
        (">=5", "5", None),
        ("-", None, None),
        ("阴性", None, None),
        ("10-4", None, None),
    ],
)
def test_reference_ranges_are_read_or_kept_as_text(sent: str, low: str | None, high: str | None) -> None:
    made = several("OBX-referenceRange", sent, UNIT_FAHZU, WBC, at=RANGE)
    assert made["text"] == sent
    for name, limit in (("low", low), ("high", high)):
        assert (str(made[name]["value"]) if name in made else None) == limit
        assert name not in made or made[name]["code"] == "10*9/L"


def test_a_reference_range_is_converted_with_its_value() -> None:
    made = several("OBX-referenceRange", "200--400", "^mg/dL", "H0505^纤维蛋白原^LSLIS", at=RANGE, of="LSCH")
    assert (str(made["low"]["value"]), str(made["high"]["value"]), made["low"]["code"]) == ("2.00", "4.00", "g/L")
    assert made["text"] == "200--400 mg/dL"


@pytest.mark.parametrize(
    ("status", "code", "doubted"),
    [("X", "not-performed", False), ("F", "unknown", True), ("W", "unknown", False), ("I", "temp-unknown", False)],
)
def test_a_missing_value_says_why(status: str, code: str, *, doubted: bool) -> None:
    made = several("OBX-dataAbsentReason", "", status, at=("OBX-5", "OBX-11"))
    assert isinstance(made, Doubt) is doubted
    concept = made.value if isinstance(made, Doubt) else made
    assert concept["coding"][0]["code"] == code
    assert several("OBX-dataAbsentReason", "5", status, at=("OBX-5", "OBX-11")) is None


@pytest.mark.parametrize(("sent", "code"), [("↑", "H"), ("↓", "L"), ("*", "A"), ("HH", "HH"), ("N", "N")])
def test_interpretations_in_arrows_and_letters(sent: str, code: str) -> None:
    made = CONVERTERS["CWE-interpretation"].bind(site("JHAH"), ("OBX-8",))(split_field(sent, ER7)[0])
    assert made["coding"][0]["code"] == code
    assert made.get("text") == (None if sent == code else sent)


def test_the_normalised_dose_is_found_among_other_observations() -> None:
    rows = ["OBX|1|NM|7122^CD3^99YWLIS||0.57|10\\S\\8/kg", "OBX|2|NM|JL01^每平方米剂量^99YWHL||10|mg/㎡"]
    segments = tuple(Segment("OBX", tuple(row.split("|")), at, ER7) for at, row in enumerate(rows))
    convert = CONVERTERS["OBX-doseNormalised"].bind(site("YWCH"), ("OBX",))
    assert convert(segments)["valueQuantity"] == {"value": 10, "unit": "mg/m2", "system": UCUM, "code": "mg/m2"}
    assert convert(segments[:1]) is None
