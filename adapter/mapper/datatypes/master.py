"""STF, PRA, ORG, LOC, LRL: master files of staff and places. The guide has none of them; project decisions."""

from typing import Any

from adapter.hl7v2.message import Repetition, Segment
from adapter.mapper.datatypes import places
from adapter.mapper.datatypes.converter import Bound, Converter, first, part, plain
from adapter.mapper.datatypes.cx import field_of, identifier
from adapter.mapper.datatypes.doubt import Doubt, doubted_as, without_doubt
from adapter.mapper.datatypes.dtm import bind_datetime
from adapter.mapper.sites import Site

PARENT = "PAR"
"""HL7 table 0325: the location is a part of the other."""


def st_email(repetition: Repetition) -> dict[str, str] | None:
    """STF-15 to ContactPoint."""
    value = part(repetition, 1)
    return {"system": "email", "value": value} if value else None


def _bind_pln(site: Site, paths: tuple[str, ...]) -> Bound:
    """PLN to Identifier, as long as it holds. v2-to-FHIR guide: PLN[Identifier]."""
    table, moment = site.identifiers.of_field(field_of(paths[0])), bind_datetime(site)

    def pln_identifier(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        made = identifier(table, part(repetition, 1), authorities=(part(repetition, 3),), type_code=part(repetition, 2))
        found = without_doubt(made)
        until = without_doubt(moment(((part(repetition, 4),),)))
        if not found or not until:
            return made
        found = {**found, "period": {"end": until}}
        return doubted_as(made, found)

    return pln_identifier


def spd_concept(repetition: Repetition) -> dict[str, str] | None:
    """SPD to CodeableConcept: the name of the specialty."""
    name = part(repetition, 1)
    return {"text": name} if name else None


def _bind_part_of(site: Site, paths: tuple[str, ...]) -> Bound:
    place = places.bind_reference(site, paths)

    def part_of(segments: tuple[Segment, ...]) -> dict[str, Any] | None:
        """LRL-6 of the relationship to the parent."""
        parents = (one.field(6) for one in segments if first(one.field(4)) == PARENT and one.raw(2) != "D")
        return next((place(field[0]) for field in parents if field), None)

    return part_of


CONVERTERS = (
    Converter("ST-Email", "ContactPoint", plain(st_email), reads=frozenset({1})),
    Converter("PLN-Identifier", "Identifier", _bind_pln, reads=frozenset({1, 2, 3, 4})),
    Converter("SPD-CodeableConcept", "CodeableConcept", plain(spd_concept), reads=frozenset({1})),
    Converter("LRL-partOf", "Reference", _bind_part_of, sources=0, fields=(2, 4, 6)),
)
