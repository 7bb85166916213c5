"""ED and RP: documents, and texts that are one. v2-to-FHIR guide: ED[Attachment], RP[Attachment].

The type of a document comes from a table, never from its content; only a text that begins as RTF, HTML or PDF is taken
for what it is, so that its markup is never read as a result (C26).
"""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha1, sha256
from typing import Any

from adapter.hl7v2.base64 import Base64
from adapter.hl7v2.message import Field, Repetition, Segment
from adapter.hl7v2.slim import LONG, Document, marked
from adapter.mapper.codes import CodeTable
from adapter.mapper.datatypes.converter import Bound, Converter, first, lines, part
from adapter.mapper.datatypes.doubt import Doubt
from adapter.mapper.sites import Site

DOCUMENTS = frozenset({"ED", "RP"})
TEXTS = frozenset({"ST", "TX", "FT"})
_VALUES = frozenset({"NM", "SN", "CE", "CWE", "DT", "TS", "DTM"})
"""What most OBX hold, and no document is: a look that costs little spares the closer ones."""
MEDIA_TYPES = "0291-media-type"
BROKEN = "broken-document"

_BROKEN = Doubt(None, "102", "the encoding of the document is broken", BROKEN)
_EMPTY = Doubt(None, "101", "a document without its data", "document-empty")
_NO_ENCODING = ("101", "the document does not say how it is encoded (ED-4): read as it looks", "document-encoding")
_UNKNOWN_ENCODING = Doubt(None, "103", "the encoding of the document (ED-4) is not in table 0299", "not-converted")
_UNKNOWN_TYPE = ("103", "the type of the document (ED-2, ED-3) is in no table", "document-type")
_NO_URL = Doubt(None, "102", "the pointer to the document is no URL", "not-converted")
_NO_REPORT = Doubt(None, "102", "a document without an order has no report to stand in", "not-converted")
_BEGINNINGS = {
    "{\\rtf": "application/rtf",
    "<html": "text/html",
    "<!doctype html": "text/html",
    "%pdf-": "application/pdf",
    "jvberi0": "application/pdf",  # %PDF- in base64
}
_BEGUN = tuple(_BEGINNINGS)
MAY_BEGIN = frozenset("{<%Jj \n\t")
"""First characters of a text that may be a document."""


@dataclass(frozen=True, slots=True)
class Found:
    """One document of a message: its bytes, unless they were cut out, what is known of them, its media type."""

    document: Document
    data: bytes | None
    media: str


def document(repetition: Repetition, table: CodeTable) -> Found | Doubt:
    """Read one ED.

    Args:
        repetition: of OBX-5.
        table: media types.

    Returns:
        The document, doubted where its type or encoding is not told; or why there is none.
    """
    row = table.get(_type_of(repetition))
    media = row.targets[0]["code"] if row and row.targets else ""
    encoding = part(repetition, 4).upper()
    made = _read(repetition, encoding, media)
    if isinstance(made, Doubt):
        return made
    if not encoding:
        return Doubt(made, *_NO_ENCODING)
    return made if media else Doubt(made, *_UNKNOWN_TYPE)


def text_document(text: str) -> Found | None:
    """A text that is a document: RTF, HTML or PDF by its first characters; None for any other."""
    start = text[:80].lstrip()[:20].lower()
    if not start.startswith(_BEGUN):
        return None
    beginning = next(one for one in _BEGUN if start.startswith(one))
    data = text.encode()
    if beginning == "jvberi0":
        reader = Base64()
        data = reader.read(data)
        if not reader.whole:
            return None
    return _found(data, _BEGINNINGS[beginning])


def doubt(value: Field, declared: str, table: CodeTable) -> Doubt | None:
    """What is doubtful about the documents of an OBX-5: the first thing."""
    made = [_NO_URL if _pointer(one, table) is None else None for one in value] if declared == "RP" else None
    for one in made or [document(repetition, table) for repetition in value]:
        if isinstance(one, Doubt):
            return one.of(None)
    return None


