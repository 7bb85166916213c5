"""AL1, IAM: allergies. v2-to-FHIR guide: AL1[AllergyIntolerance], IAM[AllergyIntolerance]."""

from dataclasses import replace
from typing import Any

from adapter.hl7v2.message import Field, Repetition, Segment
from adapter.mapper.datatypes.converter import Bound, Converter, first, whole_text
from adapter.mapper.datatypes.cwe import READS, Concepts, TableCodes
from adapter.mapper.datatypes.doubt import CLEARED, Doubt, without_doubt
from adapter.mapper.sites import Site

ALTERNATE_CODES = "http://hl7.org/fhir/StructureDefinition/alternate-codes"
SEVERITIES = "0128-reaction-severity"
CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
ACTIVE = {"coding": [{"system": CLINICAL, "code": "active", "display": "Active"}]}
DELETED, ERRONEOUS = frozenset({"D"}), frozenset({"E"})
"""HL7 table 0323, IAM-6, and table 0438, IAM-17."""
ACTIONS = "0323-allergy-action"
CLINICAL_STATUSES, VERIFICATION_STATUSES = "0438-allergy-clinical", "0438-allergy-verification"


def _bind_joined(site: Site, paths: tuple[str, ...]) -> Bound:
    """Two coded fields that name one thing: the codings of both."""
    concepts = [Concepts(site, path).concept for path in paths]

    def joined(one: Field, other: Field) -> dict[str, Any] | Doubt | None:
        made = [concept(field[0]) for concept, field in zip(concepts, (one, other), strict=True) if field]
        values = [value for each in made if (value := without_doubt(each))]
        if not values:
            return None
        whole = dict(values[0])
        for value in values[1:]:
            codings = [
                *whole.get("coding", ()),
                *(c for c in value.get("coding", ()) if c not in whole.get("coding", ())),
            ]
            whole = {**value, **whole, **({"coding": codings} if codings else {})}
        doubt = next((each for each in made if isinstance(each, Doubt)), None)
        return doubt.of(whole) if doubt else whole

    return joined


def _bind_clinical_status(site: Site, _paths: tuple[str, ...]) -> Bound:
    """IAM-17, else active; a deleted or erroneous allergy has none (FHIR ait-2)."""
    table = TableCodes(site, CLINICAL_STATUSES)

    def clinical_status(status: Field, action: Field, allergen: Field) -> dict[str, Any] | Doubt | None:
        if not any(whole_text(one) for field in (status, action, allergen) for one in field):
            return None
        if first(action) in DELETED or first(status) in ERRONEOUS:
            return CLEARED
        made = table.concept(status[0]) if status else None
        # The binding is required: a status that no table knows stands beside the usual one, as text.
        return replace(made, value={**ACTIVE, **made.value}) if isinstance(made, Doubt) else made or ACTIVE

    return clinical_status


def _bind_verification_status(site: Site, _paths: tuple[str, ...]) -> Bound:
    """What is deleted was an error; else by IAM-17."""
    actions, statuses = TableCodes(site, ACTIONS), TableCodes(site, VERIFICATION_STATUSES)

    def verification_status(action: Field, status: Field) -> dict[str, Any] | Doubt | None:
        made = actions.concept(action[0]) if action else None
        if isinstance(made, Doubt):
            made = replace(made, value=None)
        found = statuses.targets(status[0]) if status else None
        return made or ({"coding": [*found]} if found else None)

    return verification_status


def _bind_reaction(site: Site, _paths: tuple[str, ...]) -> Bound:
    """All reactions that are named, as manifestations of one; the severity where one is named."""
    severity = TableCodes(site, SEVERITIES).code

    def reaction(manifestations: Field, severities: Field) -> dict[str, Any] | Doubt | None:
        texts = [text for one in manifestations if (text := whole_text(one).strip())]
        if not texts:
            return None
        made: dict[str, Any] = {"manifestation": [{"text": text} for text in texts]}
        degree = severity(severities[0]) if severities else None
        if isinstance(degree, Doubt):
            return degree.of(made)
        return made | {"severity": degree} if degree else made

    return reaction


def _bind_adverse_reaction(site: Site, _paths: tuple[str, ...]) -> Bound:
    """IAR, one reaction each: what it is, how severe, what was done."""
    concept, severity = Concepts(site, "IAR-1").concept, TableCodes(site, SEVERITIES).code

    def adverse_reaction(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | Doubt | None:
        made: list[dict[str, Any]] = []
        doubts: list[Doubt] = []
        for segment in segments:
            kind, degree = (
                ask(field[0]) if (field := segment.field(number)) else None
                for number, ask in ((1, concept), (2, severity))
            )
            doubts += [one for one in (kind, degree) if isinstance(one, Doubt)]
            if not (manifestation := without_doubt(kind)):
                continue  # FHIR: a reaction without a manifestation is none
            found = {"description": segment.text("IAR-4"), "severity": without_doubt(degree)}
            made.append({"manifestation": [manifestation]} | {name: value for name, value in found.items() if value})
        return doubts[0].of(made) if doubts and made else made or None

    return adverse_reaction


def _bind_alternate(site: Site, paths: tuple[str, ...]) -> Bound:
    """A coded field beside the code of FHIR that stands for it: as an extension of that code."""
    concept = Concepts(site, paths[0]).concept

    def alternate(repetition: Repetition) -> dict[str, Any] | None:
        value = without_doubt(concept(repetition))
        return {"extension": [{"url": ALTERNATE_CODES, "valueCodeableConcept": value}]} if value else None

    return alternate


CONVERTERS = (
    Converter("CWE-CWE-CodeableConcept", "CodeableConcept", _bind_joined, sources=2, reads=READS, clears=True),
    Converter("IAM-ClinicalStatus", "CodeableConcept", _bind_clinical_status, sources=3, reads=READS),
    Converter("IAM-VerificationStatus", "CodeableConcept", _bind_verification_status, sources=2, reads=READS),
    Converter("AL1-Reaction", "BackboneElement", _bind_reaction, sources=2, clears=True),
    Converter("IAR-Reaction", "BackboneElement", _bind_adverse_reaction, sources=0, fields=(1, 2, 4)),
    Converter("CWE-AlternateCodes", "Element", _bind_alternate, reads=READS),
)
