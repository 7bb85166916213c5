"""What a file of any length holds, one unit at a time: a message, or a batch with its envelope."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from adapter.errors import TooLarge
from adapter.hl7v2.batch import BOUNDARY, END, START, frame_end, plain, without_blank_lines
from adapter.hl7v2.envelope import begins

CHUNK = 1024 * 1024
_BLANK = b" \t\r\n"


def units(read: Callable[[int], bytes], *, limit: int) -> Iterator[bytes]:
    """Read a file of MLLP frames, of batches (FHS, BHS), or of messages one after another.

    Args:
        read: gives at most so many of the next bytes, none at the end.
        limit: the largest unit; the file itself may have any length.

    Returns:
        Each unit as it stands in the file, without its frame; text that is none of them is a unit of its own.

    Raises:
        TooLarge: a unit is larger.
    """
    left = read(CHUNK)
    cuts = _framed if START in left else _plain
    more = left
    while more:
        more = read(max(CHUNK, len(left)))
        places = [0, *(place for place in cuts(left) if place)]
        if not more:
            places.append(len(left))
        for start, end in pairwise(places):
            yield from _taken(left[start:end])
        left = left[places[-1] :]
        if len(left) > limit:
            raise TooLarge(f"a message or batch above {limit} bytes")
        left += more


def is_hl7(unit: bytes) -> bool:
    """Whether it is a message or a batch."""
    return begins(unit) or any(True for _ in BOUNDARY.finditer(unit[:8]))


def _taken(part: bytes) -> Iterator[bytes]:
    """The unit without its frame and without the blank lines that follow it."""
    if part[:1] == START:
        yield part[1 : frame_end(part, 1)]
    elif begins(part):
        yield without_blank_lines(part)
    else:
        yield from plain(part)


def _framed(data: bytes) -> Iterator[int]:
    """Where frames begin, and what stands between them."""
    start = data.find(START)
    while start >= 0:
        yield start
        end = frame_end(data, start + 1) + len(END)
        start = data.find(START, end)
        if data[end : start if start >= 0 else len(data)].strip(_BLANK):
            yield end


def _plain(data: bytes) -> Iterator[int]:
    """Where messages and batches begin that stand in no batch."""
    around = b""
    for boundary in BOUNDARY.finditer(data):
        name = boundary[1]
        if boundary.end() == len(data):
            return  # the next byte decides whether it is one
        opens = name == b"FHS" or (name == b"BHS" and around != b"FHS")
        if opens or not around:
            yield boundary.start()
        if opens:
            around = name
        elif name == b"FTS" or (name == b"BTS" and around == b"BHS"):
            around = b""
