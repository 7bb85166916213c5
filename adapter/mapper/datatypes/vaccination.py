"""OBX of a vaccination: funding, eligibility, information sheets, dose number, reactions. v2-to-FHIR guide: VXU_V04.

Which element of Immunization a code of OBX-3 belongs to stands in table `immunization-element`. The same OBX also
become Observations, part of the Immunization, so that nothing that they say is lost.
"""

from typing import Any

from adapter.hl7v2.message import Segment
from adapter.mapper.codes import CodeTable
from adapter.mapper.datatypes.converter import Bound, Converter, first, lines
from adapter.mapper.datatypes.cwe import Concepts
from adapter.mapper.datatypes.doubt import without_doubt
from adapter.mapper.datatypes.dtm import bind_datetime
from adapter.mapper.sites import Site

ELEMENTS = "immunization-element"
READ = (3, 4, 5, 14)


def _of(segments: tuple[Segment, ...], table: CodeTable, element: str) -> list[Segment]:
    """The OBX that belong to an element."""
    rows = ((segment, table.get(first(segment.field(3)))) for segment in segments)
    return [segment for segment, row in rows if row and row.targets and row.targets[0]["code"] == element]


def _bind_concept(element: str) -> Any:
    def bind(site: Site, _paths: tuple[str, ...]) -> Bound:
        table, answers = site.table(ELEMENTS), Concepts(site, "OBX-5")

        def concepts(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | dict[str, Any] | None:
            sent = [one for segment in _of(segments, table, element) for one in segment.field(5)]
            made = [concept for one in sent if (concept := without_doubt(answers.concept(one)))]
            return (made if element == "programEligibility" else made[0]) if made else None

        return concepts

    return bind


def _bind_education(site: Site, _paths: tuple[str, ...]) -> Bound:
    """Information sheets: the OBX of one sheet have the same sub-id (OBX-4)."""
    table, moment = site.table(ELEMENTS), bind_datetime(site)

    def education(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | None:
        sheets: dict[str, dict[str, Any]] = {}
        for element in ("documentType", "publicationDate", "presentationDate"):
            for segment in _of(segments, table, element):
                sheet = sheets.setdefault(segment.raw(4), {})
                field = segment.field(5)
                if element == "documentType":
                    if kind := first(field, 2) or first(field):
                        sheet[element] = kind
                elif value := without_doubt(moment(field[0])) if field else None:
                    sheet[element] = value
        # a date without the sheet it is of is no education (FHIR imm-1); its Observation keeps it
        return [sheet for sheet in sheets.values() if "documentType" in sheet] or None

    return education


def _bind_protocol(site: Site, _paths: tuple[str, ...]) -> Bound:
    """Which dose of its series it was."""
    table = site.table(ELEMENTS)

    def protocol(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | None:
        text = next((lines(one.field(5)).strip() for one in _of(segments, table, "doseNumber")), "")
        if text.isdecimal() and int(text):
            return [{"doseNumberPositiveInt": int(text)}]
        return [{"doseNumberString": text}] if text else None

    return protocol


def _bind_reaction(site: Site, _paths: tuple[str, ...]) -> Bound:
    """When a reaction was seen; what it was is in the Observation."""
    table, moment = site.table(ELEMENTS), bind_datetime(site)

    def reaction(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | None:
        sent = [segment.field(14) for segment in _of(segments, table, "reaction")]
        return [{"date": made} for one in sent if one and (made := without_doubt(moment(one[0])))] or None

    return reaction


CONVERTERS = (
    Converter("OBX-fundingSource", "CodeableConcept", _bind_concept("fundingSource"), sources=0, fields=READ),
    Converter("OBX-programEligibility", "CodeableConcept", _bind_concept("programEligibility"), sources=0, fields=READ),
    Converter("OBX-education", "BackboneElement", _bind_education, sources=0, fields=READ),
    Converter("OBX-protocolApplied", "BackboneElement", _bind_protocol, sources=0, fields=READ),
    Converter("OBX-reaction", "BackboneElement", _bind_reaction, sources=0, fields=READ),
)
