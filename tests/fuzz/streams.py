"""Byte streams as a hospital, a broken engine or an attacker may send them; the same seed and number, the same stream.

A stream is what one connection carries: mostly frames with messages that were real before something happened to them,
sometimes with noise, lost or doubled frame bytes, now and then nothing but chance.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapter.hl7v2 import batch
from tests.fuzz import odd

CASES = Path(__file__).parents[1] / "cases"
STREAMS = Path(__file__).parents[2].parent / "shared" / "cohort" / "messages"
OF_EACH_HOSPITAL = 150
HUGE = 1500  # one message of so many is blown up
Change = Callable[[random.Random, list[bytes]], None]


def examples() -> list[bytes]:
    """Real messages to begin with: the golden cases, as production, and some of the reference cohort if it is here."""
    found = [case.read_bytes().replace(b"|T|2.", b"|P|2.", 1) for case in sorted(CASES.glob("*/*/message.hl7"))]
    for file in sorted(STREAMS.glob("0*.mllp")):
        every = list(batch.messages(file.read_bytes()))
        found += every[:: max(1, len(every) // OF_EACH_HOSPITAL)]
    return found


@dataclass(frozen=True)
class Streams:
    """Streams made of these examples."""

    examples: Sequence[bytes]
    seed: int

    def make(self, number: int) -> bytes:
        """The stream of this number."""
        chance = random.Random(self.seed * 1_000_003 + number)
        if chance.random() < 0.02:
            return chance.randbytes(chance.randrange(600))
        parts: list[bytes] = []
        for _ in range(chance.choice((1, 1, 1, 1, 1, 1, 2, 3))):
            parts += (
                _rarely(chance, odd.BETWEEN),
                chance.choice(odd.STARTS),
                self._payload(chance),
                chance.choice(odd.ENDS),
            )
        return b"".join(parts)

    def _payload(self, chance: random.Random) -> bytes:
        raw = chance.choice(self.examples)
        lines = raw.replace(b"\r\n", b"\r").replace(b"\n", b"\r").rstrip(b"\r").split(b"\r")
        for _ in range(chance.choice((0, 1, 1, 2, 2, 3, 5, 8))):
            chance.choice(_OF_LINES)(chance, lines)
        if chance.random() < 0.25:
            self._cross(chance, lines)
        if chance.randrange(HUGE) == 0:
            chance.choice(_HUGE)(chance, lines)
        end = chance.choice(odd.SEPARATORS) if chance.random() < 0.1 else b"\r"
        raw = end.join(lines) + end
        return chance.choice(_OF_BYTES)(chance, raw) if chance.random() < 0.2 else raw

    def _cross(self, chance: random.Random, lines: list[bytes]) -> None:
        """Take segments of another message."""
        other = chance.choice(self.examples).replace(b"\n", b"\r").split(b"\r")
        at = chance.randrange(len(other))
        lines[_place(chance, lines) : 0] = other[at : at + chance.choice((1, 1, 2, 5))]


def _rarely(chance: random.Random, values: Sequence[bytes]) -> bytes:
    return chance.choice(values) if chance.random() < 0.06 else b""


def _place(chance: random.Random, lines: Sequence[bytes]) -> int:
    """A segment, seldom the header."""
    return chance.randrange(len(lines)) if len(lines) < 2 or chance.random() < 0.1 else chance.randrange(1, len(lines))


def _set(line: bytes, number: int, value: bytes) -> bytes:
    fields = line.split(b"|")
    fields += [b""] * (number + 1 - len(fields))
    fields[number] = value
    return b"|".join(fields)


def _field(chance: random.Random, lines: list[bytes]) -> None:
    at = _place(chance, lines)
    lines[at] = _set(lines[at], chance.randrange(1, lines[at].count(b"|") + 3), _value(chance))


def _component(chance: random.Random, lines: list[bytes]) -> None:
    at = _place(chance, lines)
    fields = lines[at].split(b"|")
    number = chance.randrange(len(fields))
    sign = chance.choice((b"^", b"^", b"^", b"~", b"&"))
    parts = fields[number].split(sign)
    parts[chance.randrange(len(parts))] = _value(chance)
    fields[number] = sign.join(parts)
    lines[at] = b"|".join(fields)


def _value(chance: random.Random) -> bytes:
    return chance.choice(odd.VALUES) if chance.random() < 0.95 else chance.randbytes(chance.randrange(12))


def _move(chance: random.Random, lines: list[bytes]) -> None:
    """A field's content in a place where it does not belong."""
    fields = chance.choice(lines).split(b"|")
    at = _place(chance, lines)
    lines[at] = _set(lines[at], chance.randrange(1, 25), chance.choice(fields))


def _repeat(chance: random.Random, lines: list[bytes]) -> None:
    at = _place(chance, lines)
    fields = lines[at].split(b"|")
    number = chance.randrange(len(fields))
    fields[number] = chance.choice((b"~", b"~", b"^", b"&", b"|")).join(
        [fields[number]] * chance.choice((2, 3, 10, 60))
    )
    lines[at] = b"|".join(fields)


def _drop(chance: random.Random, lines: list[bytes]) -> None:
    if len(lines) > 1:
        del lines[_place(chance, lines)]


def _double(chance: random.Random, lines: list[bytes]) -> None:
    lines[_place(chance, lines) : 0] = [chance.choice(lines)] * chance.choice((1, 1, 2, 20))


def _swap(chance: random.Random, lines: list[bytes]) -> None:
    one, other = _place(chance, lines), _place(chance, lines)
    lines[one], lines[other] = lines[other], lines[one]


