"""Bytes to a message and back.

Nothing is interpreted here beyond delimiters and segments; which segments belong together says the grammar.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count, repeat

from adapter.errors import Location, MalformedSegment, TooLarge
from adapter.hl7v2.encoding import (
    BYTE_ORDER_MARK,
    STRICT,
    Habits,
    decode,
    has_controls,
    refuse_controls,
    refuse_switching,
    without_controls,
)
from adapter.hl7v2.header import NO_HEADER, Header, header
from adapter.hl7v2.message import HEADERS, Delimiters, Message, Oddities, Segment, new_tuple
from adapter.hl7v2.slim import Slim
from adapter.protocol_errors import SecondHeader

__all__ = ["NO_HEADER", "Header", "byte_span", "header", "parse", "print_message", "print_segment"]

MAX_SEGMENTS, MAX_FIELDS, MAX_REPETITIONS, MAX_SUBCOMPONENTS, MAX_TEXT = 20_000, 500, 2_000, 100, 1_000_000
"""Limits of size (catalogue C22, C23); beyond them a message is refused, so that reading it stays quick."""

_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_UNBOUNDED_TYPES = frozenset({"ED", "FT", "RP", "TX"})


def parse(
    raw: bytes | Slim, *, default_encoding: str | None = None, head: Header | None = None, habits: Habits = STRICT
) -> Message:
    """Read one message, without framing.

    Args:
        raw: its bytes, a large one without its documents; segments end with CR, LF or CRLF, a byte order mark is
            skipped (B44-B46, C8).
        default_encoding: the site's character set, used when MSH-18 is empty.
        head: its MSH, where it has been read already.
        habits: what else the site's bytes are known for.

    Raises:
        Refusal: a leaf of it that says why and where.
    """
    slim = raw if isinstance(raw, Slim) else Slim(raw)
    head = head or header(slim.raw)
    declared = "" if habits.ignores_declared and default_encoding else head.charset
    decoded = decode(slim, declared=declared, default=default_encoding)
    text, stripped = decoded.text, 0
    if has_controls(slim):
        if not habits.strips_controls:
            refuse_controls(text, slim.documents)
        text = without_controls(text, slim.documents)
        stripped = len(decoded.text) - len(text)
    delimiters = head.delimiters
    if decoded.encoding != delimiters.encoding and f"{delimiters.escape}X" in text:
        delimiters = delimiters._replace(encoding=decoded.encoding)
    segments = _segments(text, delimiters)
    if len(text) > MAX_TEXT:
        _check_texts(segments)
    escapes = _has_rare_escapes(slim.raw, delimiters.escape.encode())
    if escapes:
        refuse_switching(text, segments[0].raw(18), segments[0].raw(20), delimiters)
    oddities = Oddities(escapes, stripped)
    return Message(segments, delimiters, decoded.encoding, decoded.reason, decoded.text, oddities, slim.documents)


def _has_rare_escapes(raw: bytes, mark: bytes) -> bool:
    r"""Whether there may be escape sequences other than `\S\`: one mark is in MSH-2, two are in each of those."""
    marks = raw.count(mark)
    return marks > 1 and marks != 1 + 2 * raw.count(b"%bS%b" % (mark, mark))


def _segments(text: str, delimiters: Delimiters) -> tuple[Segment, ...]:
    lines = _lines(text)
    if len(lines) > MAX_SEGMENTS:
        raise TooLarge(f"more than {MAX_SEGMENTS} segments", at=Location("MSH"))
    separator = delimiters.field
    rows = [tuple(line.split(separator)) for line in lines]
    names = [row[0] for row in rows]
    parts = zip(names, rows, count(), repeat(delimiters), strict=False)
    segments: list[Segment] = list(map(new_tuple, repeat(Segment), parts))
    if max(map(len, rows)) > MAX_FIELDS or not all(map(_is_body_name, {*names[1:]})):
        for segment in segments:
            _check_segment(segment, segments)
    header_fields = segments[0].fields
    segments[0] = Segment("MSH", ("MSH", separator, *header_fields[1:]), 0, delimiters)
    if text.count(delimiters.repetition) > MAX_REPETITIONS or text.count(delimiters.subcomponent) >= MAX_SUBCOMPONENTS:
        _check_parts(segments, delimiters, lines)
    return tuple(segments)


def _lines(text: str) -> list[str]:
    """The segments: where CR occurs it alone ends them, and LF inside a field is data (B45, B46)."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    if "\r" not in text:
        lines = text.split("\n")
    elif "\n" in text:
        lines = text.replace("\r\n", "\r").split("\r")
    else:
        lines = text.split("\r")
    return [line for line in lines if line and (line[0] > " " or not line.isspace())]


@lru_cache(maxsize=1024)
def _is_body_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name not in HEADERS


def _check_segment(segment: Segment, segments: Sequence[Segment]) -> None:
    """Refuse a segment without a valid name, a header that is not the first, and too many fields."""
    name, position = segment.fields[0], segment.position
    if not _NAME.fullmatch(name):
        raise _malformed(name, segments[:position])
    if name in HEADERS and position:
        text = f"segment {position + 1} begins another message"
        if name == "MSH":
            raise SecondHeader(text)
        raise MalformedSegment(text, at=Location(name, _occurrence(name, segments[:position])))
    if len(segment.fields) > MAX_FIELDS + (name != "MSH"):
        occurrence = _occurrence(name, segments[:position])
        raise TooLarge(f"more than {MAX_FIELDS} fields", at=Location(name, occurrence, MAX_FIELDS))


def _occurrence(name: str, before: Sequence[Segment]) -> int:
    return 1 + sum(segment.name == name for segment in before)


def _malformed(name: str, before: Sequence[Segment]) -> MalformedSegment:
    """The refusal of a line without a segment name; a long "name" may be a patient's text and is not repeated."""
    text = f"segment {len(before) + 1} has no valid name"
    if 1 <= len(name) <= 3 and name.isascii():
        return MalformedSegment(text, at=Location(name, _occurrence(name, before)))
    last = before[-1].name
    return MalformedSegment(f"{text}; it follows this one", at=Location(last, _occurrence(last, before[:-1])))


def _check_parts(segments: Sequence[Segment], delimiters: Delimiters, lines: Sequence[str]) -> None:
    for number, (segment, line) in enumerate(zip(segments, lines, strict=True)):
        if line.count(delimiters.repetition) < MAX_REPETITIONS and (
            line.count(delimiters.subcomponent) < MAX_SUBCOMPONENTS
        ):
            continue
        for position, raw in enumerate(segment.fields):
            if position <= 2 and segment.name in HEADERS:
                continue
            limit = _exceeded(raw, delimiters)
            if limit:
                at = Location(segment.name, _occurrence(segment.name, segments[:number]), position)
                raise TooLarge(f"more than {limit}", at=at)


def _exceeded(raw: str, delimiters: Delimiters) -> str | None:
    if raw.count(delimiters.repetition) >= MAX_REPETITIONS:
        return f"{MAX_REPETITIONS} repetitions"
    if raw.count(delimiters.subcomponent) < MAX_SUBCOMPONENTS:
        return None
    components = raw.replace(delimiters.repetition, delimiters.component).split(delimiters.component)
    most = max(component.count(delimiters.subcomponent) for component in components)
    return f"{MAX_SUBCOMPONENTS} subcomponents" if most >= MAX_SUBCOMPONENTS else None


def _check_texts(segments: Sequence[Segment]) -> None:
    """Refuse a text above 1 MB; only documents and formatted texts of OBX-5 may be longer (C22)."""
    for number, segment in enumerate(segments):
        for position, raw in enumerate(segment.fields):
            document = segment.name == "OBX" and position == 5 and segment.raw(2) in _UNBOUNDED_TYPES
            if len(raw) > MAX_TEXT and not document:
                at = Location(segment.name, _occurrence(segment.name, segments[:number]), position)
                raise TooLarge("a text above 1 MB", at=at)


def print_message(message: Message) -> bytes:
    """Write a message as it came: unchanged segments give the same bytes, rewritten ones stand in their place."""
    rewritten: dict[int, list[Segment]] = {}
    for segment in message.segments:
        rewritten.setdefault(segment.position, []).append(segment)
    parts: list[str] = []
    position = 0
    for line, end in _lines_with_ends(message.source):
        if without_controls(line.removeprefix(BYTE_ORDER_MARK)).strip():
            mark = BYTE_ORDER_MARK if line.startswith(BYTE_ORDER_MARK) else ""
            parts += [mark, (end or "\r").join(print_segment(one) for one in rewritten.get(position, ()))]
            position += 1
        else:
            parts.append(line)
        parts.append(end)
    return "".join(parts).encode(message.encoding)


def print_segment(segment: Segment) -> str:
    """One segment as text, without its end."""
    if segment.name in HEADERS:
        return segment.name + segment.fields[1] + segment.delimiters.field.join(segment.fields[2:])
    return segment.delimiters.field.join(segment.fields)


def _lines_with_ends(source: str) -> Iterator[tuple[str, str]]:
    parts = re.split(r"(\r\n?)" if "\r" in source else r"(\n)", source)
    yield from zip(parts[::2], [*parts[1::2], ""], strict=True)


def byte_span(message: Message, position: int, field: int, repetition: int = 0) -> tuple[int, int]:
    """Where in the bytes as received a field stands.

    Args:
        message: as parsed.
        position: of the segment.
        field: its number; 0 is the name.
        repetition: of the field, from 1; 0 is the whole field.

    Returns:
        Start and end, so that `raw[start:end]` is the raw text of the field; both the same where there is none. Where
        documents were cut out, `raw` is still the message as received.
    """
    start, end = _span(message, position, field, repetition)
    if not message.documents:
        return start, end
    slim = Slim(b"", message.documents)
    return slim.original(start), slim.original(end)


def _span(message: Message, position: int, field: int, repetition: int) -> tuple[int, int]:
    """The same in the bytes that were parsed."""
    line, start = _line_starts(message.source, message.encoding)[position]
    if line[:3] in HEADERS and field:
        if field == 1:
            return start + 3, start + 4
        field -= 1
    before, raw = _part(line, message.delimiters.field, field)
    if repetition:
        skipped, raw = _part(raw, message.delimiters.repetition, repetition - 1)
        before += skipped
    first = start + len(line[:before].encode(message.encoding))
    return first, first + len(raw.encode(message.encoding))


def _part(text: str, separator: str, number: int) -> tuple[int, str]:
    """The part of that number (from 0) and where it begins; empty at the end where there is none."""
    parts = text.split(separator, number + 1)
    if number >= len(parts):
        return len(text), ""
    return sum(map(len, parts[:number])) + number, parts[number]


@lru_cache(maxsize=4)
def _line_starts(source: str, encoding: str) -> tuple[tuple[str, int], ...]:
    """Each segment's text with the byte at which it begins."""
    starts: list[tuple[str, int]] = []
    offset = 0
    for line, end in _lines_with_ends(source):
        text = line.removeprefix(BYTE_ORDER_MARK)
        mark = len(line) - len(text)
        if without_controls(text).strip():
            starts.append((text, offset + len(line[:mark].encode(encoding))))
        offset += len(line.encode(encoding)) + len(end)
    return tuple(starts)
