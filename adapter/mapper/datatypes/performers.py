"""Who did it: performers with their function, of the types that have an element of their own for it.

v2-to-FHIR guide: RXA[Immunization], ORC[Immunization], OBR[DiagnosticReport], NDL[PractitionerRole],
OBX[Observation], ORC[Provenance], PRT[PractitionerRole].
"""

from functools import partial
from typing import Any

from adapter.hl7v2.message import Field, Repetition, Segment
from adapter.mapper.codes import HL7_TABLE, Coding
from adapter.mapper.datatypes.converter import Bound, Converter
from adapter.mapper.datatypes.cq import components
from adapter.mapper.datatypes.cwe import BY, Concepts
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.datatypes.xcn import READS, bind_reference, performer
from adapter.mapper.sites import Site

FUNCTION = "http://hl7.org/fhir/StructureDefinition/event-performerFunction"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
PROVENANCE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
PARTICIPATIONS = "0912-participation"
ROLE = f"{HL7_TABLE}0443"

ADMINISTERING = Coding(system=ROLE, code="AP", display="Administering Provider")
ORDERING = Coding(system=ROLE, code="OP", display="Ordering Provider")
TECHNICIAN = Coding(system=PARTICIPATION, code="SPRF", display="secondary performer")
TRANSCRIBER = Coding(system=PARTICIPATION, code="TRANS", display="Transcriber")
ENTERER = Coding(system=PROVENANCE, code="enterer", display="Enterer")
VERIFIER = Coding(system=PROVENANCE, code="verifier", display="Verifier")
AUTHOR = Coding(system=PROVENANCE, code="author", display="Author")
PERFORMER = Coding(system=PROVENANCE, code="performer", display="Performer")


def _bind_named(site: Site, paths: tuple[str, ...], function: Coding | None) -> Bound:
    """NDL: the person stands in the subcomponents of its first component (CNN)."""
    reference = bind_reference(site, paths)

    def ndl_reference(repetition: Repetition) -> dict[str, Any] | None:
        name = components(repetition[0])
        made = reference(name[0]) if name else None
        if not made or not function:
            return made
        return {"extension": [{"url": FUNCTION, "valueCodeableConcept": {"coding": [function]}}], **made}

    return ndl_reference


def _bind_agents(site: Site, paths: tuple[str, ...]) -> Bound:
    """Enterer, verifier, author and who acted, in the order of the fields of ORC."""
    reference = bind_reference(site, paths)
    kinds = (ENTERER, VERIFIER, AUTHOR, PERFORMER)

    def agents(*fields: Field) -> list[dict[str, Any]] | None:
        made = [
            {"type": {"coding": [kind]}, "who": who}
            for kind, field in zip(kinds, fields, strict=True)
            for one in field
            if (who := reference(one))
        ]
        return made or None

    return agents


def _bind_participants(site: Site, _paths: tuple[str, ...], *, named: bool) -> Bound:
    """PRT: the persons (PRT-5) that take part; where it is `named`, with the role (PRT-4) as their function."""
    reference, roles = bind_reference(site), Concepts(site, f"PRT-4{BY}{PARTICIPATIONS}")

    def participants(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | Doubt | None:
        made: list[dict[str, Any]] = []
        doubts: list[Doubt] = []
        for segment in segments:
            if segment.raw(2) == "D":
                continue
            role = roles.concept(segment.field(4)[0]) if named and segment.raw(4) else None
            doubts += [role] if isinstance(role, Doubt) else []
            known = without_doubt(role)
            function = {"extension": [{"url": FUNCTION, "valueCodeableConcept": known}]} if known else {}
            made += [{**function, **who} for one in segment.field(5) if (who := reference(one))]
        return doubts[0].of(made or None) if doubts else made or None

    return participants


def _named(name: str, function: Coding | None) -> Converter:
    return Converter(name, "Reference", partial(_bind_named, function=function), reads=frozenset({1}))


CONVERTERS = (
    performer("XCN-ImmunizationAdministrator", {"coding": [ADMINISTERING]}),
    performer("XCN-ImmunizationOrderer", {"coding": [ORDERING]}),
    performer("XCN-MedicationDispensePerformer"),
    _named("NDL-Reference", None),
    _named("NDL-TechnicianReference", TECHNICIAN),
    _named("NDL-TranscriptionistReference", TRANSCRIBER),
    Converter("XCN-ProvenanceAgent", "BackboneElement", _bind_agents, sources=4, reads=READS),
    Converter("PRT-Performer", "Reference", partial(_bind_participants, named=True), sources=0, fields=(2, 4, 5)),
    Converter("PRT-Reference", "Reference", partial(_bind_participants, named=False), sources=0, fields=(2, 5)),
)
