r"""What a person should know of a message that was read all the same: table 0357 conditions of severity W or I.

Conversion adds them to its issues; a site may ask to be told them in the acknowledgement too (ERR, severity W).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from adapter.errors import Location
from adapter.hl7v2.encoding import BYTE_ORDER_MARK
from adapter.hl7v2.message import HEADERS, Message, odd_escape

_MOST = 20
"""Places that are named in one message: the first ones tell."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One: `code` is the condition, `kind` a short name to count by; `text` holds no value of the message."""

    severity: str
    code: str
    at: Location
    text: str
    kind: str


def remarks(message: Message) -> tuple[Remark, ...]:
    """Everything that was odd in the characters of a message; usually nothing, and found out at little cost."""
    found: list[Remark] = []
    if message.source.startswith(BYTE_ORDER_MARK):
        found.append(Remark("information", "0", Location("MSH"), "begins with a byte order mark", "byte-order-mark"))
    if message.encoding_reason.startswith("MSH-18, not"):
        text = "the name of the character set is not that of table 0211"
        found.append(Remark("warning", "103", Location("MSH", field=18), text, "charset-spelling"))
    head = message.segments[0]
    if message.delimiters.repetition in head.raw(18):
        text = "several character sets are named: the first is read"
        found.append(Remark("information", "0", Location("MSH", field=18), text, "charset-repeated"))
    if message.oddities.stripped:
        text = "control characters were left out"
        found.append(Remark("warning", "102", Location("MSH"), text, "controls-stripped"))
    if message.oddities.escapes:
        found += [Remark("warning", "102", at, *_ODD_ESCAPE) for at in _odd_escapes(message)]
    return tuple(found)


_ODD_ESCAPE = ("an escape sequence that is not understood is kept as sent", "escape-kept")


def _odd_escapes(message: Message) -> Iterator[Location]:
    counts: dict[str, int] = {}
    left, mark = _MOST, message.delimiters.escape
    for segment in message.segments:
        counts[segment.name] = occurrence = counts.get(segment.name, 0) + 1
        if mark not in "|".join(segment.fields):  # a hundred fields are not asked one by one
            continue
        for number, raw in enumerate(segment.fields):
            if mark not in raw or (number <= 2 and segment.name in HEADERS):
                continue
            if odd_escape(raw, message.delimiters):
                yield Location(segment.name, occurrence, number)
                left -= 1
                if not left:
                    return
