"""When and how often, how much, by which number: the converters of orders."""

from decimal import Decimal
from typing import Any

import pytest

from adapter.hl7v2.message import Segment, split_field
from adapter.mapper.datatypes import CONVERTERS
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.makers import STANDARD
from tests.unit.datatypes_reading import ER7, UCUM, one, several, site

TIMED = ("TQ1", "ORC-7", "OBR-27", "OBR-6")


def segments(*lines: str) -> tuple[Segment, ...]:
    return tuple(Segment(line[:3], tuple(line.split("|")), at, STANDARD) for at, line in enumerate(lines))


def occurrence(*tq1: str, orc_7: str = "", obr_27: str = "", obr_6: str = "") -> Any:
    bound = CONVERTERS["TQ-occurrence"].bind(site("FAHZU"), TIMED)
    return bound(segments(*tq1), *[split_field(raw, ER7) if raw else () for raw in (orc_7, obr_27, obr_6)])


@pytest.mark.parametrize(
    ("pattern", "repeat"),
    [
        ("Q6H", {"frequency": 1, "period": 6, "periodUnit": "h"}),
        ("Q2D", {"frequency": 1, "period": 2, "periodUnit": "d"}),
        ("QOD", {"frequency": 1, "period": 2, "periodUnit": "d"}),
        ("TID", {"frequency": 3, "period": 1, "periodUnit": "d"}),
        ("5ID", {"frequency": 5, "period": 1, "periodUnit": "d"}),
        ("QJ135", {"frequency": 1, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "wed", "fri"]}),
        ("Q2J7", {"frequency": 1, "period": 2, "periodUnit": "wk", "dayOfWeek": ["sun"]}),
    ],
)
def test_a_repeat_pattern_means_what_table_0335_says(pattern: str, repeat: dict[str, Any]) -> None:
    made = occurrence(f"TQ1|1||{pattern}")["occurrenceTiming"]
    assert made["repeat"] == repeat
    assert made["code"]["text"] == pattern


@pytest.mark.parametrize("pattern", ["Q0H", "QABC", "早餐后"])
def test_a_schedule_of_the_hospital_is_kept_as_text_and_never_guessed(pattern: str) -> None:
    assert occurrence(f"TQ1|1||{pattern}") == {"occurrenceTiming": {"code": {"text": pattern}}}


def test_a_timing_segment_stands_before_the_fields_that_it_replaced() -> None:
    made = occurrence("TQ1|1||BID", orc_7="^Q6H", obr_6="20240101")
    assert made["occurrenceTiming"]["code"]["text"] == "BID"


def test_a_field_of_type_tq_has_its_parts_in_subcomponents() -> None:
    repeat = occurrence(orc_7="1&mL^Q6H&0800,1400^D5^^^^^^^^^3")["occurrenceTiming"]["repeat"]
    assert repeat == {
        "boundsDuration": {"value": 5, "unit": "d", "system": UCUM, "code": "d"},
        "frequency": 1,
        "period": 6,
        "periodUnit": "h",
        "timeOfDay": ["08:00:00", "14:00:00"],
        "count": 3,
    }


def test_a_time_of_day_and_an_event_of_the_day_never_stand_together() -> None:
    """R4, tim-10."""
    repeat = occurrence("TQ1|1||^^^^^^^AC^30^min|0700")["occurrenceTiming"]["repeat"]
    assert repeat == {"timeOfDay": ["07:00:00"]}


def test_an_offset_belongs_to_an_event_and_is_in_minutes() -> None:
    repeat = occurrence("TQ1|1||^^^^^^^AC^2^h")["occurrenceTiming"]["repeat"]
    assert repeat == {"when": ["AC"], "offset": 120}


def test_a_requested_moment_stands_where_no_timing_is_told() -> None:
    assert occurrence(obr_6="20240106") == {"occurrenceDateTime": "2024-01-06"}


def test_an_impossible_start_is_doubted_and_the_rest_is_kept() -> None:
    made = occurrence("TQ1|1||BID||||20240230")
    assert isinstance(made, Doubt)
    assert made.kind == "impossible-date"
    assert made.value["occurrenceTiming"]["repeat"]["frequency"] == 2


