"""XCN: staff, referred to by identifier and name; no resource is made of them."""

from typing import Any

from adapter.hl7v2.message import Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, part
from adapter.mapper.datatypes.cx import identifier
from adapter.mapper.datatypes.doubt import without_doubt
from adapter.mapper.datatypes.xpn import ideographic
from adapter.mapper.sites import Site

ATTENDER = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
    "code": "ATND",
    "display": "attender",
}


def _bind_reference(site: Site, _paths: tuple[str, ...]) -> Bound:
    """XCN to Reference(Practitioner). A site whose identifiers.csv has no row for XCN sends names in XCN.1."""
    table = site.identifiers.of_field("XCN")
    numbered = any(row.field == "XCN" for row in table.rows)

    def xcn_reference(repetition: Repetition) -> dict[str, Any] | None:
        number, family = part(repetition, 1), part(repetition, 2)
        given = [text for text in (part(repetition, 3), part(repetition, 4)) if text]
        name = family + "".join(given) if ideographic(family) else " ".join([*given, family]).strip()
        if not numbered:
            number, name = "", name or number
        made: dict[str, Any] = {"type": "Practitioner"}
        if number:
            authorities = (part(repetition, 9), part(repetition, 9, 2))
            made["identifier"] = without_doubt(identifier(table, number, authorities=authorities))
        if name:
            made["display"] = name
        return made if number or name else None

    return xcn_reference


def _bind_participant(site: Site, paths: tuple[str, ...]) -> Bound:
    """v2-to-FHIR guide: PV1[Encounter], PV1-7."""
    reference = _bind_reference(site, paths)

    def xcn_participant(repetition: Repetition) -> dict[str, Any] | None:
        made = reference(repetition)
        return {"type": [{"coding": [ATTENDER]}], "individual": made} if made else None

    return xcn_participant


def _bind_performer(site: Site, paths: tuple[str, ...]) -> Bound:
    reference = _bind_reference(site, paths)

    def xcn_performer(repetition: Repetition) -> dict[str, Any] | None:
        made = reference(repetition)
        return {"actor": made} if made else None

    return xcn_performer


NAMES = frozenset({1, 2, 3, 4, 9})
CONVERTERS = (
    Converter("XCN-Reference", "Reference", _bind_reference, reads=NAMES),
    Converter("XCN-EncounterParticipant", "BackboneElement", _bind_participant, reads=NAMES),
    Converter("XCN-MedicationAdministrationPerformer", "BackboneElement", _bind_performer, reads=NAMES),
)
