"""TXA with its OBX: the content of a document and what it replaces.

v2-to-FHIR guide: TXA[DocumentReference], OBX[DocumentReference], NTE[DocumentReference].
"""

from base64 import b64encode
from hashlib import sha1
from typing import Any

from adapter.hl7v2.message import Field, Segment
from adapter.mapper.datatypes.converter import Bound, Converter, first, lines
from adapter.mapper.datatypes.cx import identifier
from adapter.mapper.datatypes.doubt import without_doubt
from adapter.mapper.datatypes.ed import DOCUMENTS, MEDIA_TYPES, attachments, doubt, text_document
from adapter.mapper.ids import NAMING, reference_to
from adapter.mapper.sites import Site

PLAIN = "text/plain"
WITHDRAWN = frozenset({"D", "W", "X"})
"""OBX-11 of a content that is no longer meant."""
RELATION = "event-document-relation"


def _text(segments: tuple[Segment, ...], title: str) -> dict[str, Any] | None:
    """OBX that are no documents are the lines of one text (TX, FT; each repetition and each OBX a line)."""
    text = "\n".join(found for segment in segments if (found := lines(segment.field(5)).strip("\n")))
    if not text:
        return None
    data = text.encode()
    made: dict[str, Any] = {"contentType": PLAIN, "data": b64encode(data).decode(), "size": len(data)}
    made["hash"] = b64encode(sha1(data, usedforsecurity=False).digest()).decode()
    return made | ({"title": title} if title else {})


def _is_text(segment: Segment) -> bool:
    return segment.raw(2).partition("^")[0] not in DOCUMENTS and not text_document(lines(segment.field(5)))


def _bind_content(site: Site, _paths: tuple[str, ...]) -> Bound:
    """DocumentReference.content: each document of the message, its texts together; without any, the file's name."""
    table = site.table(MEDIA_TYPES)

    def content(segments: tuple[Segment, ...], name: Field, title: Field) -> Any:
        named = first(title) or first(name)
        segments = tuple(segment for segment in segments if segment.raw(11) not in WITHDRAWN)
        texts = tuple(segment for segment in segments if _is_text(segment))
        found = [one for segment in segments if segment not in texts for one in attachments(segment, table)]
        found += [one] if (one := _text(texts, named)) else []
        doubts = (doubt(one.field(5), first(one.field(2)), table) for one in segments if one not in texts)
        first_doubt = next((one for one in doubts if one), None)
        # R4 wants a content: a document that is only told of has its name, or nothing but a reason
        found = found or ([{"title": named}] if named else [])
        made = [{"attachment": {**one, **({"title": named} if named and "title" not in one else {})}} for one in found]
        if first_doubt:
            return first_doubt.of(made or None)
        return made or None

    return content


def _bind_relation(site: Site, _paths: tuple[str, ...]) -> Bound:
    """TXA-13, the parent, and by the event what this document does to it: the parent by its identity."""
    numbers, events = site.identifiers.of_field("TXA-12"), site.table(RELATION)
    system = f"{NAMING}/{site.code.lower()}-document-reference"

    def relation(parent: Field, event: Field) -> list[dict[str, Any]] | None:
        number = first(parent)
        row = events.get(first(event, 2))
        if not (number and row and row.targets):
            return None
        known = without_doubt(identifier(numbers, number, authorities=(first(parent, 2), first(parent, 3))))
        target = reference_to("DocumentReference", system, number)
        return [{"code": row.targets[0]["code"], "target": {**target, "identifier": known}}]

    return relation


CONVERTERS = (
    Converter("OBX-DocumentContent", "BackboneElement", _bind_content, sources=-1, whole=True, fields=(2, 3, 5, 11)),
    Converter("EI-DocumentRelation", "BackboneElement", _bind_relation, sources=2),
)
