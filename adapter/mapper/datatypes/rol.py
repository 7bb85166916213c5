"""ROL, PRT: who takes part. v2-to-FHIR guide: ROL[Encounter-PractitionerRole], PRT[Patient-GeneralPractitioner].

A role belongs to the segment that it follows (`plan.py`). One that is taken away again (ROL-2, PRT-2) is left out.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from adapter.hl7v2.message import Repetition, Segment
from adapter.mapper.datatypes.converter import Bound, Converter, first
from adapter.mapper.datatypes.cwe import BY, Concepts
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.datatypes.dtm import period
from adapter.mapper.datatypes.xcn import bind_reference
from adapter.mapper.datatypes.xon import bind_organization
from adapter.mapper.sites import Site

GONE = frozenset({"D", "DE"})
"""HL7 tables 0206 and 0287."""
PRIMARY_CARE = frozenset({"PP", "FHCP"})
"""HL7 tables 0443 and 0912."""
NOT_PRIMARY_CARE = Doubt(
    None, "103", "role of a person in the patient's care, for which FHIR has no element", "role-lost"
)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a segment holds action, role, person, organization, begin and end, and the table of its roles."""

    action: int
    role: int
    person: int
    organization: int
    begin: int
    end: int
    table: str

    @property
    def fields(self) -> tuple[int, ...]:
        """What is read, for the ledger."""
        return self.action, self.role, self.person, self.organization, self.begin, self.end


LAYOUTS = {
    "ROL": _Layout(2, 3, 4, 14, 5, 6, "0443-provider-role"),
    "PRT": _Layout(2, 4, 5, 8, 11, 12, "0912-participation"),
}


class _Role:
    """Reads one segment of a kind for one site."""

    def __init__(self, site: Site, name: str) -> None:
        self.layout = layout = LAYOUTS[name]
        self.concept = Concepts(site, f"{name}-{layout.role}{BY}{layout.table}").concept
        self.person, self.organization, self.zone = bind_reference(site), bind_organization(site), site.timezone

    def gone(self, segment: Segment) -> bool:
        """Whether the segment takes a role away."""
        return first(segment.field(self.layout.action)) in GONE

    def people(self, segment: Segment) -> list[dict[str, Any]]:
        """Who: the persons, else the organization."""
        persons = [one for repetition in segment.field(self.layout.person) if (one := self.person(repetition))]
        organizations: list[Repetition] = [*segment.field(self.layout.organization)]
        return persons or [one for repetition in organizations if (one := self.organization(repetition))]

    def kind(self, segment: Segment) -> dict[str, Any] | None:
        """The role."""
        role = segment.field(self.layout.role)
        return without_doubt(self.concept(role[0])) if role else None

    def when(self, segment: Segment) -> dict[str, Any]:
        """The period, if there is one."""
        begin, end = (first(segment.field(number)) for number in (self.layout.begin, self.layout.end))
        found = without_doubt(period(begin, end, self.zone))
        return {"period": found} if found else {}


def _bind_participants(site: Site, _paths: tuple[str, ...], *, name: str) -> Bound:
    role = _Role(site, name)

    def participants(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | None:
        made: list[dict[str, Any]] = []
        for segment in segments:
            kind = role.kind(segment)
            for person in () if role.gone(segment) else role.people(segment):
                # R4 lets only persons take part in an Encounter; an organization has no place there.
                if person["type"] == "Practitioner":
                    made.append({**({"type": [kind]} if kind else {}), **role.when(segment), "individual": person})
        return made or None

    return participants


def _bind_performers(site: Site, _paths: tuple[str, ...], *, name: str) -> Bound:
    role = _Role(site, name)

    def performers(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | None:
        made: list[dict[str, Any]] = []
        for segment in segments:
            kind = role.kind(segment)
            for person in () if role.gone(segment) else role.people(segment):
                made.append({**({"function": kind} if kind else {}), "actor": person})
        return made or None

    return performers


def _bind_general(site: Site, _paths: tuple[str, ...], *, name: str) -> Bound:
    """The general practitioner; any other role in the care of a person is told."""
    role = _Role(site, name)

    def general_practitioners(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | Doubt | None:
        here = [segment for segment in segments if not role.gone(segment)]
        primary = [segment for segment in here if first(segment.field(role.layout.role)) in PRIMARY_CARE]
        made = [person for segment in primary for person in role.people(segment)] or None
        if len(primary) < len(here):
            return NOT_PRIMARY_CARE.of(made)
        return made

    return general_practitioners


CONVERTERS = tuple(
    Converter(f"{name}-{kind}", makes, partial(bind, name=name), sources=0, fields=layout.fields)
    for name, layout in LAYOUTS.items()
    for kind, makes, bind in (
        ("EncounterParticipant", "BackboneElement", _bind_participants),
        ("ProcedurePerformer", "BackboneElement", _bind_performers),
        ("GeneralPractitioner", "Reference", _bind_general),
    )
)
