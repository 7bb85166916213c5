"""PL, DLD: places, referred to by identifier and name. v2-to-FHIR guide: PL[Location], DLD[Location-Discharge].

The guide makes a Location of every level; here a place is one site-scoped identifier of ward, room and bed.
"""

from functools import partial
from typing import Any

from adapter.hl7v2.message import Field, Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, first, part
from adapter.mapper.datatypes.cx import identifier
from adapter.mapper.datatypes.doubt import without_doubt
from adapter.mapper.datatypes.dtm import bind_datetime
from adapter.mapper.identity import IdentifierTable
from adapter.mapper.sites import Site

STATUSES = {"Active": "active", "Left": "completed", "Reserved": "reserved", "Planned": "planned"}
"""v2-to-FHIR guide: PV1[Encounter], PV1-11, 6, 42; PV2[Encounter], PV2-1."""
READS = frozenset({1, 2, 3, 4, 7, 8, 9, 10})
MOVES = "event-location-status"
"""The table of events that bring a patient to a place, with the status of the place afterwards."""


def _identifier(table: IdentifierTable, repetition: Repetition) -> dict[str, Any] | None:
    """Ward, room and bed; of a place without these its comprehensive identifier (PL.10), else its facility."""
    place = [text for number in (1, 2, 3) if (text := part(repetition, number))]
    value = "/".join(place) or part(repetition, 10) or part(repetition, 4)
    return without_doubt(identifier(table, value))


def _display(repetition: Repetition) -> str:
    """The description, else building, floor, ward, room and bed."""
    named = [text for number in (7, 8, 1, 2, 3) if (text := part(repetition, number))]
    return part(repetition, 9) or " ".join(named) or part(repetition, 4)


def bind_reference(site: Site, _paths: tuple[str, ...] = ()) -> Bound:
    """PL to Reference(Location)."""
    table = site.identifiers.of_field("PL")

    def pl_reference(repetition: Repetition) -> dict[str, Any] | None:
        known = _identifier(table, repetition)
        return {"type": "Location", "identifier": known, "display": _display(repetition)} if known else None

    return pl_reference


def _bind_identifier(site: Site, _paths: tuple[str, ...]) -> Bound:
    table = site.identifiers.of_field("PL")

    def pl_identifier(repetition: Repetition) -> dict[str, Any] | None:
        return _identifier(table, repetition)

    return pl_identifier


def _bind_name(_site: Site, _paths: tuple[str, ...]) -> Bound:
    def pl_name(repetition: Repetition) -> str | None:
        return _display(repetition) or None

    return pl_name


def _bind_location(site: Site, paths: tuple[str, ...], *, status: str = "") -> Bound:
    """Encounter.location."""
    reference = bind_reference(site, paths)
    fixed = {"status": status} if status else {}

    def pl_location(repetition: Repetition) -> dict[str, Any] | None:
        place = reference(repetition)
        return {"location": place, **fixed} if place else None

    return pl_location


def _bind_stay(site: Site, paths: tuple[str, ...]) -> Bound:
    """PV1-3 with the event and its times: the place has a beginning where the event brings the patient there."""
    location, moment = _bind_location(site, paths[:1]), bind_datetime(site)
    moves = site.table(MOVES)

    def pl_stay(place: Field, event: Field, occurred: Field, recorded: Field) -> dict[str, Any] | None:
        made = location(place[0]) if place else None
        row = moves.get(first(event, 2))
        if not made or not row or not row.targets:
            return made
        made["status"] = row.targets[0]["code"]
        when = occurred or recorded
        start = without_doubt(moment(when[0])) if when else None
        return {**made, "period": {"start": start}} if start else made

    return pl_stay


def _bind_discharged_to(site: Site, _paths: tuple[str, ...]) -> Bound:
    """DLD: a place that is known by its code alone."""
    table = site.identifiers.of_field("PL")

    def dld_reference(repetition: Repetition) -> dict[str, Any] | None:
        code, text = part(repetition, 1), part(repetition, 1, 2)
        if not code:
            return None
        return {
            "type": "Location",
            "identifier": without_doubt(identifier(table, code)),
            "display": text or code,
        }

    return dld_reference


CONVERTERS = (
    Converter("PL-EncounterStay", "BackboneElement", _bind_stay, sources=4, reads=READS),
    Converter("PL-Reference", "Reference", bind_reference, reads=READS),
    Converter("PL-Identifier", "Identifier", _bind_identifier, reads=READS),
    Converter("PL-string", "string", _bind_name, reads=READS),
    Converter("PL-EncounterLocation", "BackboneElement", _bind_location, reads=READS),
    *(
        Converter(f"PL-EncounterLocation{name}", "BackboneElement", partial(_bind_location, status=status), reads=READS)
        for name, status in STATUSES.items()
    ),
    Converter("DLD-Reference", "Reference", _bind_discharged_to, reads=frozenset({1, 2})),
)
