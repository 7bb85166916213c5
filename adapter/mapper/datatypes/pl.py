"""PL: where a patient is, as an item of Encounter.location. v2-to-FHIR guide: PV1[Encounter], PV1-3; PL[Location]."""

from typing import Any

from adapter.hl7v2.message import Field, Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, first, part
from adapter.mapper.datatypes.cx import identifier
from adapter.mapper.datatypes.doubt import without_doubt
from adapter.mapper.datatypes.dtm import bind_datetime
from adapter.mapper.sites import Site

MOVES = "event-location-status"
"""The table of events that bring a patient to a place, with the status of the place afterwards."""


def _located(site: Site) -> Bound:
    """Ward, room and bed in one site-scoped identifier; no resource is made of a place."""
    table = site.identifiers.of_field("PL")

    def pl_location(repetition: Repetition) -> dict[str, Any] | None:
        place = [text for text in (part(repetition, number) for number in (1, 2, 3)) if text]
        if not place:
            return None
        made = without_doubt(identifier(table, "/".join(place)))
        return {"location": {"type": "Location", "identifier": made, "display": " ".join(place)}}

    return pl_location


def _bind_stay(site: Site, _paths: tuple[str, ...]) -> Bound:
    """PV1-3 with the event and its times: the place has a beginning where the event brings the patient there."""
    location, moment = _located(site), bind_datetime(site)
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


CONVERTERS = (Converter("PL-EncounterStay", "BackboneElement", _bind_stay, sources=4, reads=frozenset({1, 2, 3, 4})),)
