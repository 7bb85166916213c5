"""SCH, AIS, AIG, AIL, AIP: appointments, their times and who takes part.

v2-to-FHIR guide: SCH[Appointment], TQ[Appointment], AIS[Appointment], AIG[Appointment], AIL[Appointment],
AIP[Appointment], PID[Appointment].
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from adapter.hl7v2.message import Field, Repetition, Segment
from adapter.mapper import times
from adapter.mapper.datatypes import places, xcn
from adapter.mapper.datatypes.converter import Bound, Converter, first
from adapter.mapper.datatypes.cq import TIME_UNITS
from adapter.mapper.datatypes.cwe import Concepts, TableCodes, codings_of
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.datatypes.dtm import IMPOSSIBLE, NO_TIME_OF_DAY
from adapter.mapper.datatypes.event_status import ended
from adapter.mapper.datatypes.nm import measured
from adapter.mapper.sites import Site

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_LONGEST = 366 * 86_400
_REMOVED = "D"
"""HL7 table 0206: the resource no longer belongs to the appointment."""

NO_MINUTES = Doubt(None, "103", "duration is in no known unit of time, or no whole minutes", "duration")
BACKWARDS = Doubt(None, "102", "ends before it starts: end left out", "end-before-start")

Actor = Callable[[Segment], dict[str, Any] | None]


def _seconds(number: Field, unit: Field) -> int | None:
    """Number and unit of a duration; None where the number is none or the unit unknown. No unit is minutes (SCH-10)."""
    found = measured(first(number))
    code = next((code for at in (1, 2) if (code := TIME_UNITS.get(first(unit, at).lower()))), "" if unit else "min")
    if found is None or code not in _SECONDS:
        return None
    seconds = int(found.value * _SECONDS[code])
    return seconds if 0 < seconds < _LONGEST else None


def _bind_cancelation(site: Site, paths: tuple[str, ...]) -> Bound:
    """SCH-6 tells why the event happened: the reason of a cancellation where the event is one (app-4)."""
    concepts, by_event = Concepts(site, paths[0]), TableCodes(site, "event-appointment-status")

    def cancelation_reason(reason: Field, event: Field) -> dict[str, Any] | Doubt | None:
        return concepts.concept(reason[0]) if reason and ended(by_event, event) == "cancelled" else None

    return cancelation_reason


def _bind_start(site: Site, _paths: tuple[str, ...]) -> Bound:
    """SCH-11.4, TQ1-7 or AIS-4, the first that is sent."""
    zone = site.timezone

    def appointment_start(quantity: Field, timing: Field, service: Field) -> str | Doubt | None:
        text = first(quantity, 4) or first(timing) or first(service)
        if not text:
            return None
        return times.fhir_instant(text, zone) or (NO_TIME_OF_DAY if times.fhir_date(text) else IMPOSSIBLE)

    return appointment_start


def _bind_end(site: Site, paths: tuple[str, ...]) -> Bound:
    """SCH-11.5 or TQ1-8, else the start with the duration of SCH-9 or AIS-7."""
    zone, begin = site.timezone, _bind_start(site, paths)

    def appointment_end(*fields: Field) -> str | Doubt | None:
        quantity, timing, until, lasts, lasts_unit, service, takes, takes_unit = fields
        start = without_doubt(begin(quantity, timing, service))
        if text := first(quantity, 5) or first(until):
            end = times.fhir_instant(text, zone)
            if end and start and datetime.fromisoformat(end) < datetime.fromisoformat(start):
                return BACKWARDS
            return end or (NO_TIME_OF_DAY if times.fhir_date(text) else IMPOSSIBLE)
        seconds = _seconds(lasts, lasts_unit) or _seconds(takes, takes_unit)
        return _later(start, seconds) if start and seconds else None

    return appointment_end


def _bind_minutes(_site: Site, _paths: tuple[str, ...]) -> Bound:
    def minutes(number: Field, unit: Field) -> int | Doubt | None:
        if not first(number):
            return None
        seconds = _seconds(number, unit)
        return NO_MINUTES if seconds is None or seconds % 60 else seconds // 60

    return minutes


def _later(instant: str, seconds: int) -> str:
    moment = datetime.fromisoformat(instant)
    return (moment + timedelta(seconds=seconds)).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def _bind_patient(_site: Site, _paths: tuple[str, ...]) -> Bound:
    def patient(identifiers: Field) -> dict[str, Any] | None:
        """What stands beside the patient: v2 tells no answer of theirs, the appointment is made for them."""
        return {"status": "accepted"} if first(identifiers) else None

    return patient


def _bind_contacts(site: Site, paths: tuple[str, ...]) -> Bound:
    """SCH-12 and SCH-16, who is asked about the appointment, and SCH-20, who entered it."""
    reference = xcn.bind_reference(site, paths)
    kinds = (
        {"text": "placer contact"},
        {"text": "filler contact"},
        {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": "enterer"}
            ]
        },
    )

    def contacts(*fields: Field) -> list[dict[str, Any]] | None:
        made = [
            {"type": [kind], "actor": actor, "status": "accepted"}
            for kind, field in zip(kinds, fields, strict=True)
            for one in field
            if (actor := reference(one))
        ]
        return made or None

    return contacts


class _Resources:
    """Segments of one kind that each name a resource of the appointment.

    `at` are the fields: action, resource, kind, start, offset, its unit, duration, its unit, filler status.
    """

    def __init__(self, site: Site, name: str, at: Sequence[int], actor: Actor) -> None:
        self._zone, self._actor = site.timezone, actor
        self._kinds = Concepts(site, f"{name}-{at[2]}")
        self._statuses = TableCodes(site, "0278-participation-status")
        self._begin = _bind_start(site, ())
        self._at = at

    def participants(self, segments: tuple[Segment, ...], quantity: Field, timing: Field) -> Any:
        """Those that still belong to the appointment."""
        base = without_doubt(self._begin(quantity, timing, ()))
        doubts: list[Doubt] = []
        made: list[dict[str, Any]] = []
        for segment in segments:
            actor = self._actor(segment) if segment.raw(self._at[0]) != _REMOVED else None
            if actor:
                made.append(self._participant(segment, actor, base, doubts))
        last = doubts[-1] if doubts else None
        return last.of(made) if last and made else made or None

    def _participant(self, segment: Segment, actor: dict[str, Any], base: str | None, doubts: list[Doubt]) -> Any:
        kind, status = segment.field(self._at[2]), segment.field(self._at[8])
        sent = self._kinds.concept(kind[0]) if kind else None
        said = self._statuses.code(status[0]) if status else None
        period = self._period(segment, base)
        doubts += [one for one in (sent, said, period) if isinstance(one, Doubt)]
        made: dict[str, Any] = {"type": [without_doubt(sent)]} if without_doubt(sent) else {}
        made |= {"actor": actor, "status": without_doubt(said) or "accepted"}
        return made | {"period": without_doubt(period)} if without_doubt(period) else made

    def _period(self, segment: Segment, base: str | None) -> dict[str, str] | Doubt | None:
        """Its own start, else that of the appointment with an offset; its end by its duration."""
        start, offset, offset_unit, lasts, lasts_unit = (segment.field(number) for number in self._at[3:8])
        if text := first(start):
            began = times.fhir_datetime(text, self._zone)
            if began is None:
                return IMPOSSIBLE
        else:
            shift = _seconds(offset, offset_unit)
            began = _later(base, shift) if base and shift else None
        if began is None:
            return None
        seconds = _seconds(lasts, lasts_unit)
        return {"start": began, "end": _later(began, seconds)} if seconds and "T" in began else {"start": began}


def _bind_general(site: Site, _paths: tuple[str, ...]) -> Bound:
    """AIG: a thing or a group, named by a code; of what kind it is, AIG-4 says in words and codes of its own."""
    concepts = Concepts(site, "AIG-3")

    def actor(segment: Segment) -> dict[str, Any] | None:
        sent = segment.field(3)
        made = concepts.concept(sent[0]) if sent else None
        found = codings_of(made)
        if not found:
            return {"display": without_doubt(made)["text"]} if without_doubt(made) else None
        coding = found[0]
        known = {name: coding[source] for name, source in (("system", "system"), ("value", "code")) if source in coding}
        return {"identifier": known} | ({"display": coding["display"]} if "display" in coding else {})

    return _Resources(site, "AIG", (2, 3, 4, 8, 9, 10, 11, 12, 14), actor).participants


def _bind_place(site: Site, paths: tuple[str, ...]) -> Bound:
    place = places.bind_reference(site, paths)

    def actor(segment: Segment) -> dict[str, Any] | None:
        sent: Sequence[Repetition] = segment.field(3)
        return place(sent[0]) if sent else None

    return _Resources(site, "AIL", (2, 3, 4, 6, 7, 8, 9, 10, 12), actor).participants


def _bind_person(site: Site, paths: tuple[str, ...]) -> Bound:
    reference = xcn.bind_reference(site, paths)

    def actor(segment: Segment) -> dict[str, Any] | None:
        sent = segment.field(3)
        return reference(sent[0]) if sent else None

    return _Resources(site, "AIP", (2, 3, 4, 6, 7, 8, 9, 10, 12), actor).participants


def _bind_services(site: Site, _paths: tuple[str, ...]) -> Bound:
    """AIS: the services of the appointment."""
    concepts = Concepts(site, "AIS-3")

    def services(segments: tuple[Segment, ...]) -> Any:
        kept = [one for segment in segments if segment.raw(2) != _REMOVED for one in segment.field(3)]
        made = [concepts.concept(one) for one in kept]
        found = [value for one in made if (value := without_doubt(one))]
        doubt = next((one for one in made if isinstance(one, Doubt)), None)
        return doubt.of(found) if doubt and found else found or None

    return services


_BACKBONE, _TIMED = "BackboneElement", 3
CONVERTERS = (
    Converter("CWE-MSG-cancelationReason", "CodeableConcept", _bind_cancelation, sources=2),
    Converter("TQ-DTM-appointmentStart", "instant", _bind_start, sources=3, reads=frozenset({1, 4})),
    Converter("TQ-DTM-appointmentEnd", "instant", _bind_end, sources=8, reads=frozenset({1, 2, 4, 5})),
    Converter("NM-CWE-minutes", "positiveInt", _bind_minutes, sources=2, reads=frozenset({1, 2})),
    Converter("CX-AppointmentPatient", _BACKBONE, _bind_patient, sources=1, whole=True, reads=frozenset({1})),
    Converter("XCN-AppointmentContact", _BACKBONE, _bind_contacts, sources=3, reads=xcn.READS),
    Converter(
        "AIG-AppointmentParticipant", _BACKBONE, _bind_general, sources=_TIMED, fields=(2, 3, 4, *range(8, 13), 14)
    ),
    Converter(
        "AIL-AppointmentParticipant", _BACKBONE, _bind_place, sources=_TIMED, fields=(2, 3, 4, *range(6, 11), 12)
    ),
    Converter(
        "AIP-AppointmentParticipant", _BACKBONE, _bind_person, sources=_TIMED, fields=(2, 3, 4, *range(6, 11), 12)
    ),
    Converter("AIS-serviceType", "CodeableConcept", _bind_services, sources=0, fields=(2, 3)),
)
