"""NTE: notes."""

from adapter.hl7v2.message import Segment
from adapter.mapper.datatypes.converter import Converter, lines, plain


def nte_annotation(segments: tuple[Segment, ...]) -> list[dict[str, str]] | None:
    """Every NTE with a comment (NTE-3) to one Annotation. v2-to-FHIR guide: NTE[Observation.note]."""
    return [{"text": text} for segment in segments if (text := lines(segment.field(3)).strip())] or None


def nte_string(segments: tuple[Segment, ...]) -> str | None:
    """The comments of all NTE as one text, one a line. v2-to-FHIR guide: NTE[Appointment-Comment]."""
    return "\n".join(text for segment in segments if (text := lines(segment.field(3)).strip())) or None


CONVERTERS = (
    Converter("NTE-Annotation", "Annotation", plain(nte_annotation), sources=0, fields=(3,)),
    Converter("NTE-string", "string", plain(nte_string), sources=0, fields=(3,)),
)
