"""DT, TM, TS, DTM, DR: dates and times. v2-to-FHIR guide: DTM[dateTime], DR[Period]; rules in mapper/times.py."""

from datetime import tzinfo
from typing import Any

from adapter.hl7v2.message import Field, Repetition
from adapter.mapper import times
from adapter.mapper.datatypes.converter import Bound, Converter, first, part, plain
from adapter.mapper.datatypes.doubt import Doubt, doubted_as, without_doubt
from adapter.mapper.sites import Site

IMPOSSIBLE = Doubt(None, "102", "is no date that the calendar has", "impossible-date")
NO_TIME_OF_DAY = Doubt(None, "102", "has no time of day, which an instant needs", "impossible-date")
HOURS_ALONE = "has hours without minutes, which FHIR cannot say: the date is kept"
FULL = len("2018-05-09T00:00:00+08:00")


def dtm_date(repetition: Repetition) -> str | Doubt | None:
    """DTM to date."""
    text = part(repetition, 1)
    return (times.fhir_date(text) or IMPOSSIBLE) if text else None


def bind_datetime(site: Site, _paths: tuple[str, ...] = ()) -> Bound:
    """DTM to dateTime in the zone of the site."""
    zone = site.timezone

    def dtm_datetime(repetition: Repetition) -> str | Doubt | None:
        text = part(repetition, 1)
        if not text:
            return None
        made = times.fhir_datetime(text, zone)
        if made is None:
            return IMPOSSIBLE
        return Doubt(made, "102", HOURS_ALONE, "precision-lost") if times.whole_hours(text) else made

    return dtm_datetime


def _bind_instant(site: Site, _paths: tuple[str, ...]) -> Bound:
    zone = site.timezone

    def dtm_instant(repetition: Repetition) -> str | Doubt | None:
        text = part(repetition, 1)
        if not text:
            return None
        made = times.fhir_datetime(text, zone)
        if made is None:
            return IMPOSSIBLE
        return made if "T" in made else NO_TIME_OF_DAY

    return dtm_instant


def period(start: str, end: str, zone: tzinfo) -> dict[str, str] | Doubt | None:
    """Two DTM texts to a Period; what is no date, or ends before it starts, is left out and doubted."""
    texts = {name: text for name, text in (("start", start), ("end", end)) if text}
    made = {name: times.fhir_datetime(text, zone) for name, text in texts.items()}
    found = {name: text for name, text in made.items() if text}
    if len(found) < len(made):
        return IMPOSSIBLE.of(found or None)
    if len(found) == 2 and _backwards(texts, found, zone):
        # FHIR per-1 refuses such a period; the start is the half that other facts hang on (E32)
        return Doubt({"start": found["start"]}, "102", "ends before it starts: end left out", "end-before-start")
    return _comparable(found) or None


def _comparable(found: dict[str, str]) -> dict[str, str] | Doubt:
    """FHIR per-1 asks whether the start is before the end: nobody can say it of 2024-03 and 2024."""
    start, end = found.get("start", ""), found.get("end", "")
    if end and len(end) < min(len(start), FULL) and start.startswith(end):
        text = "start is more precise than end, which FHIR cannot compare: its precision is cut"
        return Doubt({"start": end, "end": end}, "102", text, "precision-lost")
    return found


def validity(repetition: Repetition, within: int, start: int, end: int, zone: tzinfo) -> dict[str, str] | Doubt | None:
    """When a name, an address or a number holds: a DR in component `within` (0: none), else two components."""
    ranged = (part(repetition, within, 1), part(repetition, within, 2)) if within else ("", "")
    return period(ranged[0] or part(repetition, start), ranged[1] or part(repetition, end), zone)


def with_period(made: dict[str, Any], found: dict[str, str] | Doubt | None) -> dict[str, Any] | Doubt:
    """What was made, with its `period`, and with the doubt about it."""
    value = without_doubt(found)
    whole = made | {"period": value} if value else made
    return doubted_as(found, whole)


def _bind_period(site: Site, _paths: tuple[str, ...]) -> Bound:
    zone = site.timezone

    def dr_period(start: Field, end: Field) -> dict[str, str] | Doubt | None:
        return period(first(start), first(end), zone)

    return dr_period


def _bind_range(site: Site, _paths: tuple[str, ...]) -> Bound:
    zone = site.timezone

    def dr_range(repetition: Repetition) -> dict[str, str] | Doubt | None:
        return period(part(repetition, 1), part(repetition, 2), zone)

    return dr_range


def _bind_birth_time(site: Site, _paths: tuple[str, ...]) -> Bound:
    """PID-7 with a time of day; a date alone gives nothing."""
    zone = site.timezone

    def dtm_birth_time(repetition: Repetition) -> str | None:
        return times.fhir_instant(part(repetition, 1), zone)

    return dtm_birth_time


def _backwards(texts: dict[str, str], period: dict[str, str], zone: tzinfo) -> bool:
    """Whether the end is before the start, as far as both are known."""
    length = min(len(period["start"]), len(period["end"]))
    if length < FULL:
        return period["end"][:length] < period["start"][:length]
    return times.order_key(texts["end"], zone) < times.order_key(texts["start"], zone)


CONVERTERS = (
    Converter("DTM-date", "date", plain(dtm_date), reads=frozenset({1})),
    Converter("DTM-dateTime", "dateTime", bind_datetime, reads=frozenset({1})),
    Converter("DTM-instant", "instant", _bind_instant, reads=frozenset({1})),
    Converter("DTM-timeOfBirth", "dateTime", _bind_birth_time, reads=frozenset({1})),
    Converter("DR-DateRange", "Period", _bind_range, reads=frozenset({1, 2})),
    Converter("DR-Period", "Period", _bind_period, sources=2, reads=frozenset({1}), parts=("start", "end")),
)
