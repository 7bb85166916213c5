"""SAC, SPM, SPS: where a specimen is kept and was taken. v2-to-FHIR guide: SPM[Specimen], SPS[Specimen-Source]."""

from typing import Any

from adapter.hl7v2.message import Field, Repetition, Segment
from adapter.mapper.datatypes.converter import Bound, Converter, first
from adapter.mapper.datatypes.cq import components
from adapter.mapper.datatypes.cwe import Concepts
from adapter.mapper.datatypes.cx import identifier
from adapter.mapper.datatypes.doubt import Doubt, doubted_as, without_doubt
from adapter.mapper.datatypes.nm import Measured, decimal_of
from adapter.mapper.datatypes.quantity import quantity, scales
from adapter.mapper.sites import Site

CONTAINER_FIELDS = (3, 9, 21, 22, 24, 27)


def _bind_container(site: Site, _paths: tuple[str, ...]) -> Bound:
    """Specimen.container: each SAC, with type and additives of the SPM (SPM-27, SPM-6) where it says none."""
    numbers = site.identifiers.of_field("SAC-3")
    types, additives, own = Concepts(site, "SPM-27"), Concepts(site, "SPM-6"), Concepts(site, "SAC-27")
    scale_of = scales(site)

    def volume(segment: Segment, number: int) -> dict[str, Any] | None:
        value = decimal_of(first(segment.field(number)))
        return None if value is None else quantity(Measured(value), scale_of(segment.field(24)))

    def of_segment(segment: Segment) -> dict[str, Any]:
        sent = segment.field(3)
        authorities = (first(sent, 2), first(sent, 3))
        number = without_doubt(identifier(numbers, first(sent), authorities=authorities))
        additive = without_doubt(own.concept(segment.field(27)[0])) if segment.field(27) else None
        made = {
            "identifier": [number] if number else None,
            "type": without_doubt(types.concept(segment.field(9)[0])) if segment.field(9) else None,
            "capacity": volume(segment, 21),
            "specimenQuantity": volume(segment, 22),
            "additiveCodeableConcept": additive,
        }
        return {name: value for name, value in made.items() if value}

    def container(segments: tuple[Segment, ...], kind: Field, additive: Field) -> Any:
        sent = [types.concept(kind[0]) if kind else None, additives.concept(additive[0]) if additive else None]
        told = dict(zip(("type", "additiveCodeableConcept"), map(without_doubt, sent), strict=True))
        common = {name: value for name, value in told.items() if value}
        made = [one for segment in segments or ((),) if (one := common | (of_segment(segment) if segment else {}))]
        doubt = next((one for one in sent if isinstance(one, Doubt)), None)
        if doubt is None and len(additive) > 1:
            doubt = Doubt(None, "102", "only the first additive fits the FHIR element", "repetition-left-out")
        return doubt.of(made or None) if doubt else made or None

    return container


def _bind_source(site: Site, paths: tuple[str, ...]) -> Bound:
    """One component of SPS: a code in its subcomponents, or, before 2.4, alone."""
    concepts = Concepts(site, paths[0])

    def sps_concept(repetition: Repetition) -> Any:
        inner = components(repetition[0])
        return concepts.concept(inner[0]) if inner else None

    return sps_concept


def _bind_additive(site: Site, paths: tuple[str, ...]) -> Bound:
    concept = _bind_source(site, paths)

    def sps_container(repetition: Repetition) -> Any:
        made = concept(repetition)
        found = without_doubt(made)
        written = {"additiveCodeableConcept": found} if found else None
        return doubted_as(made, written)

    return sps_container


CONVERTERS = (
    Converter(
        "SAC-container", "BackboneElement", _bind_container, sources=-1, whole=True, fields_by={"SAC": CONTAINER_FIELDS}
    ),
    Converter("SPS-CodeableConcept", "CodeableConcept", _bind_source),
    Converter("SPS-container", "BackboneElement", _bind_additive),
)
