"""TQ1, TQ, RPT, RI: when and how often.

v2-to-FHIR guide: TQ1[ServiceRequest], TQ[ServiceRequest], RPT[Timing], RI[Timing].

Up to 2.4 a timing is a field of type TQ (ORC-7, OBR-27, RXE-1), since 2.5 a segment TQ1 with the same parts; both are
read into one `Plan`. A field stands only where there is no segment. A repeat pattern is kept as code; what HL7 table
0335 says it means (`Q6H`, `BID`) also as period and frequency.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from adapter.hl7v2.message import Field, Repetition, Segment
from adapter.mapper import times
from adapter.mapper.codes import HL7_TABLE, Coding
from adapter.mapper.datatypes.converter import Bound, Converter, part, whole_text
from adapter.mapper.datatypes.cq import TIME_UNITS, bind_quantity, components, cq_duration, cq_number, duration
from adapter.mapper.datatypes.doubt import Doubt, doubted_as, without_doubt
from adapter.mapper.datatypes.dtm import bind_datetime, period
from adapter.mapper.datatypes.nm import decimal_of
from adapter.mapper.sites import Site

PRIORITIES, PATTERNS, WHEN = "0485-priority", "0335-repeat-pattern", "0528-event"
TIMING_SEGMENT = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14)
"""Fields of TQ1 that are read."""
NO_PRIORITY = Doubt(None, "103", f"code is not in table {PRIORITIES}", "unmapped-code")
DURATION_BESIDE = Doubt(None, "102", "has a duration beside a start or an end: FHIR takes one of them", "not-converted")
UNREAD_DURATION = Doubt(None, "102", "is no duration in a known unit of time", "not-converted")
SEVERAL_PRIORITIES = Doubt(None, "102", "only the first priority fits the FHIR element", "repetition-left-out")
DAYS = ("", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
LETTERS = {"S": "s", "M": "min", "H": "h", "D": "d", "W": "wk", "L": "mo"}
_EVERY = re.compile(r"Q(\d+)([SMHDWL])")
_ON_DAYS = re.compile(r"Q(?:(\d+))?J([1-7]+)")
_TIMES = re.compile(r"([1-9]\d?)(?:ID|XD)|X?(\d)/D")
_WORDS: dict[str, tuple[int, int, str]] = {
    "QD": (1, 1, "d"),
    "BID": (2, 1, "d"),
    "TID": (3, 1, "d"),
    "QID": (4, 1, "d"),
    "QOD": (1, 2, "d"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """One timing: quantity (CQ), pattern, explicit times, service duration, start, end, priorities and texts."""

    quantity: Repetition
    patterns: Field
    clock: tuple[str, ...]
    duration: Repetition | str
    start: str
    end: str
    priorities: tuple[Repetition, ...]
    condition: str
    text: str
    each: Repetition
    total: str


def plans(segments: Sequence[Segment], *fields: Field) -> list[Plan]:
    """Every timing of an order: those of its TQ1, else those of the first field (TQ) that has any."""
    if segments:
        return [_of_segment(segment) for segment in segments]
    sent = next((field for field in fields if field), ())
    return [_of_field(one) for one in sent if any(any(component) for component in one)]


@lru_cache(maxsize=4096)
def _of_segment(segment: Segment) -> Plan:
    one = [field[0] if (field := segment.field(number)) else () for number in range(15)]
    return Plan(
        quantity=one[2],
        patterns=segment.field(3),
        clock=tuple(part(repetition, 1) for repetition in segment.field(4)),
        duration=one[6],
        start=part(one[7], 1),
        end=part(one[8], 1),
        priorities=segment.field(9),
        condition=whole_text(one[10]),
        text=whole_text(one[11]),
        each=one[13],
        total=part(one[14], 1),
    )


def _of_field(repetition: Repetition) -> Plan:
    def inner(number: int) -> Repetition:
        """A component as a type of its own."""
        found = components(repetition[number - 1]) if len(repetition) >= number else ()
        return found[0] if found else ()

    priority = inner(6)
    return Plan(
        quantity=inner(1),
        patterns=(inner(2)[:1],) if inner(2) else (),
        clock=tuple(part(inner(2), 2).split(",")) if part(inner(2), 2) else (),
        duration=part(repetition, 3),
        start=part(repetition, 4),
        end=part(repetition, 5),
        priorities=(priority,) if priority else (),
        condition=part(repetition, 7),
        text=part(repetition, 8),
        each=(),
        total=part(repetition, 12),
    )


class Timings:
    """Makes a Timing, and what else an order says in TQ1, with the tables of one site."""

    def __init__(self, site: Site) -> None:
        """Take the tables."""
        self._zone = site.timezone
        self._patterns, self._when = site.table(PATTERNS), site.table(WHEN)
        self.quantity = bind_quantity(site)

    def timing(self, plan: Plan) -> tuple[dict[str, Any] | None, Doubt | None]:
        """Timing of one plan, None where it says nothing of time; and what is doubtful."""
        repeat, doubt = self._bounds(plan)
        code: dict[str, Any] | None = None
        for pattern in plan.patterns[:1]:
            code = self._code(pattern)
            repeat |= self._repeat(pattern)
        clock = [time for text in plan.clock if (time := times.fhir_time(text))]
        if clock:  # R4, tim-10: a time of day, or an event of the day
            repeat = {name: value for name, value in repeat.items() if name not in {"when", "offset"}}
            repeat["timeOfDay"] = clock
        if each := cq_number(plan.each) if plan.each else None:
            repeat |= {"duration": each[0], "durationUnit": each[1]}
        if plan.total.isdecimal() and int(plan.total):
            repeat["count"] = int(plan.total)
        made = ({"repeat": repeat} if repeat else {}) | ({"code": code} if code else {})
        return made or None, doubt

    def _bounds(self, plan: Plan) -> tuple[dict[str, Any], Doubt | None]:
        found = period(plan.start, plan.end, self._zone)
        doubt = found if isinstance(found, Doubt) else None
        if whole := without_doubt(found):
            lost = plan.duration and len(whole) == 1 and not doubt
            return {"boundsPeriod": whole}, DURATION_BESIDE if lost else doubt
        if not plan.duration:
            return {}, doubt
        lasts = _letters(plan.duration) if isinstance(plan.duration, str) else cq_duration(plan.duration)
        return ({"boundsDuration": lasts}, doubt) if lasts else ({}, UNREAD_DURATION)

    def _code(self, pattern: Repetition) -> dict[str, Any] | None:
        # RPT.1 is a CWE: its subcomponents are code, text and system
        inner = components(pattern[0])
        text, words = (part(inner[0], 1), part(inner[0], 2)) if inner else ("", "")
        row = self._patterns.get(text)
        if not (text or words):
            return None
        coding: Coding = {"system": f"{HL7_TABLE}0335", "code": text}
        known = [coding] if _meaning(text) or row else []
        made: dict[str, Any] = {"coding": [*(row.targets if row else ()), *known]} if known else {}
        return made | {"text": words or text}

    def _repeat(self, pattern: Repetition) -> dict[str, Any]:
        made: dict[str, Any] = _meaning(part(pattern, 1))
        begin, unit = part(pattern, 3), TIME_UNITS.get(part(pattern, 6).lower())
        period = decimal_of(part(pattern, 5)) if part(pattern, 5) else None
        if period is not None and unit:
            made = made | {"frequency": 1, "period": period, "periodUnit": unit}
        if part(pattern, 2) == "DW" and begin in {"1", "2", "3", "4", "5", "6", "7"}:
            last = part(pattern, 4)
            made["dayOfWeek"] = [DAYS[at] for at in _days(int(begin), int(last) if last.isdecimal() else 0)]
        row = self._when.get(part(pattern, 8))
        if row and row.targets:
            made["when"] = [row.targets[0]["code"]]
            offset = duration(part(pattern, 9), part(pattern, 10) or "min")
            if offset and (minutes := _minutes(offset)):
                made["offset"] = minutes
        return made


def _days(first: int, last: int) -> list[int]:
    if not 1 <= last <= 7:
        return [first]
    return [(first - 1 + step) % 7 + 1 for step in range((last - first) % 7 + 1)]


def _minutes(offset: dict[str, Any]) -> int:
    factor = {"min": 1, "h": 60, "d": 1440}.get(offset["code"], 0)
    value = offset["value"] * factor
    return int(value) if value > 0 and value == int(value) else 0


def _meaning(code: str) -> dict[str, Any]:
    """What HL7 table 0335 says of a pattern; empty for any other code (a hospital's own schedule)."""
    if code in _WORDS:
        frequency, period, unit = _WORDS[code]
        return {"frequency": frequency, "period": period, "periodUnit": unit}
    if found := _EVERY.fullmatch(code):
        return {"frequency": 1, "period": int(found[1]), "periodUnit": LETTERS[found[2]]} if int(found[1]) else {}
    if found := _ON_DAYS.fullmatch(code):
        return {
            "frequency": 1,
            "period": int(found[1] or 1),
            "periodUnit": "wk",
            "dayOfWeek": [DAYS[int(day)] for day in found[2]],
        }
    if found := _TIMES.fullmatch(code):
        return {"frequency": int(found[1] or found[2]), "period": 1, "periodUnit": "d"}
    return {}


def _letters(text: str) -> dict[str, Any] | None:
    """TQ.3: `H8`, `D5`, `L2`; X (a number of times) and INDEF are no durations."""
    unit = LETTERS.get(text[:1])
    return duration(text[1:], unit) if unit else None


def _bind_occurrence(site: Site, _paths: tuple[str, ...]) -> Bound:
    timings, moment = Timings(site), bind_datetime(site)

    def tq_occurrence(segments: tuple[Segment, ...], *fields: Field) -> Any:
        """Several timings are one order each; the first that says when is written. The last field is one moment."""
        *timed, requested = fields
        for plan in plans(segments, *timed):
            made, doubt = timings.timing(plan)
            if made or doubt:
                value = {"occurrenceTiming": made} if made else None
                return doubt.of(value) if doubt else value
        made = moment(requested[0]) if requested else None
        found = without_doubt(made)
        value = {"occurrenceDateTime": found} if found else None
        return doubted_as(made, value)

    return tq_occurrence


def _bind_priority(site: Site, paths: tuple[str, ...]) -> Bound:
    table = site.table(PRIORITIES)
    plain = len(paths) - 2 if paths[-1] == "OBR-5" else None

    def tq_priority(segments: tuple[Segment, ...], *fields: Field) -> str | Doubt | None:
        """OBR-5 is a priority itself, where no timing has one; the other fields are timings."""
        sent = [one for plan in plans(segments, *fields[:plain]) for one in plan.priorities]
        sent = sent or ([] if plain is None else list(fields[plain][:1]))
        codes = dict.fromkeys(text for one in sent if (text := part(one, 1)))
        if not codes:
            return None
        row = table.get(next(iter(codes)))
        if row is None:
            return NO_PRIORITY
        made = row.targets[0]["code"] if row.targets else None
        doubt = SEVERAL_PRIORITIES
        return doubt.of(made) if len(codes) > 1 else made

    return tq_priority


def _bind_quantity(site: Site, _paths: tuple[str, ...]) -> Bound:
    timings = Timings(site)

    def tq_quantity(segments: tuple[Segment, ...], *fields: Field) -> Any:
        sent = next((plan.quantity for plan in plans(segments, *fields) if plan.quantity), None)
        made = timings.quantity(sent) if sent else None
        value = {"quantityQuantity": without_doubt(made)} if without_doubt(made) else None
        return doubted_as(made, value)

    return tq_quantity


def _tq_note(_site: Site, _paths: tuple[str, ...]) -> Bound:
    def tq_note(segments: tuple[Segment, ...], *fields: Field) -> list[dict[str, str]] | None:
        return [{"text": plan.text} for plan in plans(segments, *fields) if plan.text] or None

    return tq_note


def _tq_condition(_site: Site, _paths: tuple[str, ...]) -> Bound:
    def tq_condition(segments: tuple[Segment, ...], *fields: Field) -> dict[str, Any] | None:
        text = next((plan.condition for plan in plans(segments, *fields) if plan.condition), "")
        return {"asNeededCodeableConcept": {"text": text}} if text else None

    return tq_condition


_COMMON: dict[str, Any] = {"sources": -1, "whole": True, "fields": TIMING_SEGMENT}
CONVERTERS = (
    Converter("TQ-occurrence", "occurrence[x]", _bind_occurrence, **_COMMON),
    Converter("TQ-priority", "code", _bind_priority, **_COMMON),
    Converter("TQ-quantity", "quantity[x]", _bind_quantity, **_COMMON),
    Converter("TQ-note", "Annotation", _tq_note, **_COMMON),
    Converter("TQ-asNeeded", "asNeeded[x]", _tq_condition, **_COMMON),
)
