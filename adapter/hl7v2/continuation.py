"""Messages in fragments (HL7 v2.5.1 §2.10.2): recognised, and put together again byte for byte.

A fragment that goes on elsewhere ends with DSC; the next one repeats DSC-1 in MSH-14. ADD goes on with the text of the
segment before it, in the same message or at the beginning of the next. Nothing is split at delimiters, so that the
characters of a fragment do not matter.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from adapter.hl7v2.header import Header
from adapter.hl7v2.message import Message

_LINE_END = re.compile(rb"\r\n?")
_INTERACTIVE = "I"


@dataclass(frozen=True, slots=True)
class Fragment:
    """Where a fragment stands: `after` is its MSH-14, `before` its DSC-1; empty at the beginning and at the end."""

    after: str
    before: str


def fragment(message: Message, head: Header) -> Fragment | None:
    """The place of a fragment; None for a message that is whole.

    A DSC of style `I` belongs to a query's answer, which is no fragment (table 0398).
    """
    last = message.segments[-1]
    before = last.text("1") if last.name == "DSC" and last.text("2") != _INTERACTIVE else ""
    after = head.text(14)
    if after or before or message.first("ADD"):
        return Fragment(after, before)
    return None


def words(place: Fragment) -> list[str]:
    """Flags by which the inbox finds the neighbours of a fragment: digests, since a pointer may be any text."""
    said = (("after", place.after), ("before", place.before))
    return [f"{name}:{blake2b(text.encode(), digest_size=8).hexdigest()}" for name, text in said if text]


def of_words(flags: str) -> Fragment:
    """The place that `words` have told."""
    told = dict(word.split(":", 1) for word in flags.split() if ":" in word)
    return Fragment(told.get("after", ""), told.get("before", ""))


def chain(last: int, fragments: Mapping[int, Fragment]) -> list[int]:
    """The fragments of one message, in their order, up to `last`; none while one of them is missing.

    Args:
        last: a fragment that says no other follows.
        fragments: all that wait, by their number.
    """
    ends = {one.before: number for number, one in sorted(fragments.items()) if one.before}
    found = [last]
    while pointer := fragments[found[-1]].after:
        previous = ends.get(pointer)
        if previous is None or previous in found:
            return []
        found.append(previous)
    return found[::-1]


def join(fragments: Sequence[bytes]) -> bytes:
    """One message of its fragments: the header of the first, no DSC, and every ADD at the end of what it goes on with.

    Args:
        fragments: as they were received, in their order.
    """
    lines: list[bytes] = []
    for number, raw in enumerate(fragments):
        segments = [line for line in _lines(raw) if line[:3] != b"DSC"]
        for line in segments[1 if number else 0 :]:
            if line[:3] != b"ADD":
                lines.append(line)
            elif lines:
                lines[-1] += line[4:]
    return b"".join(line + b"\r" for line in lines)


def _lines(raw: bytes) -> list[bytes]:
    """The segments; LF ends them only where no CR does, as in `parse` (B45)."""
    lines = _LINE_END.sub(b"\r", raw).split(b"\r") if b"\r" in raw else raw.split(b"\n")
    return [line for line in lines if line.strip()]
