"""What a message is once it is read: segments of raw field texts, split and unescaped when somebody asks."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from adapter.hl7v2.slim import Cut

Component = tuple[str, ...]
Repetition = tuple[Component, ...]
Field = tuple[Repetition, ...]

NULL = '""'
"""HL7 null: the value is to be deleted, where an empty field leaves it as it is (HL7 v2.5.1 §2.5.3)."""

LONGEST_SPLIT_KEPT = 512
"""Fields longer than this (documents, images) are split anew each time instead of filling the memory."""

new_tuple: Callable[[type[Any], Iterable[Any]], Any] = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
"""Makes a named tuple without the call of Python that its own name costs: for what every line of a message needs."""

_PATH = re.compile(
    r"(?:(?P<name>[A-Z][A-Z0-9]{2})(?:\[(?P<occurrence>\d+)\])?-)?"
    r"(?P<field>\d+)(?:\[(?P<repetition>\d+)\])?(?:\.(?P<component>\d+))?(?:\.(?P<subcomponent>\d+))?"
)
_VERTICAL_SPACE = frozenset({"br", "ce"})


class Delimiters(NamedTuple):
    r"""The field separator and encoding characters of one message (MSH-1 and MSH-2); `truncation` from v2.7.

    `encoding` is the Python codec of the bytes that `\X..\` stands for.
    """

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    truncation: str | None
    encoding: str = "utf-8"


class Path(NamedTuple):
    """A position as the standard writes it: `OBX[3]-5[2].1.2`; numbers start at 1."""

    name: str
    occurrence: int
    field: int
    repetition: int
    component: int
    subcomponent: int


@lru_cache(maxsize=4096)
def parse_path(path: str) -> Path:
    """Read `PID-5.1`, `5.1`, `PID-3[2].4.2` or `OBX[3]-5`; what is left out is 1.

    Raises:
        ValueError: the text is no such position.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise ValueError(f"{path!r} is no position in an HL7 v2 message")
    numbers = [int(match[part] or 1) for part in ("occurrence", "field", "repetition", "component", "subcomponent")]
    return Path(match["name"] or "", *numbers)


class Segment(NamedTuple):
    """One segment. `fields[n]` is the raw (still escaped) text of field n, `fields[0]` the name.

    `position` counts the segments as received, from 0; it stays when a fix rewrites the segment, so that two
    segments may share the position of the one that they came from.
    """

    name: str
    fields: tuple[str, ...]
    position: int
    delimiters: Delimiters

    def raw(self, n: int) -> str:
        """The text of field n as it was sent; empty beyond the end."""
        return self.fields[n] if n < len(self.fields) else ""

    def field(self, n: int) -> Field:
        """Field n as repetitions of components of subcomponents, unescaped; `()` when it is empty."""
        raw = self.raw(n)
        if n <= 2 and self.name in HEADERS:
            return (((raw,),),)
        return split_field(raw, self.delimiters)

    def text(self, path: str) -> str:
        """One value: `PID-5.1`, `5.1`, `PID-3[2].4.2`; first repetition, component and subcomponent by default."""
        at = parse_path(path)
        if at.name not in {"", self.name}:
            raise ValueError(f"{path} asked of a segment {self.name}")
        return self.value(at)

    def value(self, at: Path) -> str:
        """The value at a position; empty where there is none."""
        field = self.field(at.field)
        if len(field) < at.repetition:
            return ""
        repetition = field[at.repetition - 1]
        if len(repetition) < at.component:
            return ""
        component = repetition[at.component - 1]
        return component[at.subcomponent - 1] if at.subcomponent <= len(component) else ""


HEADERS = frozenset({"MSH", "FHS", "BHS"})
"""Segments whose fields 1 and 2 are the delimiters themselves."""


class Oddities(NamedTuple):
    r"""What reading noticed: escape sequences other than `\S\`, and how many control characters it left out."""

    escapes: bool = False
    stripped: int = 0


NOTHING_ODD = Oddities()


@dataclass(frozen=True, slots=True)
class Message:
    """A message as received: its segments, and what was decided to read it.

    `source` is the decoded text, `encoding` the name of the Python codec, `encoding_reason` why it was chosen.
    `documents` were cut out of it before.
    """

    segments: tuple[Segment, ...]
    delimiters: Delimiters
    encoding: str
    encoding_reason: str
    source: str
    oddities: Oddities = NOTHING_ODD
    documents: tuple[Cut, ...] = ()

    def text(self, path: str) -> str:
        """One value: `PID-5.1`, or `OBX[3]-5` for the third OBX; empty where there is none."""
        at = parse_path(path)
        found = [segment for segment in self.segments if segment.name == at.name]
        return found[at.occurrence - 1].value(at) if at.occurrence <= len(found) else ""

    def first(self, name: str) -> Segment | None:
        """The first segment of that name."""
        return next((segment for segment in self.segments if segment.name == name), None)

    def all(self, name: str) -> tuple[Segment, ...]:
        """All segments of that name, in their order."""
        return tuple([segment for segment in self.segments if segment.name == name])

    @property
    def sending_application(self) -> str:
        """MSH-3.1."""
        return self.segments[0].text("3.1")

    @property
    def sending_facility(self) -> str:
        """MSH-4.1."""
        return self.segments[0].text("4.1")

    @property
    def receiving_application(self) -> str:
        """MSH-5.1."""
        return self.segments[0].text("5.1")

    @property
    def receiving_facility(self) -> str:
        """MSH-6.1."""
        return self.segments[0].text("6.1")

    @property
    def sent_at(self) -> str:
        """MSH-7.1, as it was written."""
        return self.segments[0].text("7.1")

    @property
    def type(self) -> str:
        """MSH-9.1: `ORU`."""
        return self.segments[0].text("9.1")

    @property
    def event(self) -> str:
        """MSH-9.2: `R01`."""
        return self.segments[0].text("9.2")

    @property
    def structure_sent(self) -> str:
        """MSH-9.3: `ORU_R01`, where the sender fills it."""
        return self.segments[0].text("9.3")

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.segments[0].text("10")

    @property
    def processing_id(self) -> str:
        """MSH-11.1."""
        return self.segments[0].text("11.1")

    @property
    def version(self) -> str:
        """MSH-12.1."""
        return self.segments[0].text("12.1")


def split_field(raw: str, delimiters: Delimiters) -> Field:
    """Split the raw text of one field, then unescape (in this order: an escaped delimiter is data, C16 and C17)."""
    if len(raw) <= LONGEST_SPLIT_KEPT:
        return _split_kept(raw, delimiters)
    return _split(raw, delimiters)


def _split(raw: str, delimiters: Delimiters) -> Field:
    if not raw:
        return ()
    _, component, repetition, escape_, subcomponent, *_ = delimiters
    if escape_ in raw:
        return tuple(
            [
                tuple([tuple([unescape(t, delimiters) for t in c.split(subcomponent)]) for c in r.split(component)])
                for r in raw.split(repetition)
            ]
        )
    if subcomponent in raw:
        return tuple([tuple([tuple(c.split(subcomponent)) for c in r.split(component)]) for r in raw.split(repetition)])
    return tuple([tuple([(c,) for c in r.split(component)]) for r in raw.split(repetition)])


_split_kept = lru_cache(maxsize=32_768)(_split)


@lru_cache(maxsize=64)
def _sequences(delimiters: Delimiters) -> tuple[re.Pattern[str], dict[str, str]]:
    """The escape sequences that are understood, and what the single letters stand for (HL7 v2.5.1 §2.7)."""
    mark = re.escape(delimiters.escape)
    letters = {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent,
        "R": delimiters.repetition,
        "E": delimiters.escape,
        "H": "",
        "N": "",
    }
    if delimiters.truncation:
        letters["P"] = delimiters.truncation
    known = "".join(letters)
    pattern = re.compile(
        f"{mark}(?:(?P<letter>[{known}])|X(?P<hex>(?:[0-9A-Fa-f]{{2}})+)"
        rf"|\.(?P<command>br|ce|fi|nf|in|ti|sp|sk|BR|CE|FI|NF|IN|TI|SP|SK)(?P<count>[+-]?\d{{0,3}})){mark}"
    )
    return pattern, letters


def unescape(text: str, delimiters: Delimiters) -> str:
    r"""Replace the escape sequences of one value; whatever is not one stays as it is (C18, C19).

    `\.br\` and its like become line breaks and spaces, highlighting goes (C20). The bytes of `\X..\` are characters
    of the message's own character set; where they are not, the sequence stays.
    """
    if delimiters.escape not in text:
        return text
    pattern, letters = _sequences(delimiters)

    def plain(match: re.Match[str]) -> str:
        if (letter := match["letter"]) is not None:
            return letters[letter]
        if (digits := match["hex"]) is not None:
            return _from_hex(digits, delimiters.encoding) or match[0]
        return _formatting(match["command"].lower(), match["count"])

    return pattern.sub(plain, text)


def odd_escape(text: str, delimiters: Delimiters) -> bool:
    """Whether a raw text holds an escape sequence that stays as it is (C18, C19)."""
    pattern, _ = _sequences(delimiters)

    def unread(match: re.Match[str]) -> str:
        digits = match["hex"]
        return "" if digits is None or _from_hex(digits, delimiters.encoding) else match[0]

    return delimiters.escape in pattern.sub(unread, text)


def _from_hex(digits: str, encoding: str) -> str:
    try:
        return bytes.fromhex(digits).decode(encoding)
    except UnicodeDecodeError:
        return ""


def _formatting(command: str, count: str) -> str:
    number = int(count) if count.isdigit() else 1
    if command in _VERTICAL_SPACE:
        return "\n"
    return {"sp": "\n", "sk": " "}.get(command, "") * number


def escape(text: str, delimiters: Delimiters) -> str:
    r"""Write a value so that it can stand in a field: delimiters as `\F\` and so on, controls as `\X..\`."""
    return text.translate(_escapes(delimiters))


@lru_cache(maxsize=64)
def _escapes(delimiters: Delimiters) -> dict[int, str]:
    mark = delimiters.escape
    table = {code: f"{mark}X{code:02X}{mark}" for code in range(0x20) if code != 0x09}
    table |= {
        ord(delimiters.field): f"{mark}F{mark}",
        ord(delimiters.component): f"{mark}S{mark}",
        ord(delimiters.subcomponent): f"{mark}T{mark}",
        ord(delimiters.repetition): f"{mark}R{mark}",
        ord(mark): f"{mark}E{mark}",
    }
    if delimiters.truncation:
        table[ord(delimiters.truncation)] = f"{mark}P{mark}"
    return table