@pytest.mark.parametrize("duration", ["INDEF", "X3", "soon"])
def test_a_duration_that_is_none_is_doubted(duration: str) -> None:
    assert occurrence(orc_7=f"^^{duration}").kind == "not-converted"


def test_a_priority_is_that_of_the_timing_else_that_of_the_order() -> None:
    bound = CONVERTERS["TQ-priority"].bind(site("FAHZU"), ("TQ1", "ORC-7", "OBR-5"))
    assert bound(segments("TQ1|1||||||||S"), (), split_field("R", ER7)) == "stat"
    assert bound((), (), split_field("R", ER7)) == "routine"
    assert bound((), (), split_field("ZZ", ER7)).kind == "unmapped-code"


def dosage(*raws: str, tq1: str = "TQ1|1||BID", rxr: str = "RXR|IV^Intravenous^HL70162") -> Any:
    paths = ("TQ1", "RXR", "OBX", "RXE-1", "RXE-3", "RXE-4", "RXE-5", "RXE-7", "RXE-22", "RXE-23", "RXE-24", "RXE-19")
    fields = [split_field(raw, ER7) if raw else () for raw in (*raws, *[""] * (9 - len(raws)))]
    return CONVERTERS["RX-Dosage"].bind(site("FAHZU"), paths)(segments(tq1), segments(rxr), (), *fields)


def test_one_amount_is_a_quantity_and_two_are_a_range() -> None:
    mg = {"unit": "mg", "system": UCUM, "code": "mg"}
    (single,), (ranged,) = dosage("", "20", "", "mg"), dosage("", "20", "25", "mg")
    assert single["doseAndRate"][0]["doseQuantity"] == {"value": Decimal(20), **mg}
    assert ranged["doseAndRate"][0]["doseRange"] == {"low": {"value": 20, **mg}, "high": {"value": 25, **mg}}


def test_an_amount_that_is_no_number_is_doubted_at_its_own_field() -> None:
    made = dosage("", "some", "", "mg")
    assert (made.kind, made.source) == ("not-a-number", 4)
    assert "doseAndRate" not in made.value[0]


def test_a_unit_that_no_table_has_is_doubted_at_its_own_field() -> None:
    made = dosage("", "20", "", "spoons")
    assert (made.kind, made.source) == ("unmapped-unit", 6)


def test_an_amount_over_a_time_is_a_rate() -> None:
    (made,) = dosage("", "20", "", "mg", "", "H8")
    assert made["doseAndRate"][0]["rateRatio"]["denominator"] == {"value": 8, "unit": "h", "system": UCUM, "code": "h"}


def test_numbers_of_an_order_say_whose_they_are() -> None:
    placer = without_doubt(one("EIP-PlacerIdentifier", "P1&CPOE^F1&LAB", at="ORC-8"))
    filler = without_doubt(one("EIP-FillerIdentifier", "P1&CPOE^F1&LAB", at="ORC-8"))
    assert [(one["value"], one["type"]["coding"][0]["code"]) for one in (placer, filler)] == [
        ("P1", "PLAC"),
        ("F1", "FILL"),
    ]


def test_a_group_number_is_read_in_both_of_its_types() -> None:
    """ORC-4 is EI, and EIP in 2.8.2."""
    sent = ("G1^CPOE", "G1&CPOE^G2&LAB")
    assert {without_doubt(one("EI-PlacerGroupIdentifier", raw, at="ORC-4"))["value"] for raw in sent} == {"G1"}


def test_delimiters_alone_are_no_number() -> None:
    assert one("EI-PlacerGroupIdentifier", "&", at="ORC-4") is None


def test_an_order_was_written_when_it_is_new() -> None:
    assert several("DTM-authoredOn", "20240105", "NW", at=("ORC-9", "ORC-1")) == "2024-01-05"
    assert several("DTM-authoredOn", "20240105", "CA", at=("ORC-9", "ORC-1")) is None
