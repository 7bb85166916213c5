"""The messages of a file: MLLP frames, or messages one after another, with or without a batch around them."""

import re
from collections.abc import Iterator

START, END = b"\x0b", b"\x1c"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A line that begins a message or belongs to the envelope of a batch (HL7 v2.5.1 §2.10.3).
BOUNDARY = re.compile(rb"(?:(?<=[\r\n])|^)(?:\xef\xbb\xbf)?(MSH|FHS|BHS|BTS|FTS)(?![A-Za-z0-9])")
_GIVEN = frozenset({b"MSH", b""})
_LINE_END = re.compile(rb"\r\n|\r|\n")


def messages(data: bytes) -> Iterator[bytes]:
    """Take a file apart, in its order; each message's bytes are exactly as in the file.

    Args:
        data: MLLP frames, or plain messages with CR, LF or CRLF and blank lines between them; FHS, BHS, BTS and FTS
            segments are left out. What stands outside of a message is given too, as a piece that no reader takes
            for one: nothing is lost in silence.
    """
    if START in data:
        yield from _framed(data)
    else:
        yield from plain(data)


def _framed(data: bytes) -> Iterator[bytes]:
    position = 0
    while (start := data.find(START, position)) >= 0:
        yield from plain(data[position:start])
        end = frame_end(data, start + 1)
        payload = data[start + 1 : end]
        yield from plain(payload) if payload[:3] in {b"FHS", b"BHS"} else [payload]
        position = end + 1
    yield from plain(data[position:])


def frame_end(data: bytes, position: int) -> int:
    """The FS that ends the frame: one before a line end, the next frame or the end of the file."""
    while (end := data.find(END, position)) >= 0:
        if data[end + 1 : end + 2] in {b"\r", b"\n", START, b""}:
            return end
        position = end + 1
    return len(data)


def pieces(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Plain messages and the envelopes around them, in order.

    Returns:
        For each piece its name and its bytes: `MSH` and a whole message; `FHS`, `BHS`, `BTS` or `FTS` and that segment
        without its line end; no name and text that belongs to no message.
    """
    boundaries = list(BOUNDARY.finditer(data))
    first = boundaries[0].start() if boundaries else len(data)
    if data[:first].strip(b" \t\r\n" + _BYTE_ORDER_MARK):
        yield b"", data[:first]
    for number, boundary in enumerate(boundaries):
        end = boundaries[number + 1].start() if number + 1 < len(boundaries) else len(data)
        if boundary[1] == b"MSH":
            yield b"MSH", without_blank_lines(data, boundary.start(), end)
        else:
            line, after = _first_line(data[boundary.start(1) : end])
            yield boundary[1], line
            if after:
                yield b"", after


def plain(data: bytes) -> Iterator[bytes]:
    """Messages without frames, and text that belongs to none."""
    return (piece for name, piece in pieces(data) if name in _GIVEN)


def without_blank_lines(data: bytes, start: int = 0, end: int | None = None) -> bytes:
    """Cut the blank lines that part a message from the next one; its own last line end stays."""
    message = data[start:end]
    ending = _LINE_END.search(message, len(message.rstrip(b" \t\r\n")))
    return message[: ending.end()] if ending else message


def _first_line(data: bytes) -> tuple[bytes, bytes]:
    """A segment without its end, and what follows it, if that is more than blank."""
    ending = _LINE_END.search(data)
    if not ending:
        return data, b""
    rest = data[ending.end() :]
    return data[: ending.start()], rest if rest.strip(b" \t\r\n") else b""