def _shuffle(chance: random.Random, lines: list[bytes]) -> None:
    tail = lines[1:]
    chance.shuffle(tail)
    lines[1:] = tail


def _name(chance: random.Random, lines: list[bytes]) -> None:
    at = _place(chance, lines)
    lines[at] = chance.choice(odd.SEGMENTS) + lines[at][3:]


def _shorten(chance: random.Random, lines: list[bytes]) -> None:
    at = _place(chance, lines)
    lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]


def _head(chance: random.Random, lines: list[bytes]) -> None:
    """MSH says something else: event, version, character set, processing, conditions of the answer."""
    number, values = chance.choice(
        ((8, odd.EVENTS), (11, odd.VERSIONS), (17, odd.CHARSETS), (10, odd.VALUES), (14, odd.VALUES), (9, odd.VALUES))
    )
    lines[0] = _set(lines[0], number, chance.choice(values))


def _type(chance: random.Random, lines: list[bytes]) -> None:
    """OBX-2 says another type than OBX-5 has, and OBX-5 may hold anything."""
    results = [at for at, line in enumerate(lines) if line.startswith(b"OBX|")]
    for at in chance.sample(results, min(len(results), chance.choice((1, 1, 3)))):
        lines[at] = _set(lines[at], 2, chance.choice(odd.TYPES))
        if chance.random() < 0.6:
            lines[at] = _set(
                lines[at], 5, chance.choice((b"^", b"&", b"~", b"")).join([_value(chance), _value(chance)])
            )


def _sender(chance: random.Random, lines: list[bytes]) -> None:
    lines[0] = _set(
        lines[0], chance.choice((2, 3)), chance.choice((b"FAHZU", b"JHAH", b"LIS", b"HIS", b"\xba\xbd", b""))
    )


_OF_LINES: tuple[Change, ...] = (
    *(_field, _field, _field, _component, _component, _component, _type, _type, _head, _head, _move),
    *(_repeat, _drop, _double, _swap, _shuffle, _name, _shorten, _sender),
)


def _many_segments(chance: random.Random, lines: list[bytes]) -> None:
    lines += [chance.choice(lines[1:] or lines)] * chance.choice((3_000, 19_000, 19_980, 20_100))


def _many_groups(chance: random.Random, lines: list[bytes]) -> None:
    """Several segments that belong together, again and again: orders with their results, patients with their orders."""
    at = _place(chance, lines)
    some = lines[at : at + chance.choice((2, 3, 4))]
    lines += some * (chance.choice((2_000, 19_000)) // len(some))


def _many_repetitions(chance: random.Random, lines: list[bytes]) -> None:
    at = _place(chance, lines)
    value = chance.choice((b"", b"x", b"a^b^c&d", b"1^^^S&1.2&ISO^MR"))
    lines[at] = _set(lines[at], chance.randrange(1, 25), b"~".join([value] * chance.choice((1_999, 2_000, 2_001))))


def _many_fields(chance: random.Random, lines: list[bytes]) -> None:
    for at in range(1, len(lines)):
        lines[at] += b"|x^y&z~w" * chance.choice((450, 499, 520))


def _long_text(chance: random.Random, lines: list[bytes]) -> None:
    at = _place(chance, lines)
    piece = chance.choice((b"x", b"\\.br\\", b"\\X0D\\", b"^", b"&", "试".encode(), b"9", b"\\", b" ", b"QUJD"))
    lines[at] = _set(
        lines[at], chance.choice((1, 3, 5, 13)), piece * (chance.choice((99_000, 999_000, 3_000_000)) // len(piece))
    )


_HUGE: tuple[Change, ...] = (_many_segments, _many_groups, _many_repetitions, _many_fields, _long_text)


def _delimiters(chance: random.Random, raw: bytes) -> bytes:
    """The same message with other delimiters, or MSH-2 that says others than stand in the message."""
    others = bytes(chance.sample(b"|^~\\&#$%*!@+/<>=:;", 5))
    if chance.random() < 0.6:
        return raw.translate(bytes.maketrans(b"|^~\\&", others))
    return raw[:4] + chance.choice((others[:4], others, others[:3], b"^^~&", b"A~\\&", b"")) + raw[8:]


def _recode(chance: random.Random, raw: bytes) -> bytes:
    """Characters in another set than MSH-18 declares."""
    return raw.decode("utf-8", "replace").encode(chance.choice(odd.CODECS), "replace")


def _cut(chance: random.Random, raw: bytes) -> bytes:
    return raw[: chance.randrange(len(raw) + 1)]


def _overwrite(chance: random.Random, raw: bytes) -> bytes:
    spoilt = bytearray(raw)
    for _ in range(chance.choice((1, 1, 3, 10))):
        start = chance.randrange(len(spoilt) + 1)
        spoilt[start : start + chance.choice((0, 1, 1, 30))] = _value(chance)
    return bytes(spoilt)


def _half_characters(chance: random.Random, raw: bytes) -> bytes:
    """First bytes of characters of GB 18030 before delimiters, which then are their second bytes."""
    spoilt = bytearray(raw)
    for _ in range(chance.choice((1, 3, 10))):
        at = chance.randrange(len(spoilt) + 1)
        spoilt[at:at] = bytes([chance.randrange(0x81, 0xFF)])
    return bytes(spoilt)


def _flip(chance: random.Random, raw: bytes) -> bytes:
    spoilt = bytearray(raw or b"\x00")
    for _ in range(chance.choice((1, 2, 8))):
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    return bytes(spoilt)


_OF_BYTES = (_delimiters, _recode, _cut, _overwrite, _half_characters, _flip)
