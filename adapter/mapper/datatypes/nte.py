"""NTE, and other texts that become notes. v2-to-FHIR guide: NTE[Observation], NTE[ServiceRequest], CWE[Annotation]."""

from typing import Any

from adapter.hl7v2.message import Repetition, Segment
from adapter.mapper.datatypes.converter import Bound, Converter, lines, part, plain, whole_text
from adapter.mapper.datatypes.doubt import without_doubt
from adapter.mapper.datatypes.dtm import bind_datetime
from adapter.mapper.datatypes.xcn import bind_reference
from adapter.mapper.sites import Site

REPORT_NOTE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note"
FIELDS = (3, 5, 6)


def _bind_annotation(site: Site, paths: tuple[str, ...]) -> Bound:
    """Every NTE with a comment (NTE-3) to one Annotation, with who wrote it (NTE-5) and when (NTE-6)."""
    person, moment = bind_reference(site, paths), bind_datetime(site)

    def nte_annotation(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | None:
        made: list[dict[str, Any]] = []
        for segment in segments:
            note: dict[str, Any] = {}
            if segment.raw(5) and (author := person(segment.field(5)[0])):
                note["authorReference"] = author
            if segment.raw(6) and (written := without_doubt(moment(segment.field(6)[0]))):
                note["time"] = written
            if text := lines(segment.field(3)).strip():
                made.append({**note, "text": text})
        return made or None

    return nte_annotation


def nte_string(segments: tuple[Segment, ...]) -> str | None:
    """The comments of all NTE as one text, one a line. v2-to-FHIR guide: NTE[Appointment-Comment]."""
    return "\n".join(text for segment in segments if (text := lines(segment.field(3)).strip())) or None


def _bind_report_note(site: Site, paths: tuple[str, ...]) -> Bound:
    """DiagnosticReport has notes from R5 on; in R4 they stand in the extension that R5 names for it."""
    annotation = _bind_annotation(site, paths)

    def nte_report_note(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | None:
        made: list[dict[str, Any]] = annotation(segments) or []
        return [{"url": REPORT_NOTE, "valueAnnotation": note} for note in made] or None

    return nte_report_note


def st_annotation(repetition: Repetition) -> dict[str, str] | None:
    """ST, TX or FT to Annotation."""
    text = whole_text(repetition).strip()
    return {"text": text} if text else None


def cwe_annotation(repetition: Repetition) -> dict[str, str] | None:
    """CWE to Annotation: its words, else its code; up to 2.6 many such fields are plain text."""
    text = part(repetition, 9) or part(repetition, 2) or part(repetition, 1) or part(repetition, 5)
    return {"text": text} if text else None


CONVERTERS = (
    Converter("NTE-Annotation", "Annotation", _bind_annotation, sources=0, fields=FIELDS),
    Converter("NTE-string", "string", plain(nte_string), sources=0, fields=(3,)),
    Converter("NTE-reportNote", "Extension", _bind_report_note, sources=0, fields=FIELDS),
    Converter("ST-Annotation", "Annotation", plain(st_annotation)),
    Converter("CWE-Annotation", "Annotation", plain(cwe_annotation)),
)