def documents(segment: Segment, table: CodeTable) -> list[Found]:
    """The documents in OBX-5 of one OBX, pointers not among them."""
    declared, raw = segment.raw(2).partition("^")[0], segment.raw(5)
    if declared in TEXTS:
        found = text_document(lines(segment.field(5))) if raw[:1] in MAY_BEGIN else None
        return [found] if found else []
    made = [document(repetition, table) for repetition in segment.field(5)] if declared == "ED" else []
    values = [one.value if isinstance(one, Doubt) else one for one in made]
    return [one for one in values if one is not None]


def _type_of(repetition: Repetition, at: int = 2) -> str:
    kind, subtype = part(repetition, at).lower(), part(repetition, at + 1).lower()
    return subtype if "/" in subtype else f"{kind}/{subtype}"


def _read(repetition: Repetition, encoding: str, media: str) -> Found | Doubt:
    sent = "^".join(["&".join(component) for component in repetition[4:]])
    if not sent.strip():
        return _EMPTY
    if encoding in {"BASE64", ""}:
        return _from_base64(sent, media, or_text=not encoding)
    if encoding == "HEX":
        try:
            return _found(bytes.fromhex(sent), media)
        except ValueError:
            return _BROKEN
    return _found(sent.encode(), media) if encoding == "A" else _UNKNOWN_ENCODING


def _from_base64(sent: str, media: str, *, or_text: bool) -> Found | Doubt:
    if cut := marked(sent):
        return Found(cut, None, media) if cut.valid else _BROKEN
    reader = Base64()
    data = reader.read(sent.encode())
    if reader.whole:
        return _found(data, media)
    return _found(sent.encode(), media) if or_text else _BROKEN


def _found(data: bytes, media: str) -> Found:
    digest = sha1(data, usedforsecurity=False).hexdigest()
    return Found(Document(len(data), sha256(data).hexdigest(), digest, valid=True), data, media)


def _attachment(found: Found, title: str) -> dict[str, Any]:
    # R4, att-1: data needs a type; that of bytes of which nothing is known is RFC 2046 §4.5.1.
    made: dict[str, Any] = {"contentType": found.media or "application/octet-stream"}
    data = b64encode(found.data).decode() if found.data is not None and len(found.data) * 4 < LONG * 3 else ""
    made |= {"data": data} if data else {"url": f"Binary/{found.document.sha256}"}
    made["size"] = found.document.size
    made["hash"] = b64encode(bytes.fromhex(found.document.sha1)).decode()
    return made | ({"title": title} if title else {})


def _pointer(repetition: Repetition, table: CodeTable) -> dict[str, Any] | None:
    """RP: where the document lies, if that is a URL; any other pointer only its own application can follow."""
    url = part(repetition, 1)
    if not url.lower().startswith(("https://", "http://")):
        return None
    row = table.get(_type_of(repetition, 3))
    return ({"contentType": row.targets[0]["code"]} if row and row.targets else {}) | {"url": url}


def _bind_presented_form(site: Site, _paths: tuple[str, ...]) -> Bound:
    table = site.table(MEDIA_TYPES)

    def presented_form(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | None:
        made: list[dict[str, Any]] = []
        for segment in segments:
            fields = segment.fields
            if len(fields) < 6 or fields[2] in _VALUES:
                continue
            if fields[2][:2] in DOCUMENTS or fields[5][:1] in MAY_BEGIN:
                made += attachments(segment, table)
        return made or None

    return presented_form


def attachments(segment: Segment, table: CodeTable) -> list[dict[str, Any]]:
    """The documents in one OBX as Attachments, pointers among them."""
    title = next(filter(None, (first(segment.field(3), at) for at in (2, 5, 1, 4))), "")
    if segment.raw(2).partition("^")[0] == "RP":
        pointers = [_pointer(repetition, table) for repetition in segment.field(5)]
        return [one | ({"title": title} if title else {}) for one in pointers if one]
    return [_attachment(found, title) for found in documents(segment, table)]


def _bind_without_report(_site: Site, _paths: tuple[str, ...]) -> Bound:
    def without_report(value: Field, kind: Field) -> Doubt | None:
        declared = first(kind)
        if declared in DOCUMENTS or (declared in TEXTS and text_document(lines(value))):
            return _NO_REPORT
        return None

    return without_report


CONVERTERS = (
    Converter("OBX-presentedForm", "Attachment", _bind_presented_form, sources=0, fields=(2, 3, 5)),
    Converter("OBX-documentWithoutReport", "Annotation", _bind_without_report, sources=2),
)
