"""The messages of a file: MLLP frames, or messages one after another, with or without a batch around them."""

import re
from collections.abc import Iterator

_START, _END = b"\x0b", b"\x1c"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A line that begins a message or belongs to the envelope of a batch (HL7 v2.5.1 §2.10.3).
_BOUNDARY = re.compile(rb"(?:(?<=[\r\n])|^)(?:\xef\xbb\xbf)?(MSH|FHS|BHS|BTS|FTS)(?![A-Za-z0-9])")
_LINE_END = re.compile(rb"\r\n|\r|\n")


def messages(data: bytes) -> Iterator[bytes]:
    """Take a file apart, in its order; each message's bytes are exactly as in the file.

    Args:
        data: MLLP frames, or plain messages with CR, LF or CRLF and blank lines between them; FHS, BHS, BTS and FTS
            segments are left out. What stands outside of a message is given too, as a piece that no reader takes
            for one: nothing is lost in silence.
    """
    if _START in data:
        yield from _framed(data)
    else:
        yield from _plain(data)


def _framed(data: bytes) -> Iterator[bytes]:
    position = 0
    while (start := data.find(_START, position)) >= 0:
        yield from _plain(data[position:start])
        end = _frame_end(data, start + 1)
        payload = data[start + 1 : end]
        yield from _plain(payload) if payload[:3] in {b"FHS", b"BHS"} else [payload]
        position = end + 1
    yield from _plain(data[position:])


def _frame_end(data: bytes, position: int) -> int:
    """The FS that ends the frame: one before a line end, the next frame or the end of the file."""
    while (end := data.find(_END, position)) >= 0:
        if data[end + 1 : end + 2] in {b"\r", b"\n", _START, b""}:
            return end
        position = end + 1
    return len(data)


def _plain(data: bytes) -> Iterator[bytes]:
    boundaries = list(_BOUNDARY.finditer(data))
    first = boundaries[0].start() if boundaries else len(data)
    if data[:first].strip(b" \t\r\n" + _BYTE_ORDER_MARK):
        yield data[:first]
    for number, boundary in enumerate(boundaries):
        end = boundaries[number + 1].start() if number + 1 < len(boundaries) else len(data)
        if boundary[1] == b"MSH":
            yield _without_blank_lines(data[boundary.start() : end])
        elif after := _after_first_line(data[boundary.start() : end]):
            yield after


def _without_blank_lines(message: bytes) -> bytes:
    """Cut the blank lines that part a message from the next one; its own last line end stays."""
    ending = _LINE_END.search(message, len(message.rstrip(b" \t\r\n")))
    return message[: ending.end()] if ending else message


def _after_first_line(data: bytes) -> bytes:
    ending = _LINE_END.search(data)
    rest = data[ending.end() :] if ending else b""
    return rest if rest.strip(b" \t\r\n") else b""
