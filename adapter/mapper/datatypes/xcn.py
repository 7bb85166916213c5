"""XCN: staff, referred to by identifier and name; no resource is made of them. v2-to-FHIR guide: XCN[Practitioner]."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from adapter.hl7v2.message import Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, part
from adapter.mapper.datatypes.cx import identifier
from adapter.mapper.datatypes.doubt import without_doubt
from adapter.mapper.datatypes.xpn import ideographic
from adapter.mapper.sites import Site

PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
PARTICIPANTS = {
    "Participant": ("ATND", "attender"),
    "Referrer": ("REF", "referrer"),
    "Consultant": ("CON", "consultant"),
    "Admitter": ("ADM", "admitter"),
    "OtherParticipant": ("PART", "Participation"),
}
"""v2-to-FHIR guide: PV1[Encounter], PV1-7, 8, 9, 17 and 52; PV2[Encounter], PV2-13."""
FUNCTIONS = {"Anesthesiologist": "anesthesiologist", "Surgeon": "surgeon"}
"""v2-to-FHIR guide: PR1[Procedure], PR1-8 and PR1-11; its SNOMED CT codes are not among the verified ones."""
READS = frozenset({*range(1, 8), 9, 13})


def bind_reference(site: Site, _paths: tuple[str, ...] = ()) -> Bound:
    """XCN to Reference(Practitioner). A site whose identifiers.csv has no row for XCN sends names in XCN.1."""
    table = site.identifiers.of_field("XCN")
    numbered = any(row.field == "XCN" for row in table.rows)

    def xcn_reference(repetition: Repetition) -> dict[str, Any] | None:
        number, name = part(repetition, 1), _name(repetition)
        if not numbered and not part(repetition, 2):
            number, name = "", name or number
        made: dict[str, Any] = {"type": "Practitioner"}
        if number:
            authorities = (part(repetition, 9), part(repetition, 9, 2))
            known = identifier(table, number, authorities=authorities, type_code=part(repetition, 13))
            made["identifier"] = without_doubt(known)
        if name:
            made["display"] = name
        return made if number or name else None

    return xcn_reference


def _name(repetition: Repetition) -> str:
    """Prefix, name, suffix and degree as one text."""
    family = part(repetition, 2)
    given = [text for text in (part(repetition, 3), part(repetition, 4)) if text]
    name = family + "".join(given) if ideographic(family) else " ".join([*given, family]).strip()
    around = (part(repetition, 6), name, part(repetition, 5), part(repetition, 7))
    return " ".join(text for text in around if text)


def _bind_participant(site: Site, paths: tuple[str, ...], *, role: str) -> Bound:
    reference = bind_reference(site, paths)
    code, display = PARTICIPANTS[role]
    kind = [{"coding": [{"system": PARTICIPATION, "code": code, "display": display}]}]

    def xcn_participant(repetition: Repetition) -> dict[str, Any] | None:
        made = reference(repetition)
        return {"type": kind, "individual": made} if made else None

    return xcn_participant


def performer(name: str, function: Mapping[str, Any] | None = None) -> Converter:
    """XCN to the `performer` of a resource: `actor`, and the function (a CodeableConcept) in which all act."""
    stated = {"function": function} if function else {}

    def bind(site: Site, paths: tuple[str, ...]) -> Bound:
        reference = bind_reference(site, paths)

        def xcn_performer(repetition: Repetition) -> dict[str, Any] | None:
            made = reference(repetition)
            return {**stated, "actor": made} if made else None

        return xcn_performer

    return Converter(name, "BackboneElement", bind, reads=READS)


CONVERTERS = (
    Converter("XCN-Reference", "Reference", bind_reference, reads=READS),
    *(
        Converter(f"XCN-Encounter{role}", "BackboneElement", partial(_bind_participant, role=role), reads=READS)
        for role in PARTICIPANTS
    ),
    performer("XCN-MedicationAdministrationPerformer"),
    performer("XCN-ProcedurePerformer"),
    *(performer(f"XCN-Procedure{role}", {"text": function}) for role, function in FUNCTIONS.items()),
)
