"""What sample messages of an unknown hospital show: who sends, in which characters, times, numbers, codes, quirks."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from adapter.errors import AdapterError
from adapter.hl7v2.encoding import candidates
from adapter.hl7v2.message import Message, Repetition, Segment
from adapter.hl7v2.parse import header, parse
from adapter.mapper.datatypes.converter import part
from adapter.mapper.quirks import seen

CODED = {"OBX": (3,), "OBR": (4,), "RXA": (5, 9), "RXR": (1,), "DG1": (3,), "PID": (8,), "PV1": (2, 36), "SPM": (4,)}
"""The fields whose local codes are collected."""

_OFFSET = re.compile(r"\d{8,14}(?:\.\d{1,4})?([+-]\d{4})")


@dataclass(slots=True)
class Survey:
    """Counts over the samples. `codes` by path, code and words; `identifiers` by authority and type."""

    messages: int = 0
    senders: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    processing: Counter[str] = field(default_factory=Counter[str])
    charsets: Counter[str] = field(default_factory=Counter[str])
    offsets: Counter[str] = field(default_factory=Counter[str])
    identifiers: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    codes: Counter[tuple[str, str, str]] = field(default_factory=Counter[tuple[str, str, str]])
    units: Counter[str] = field(default_factory=Counter[str])
    quirks: Counter[str] = field(default_factory=Counter[str])
    example: dict[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])
    unreadable: list[str] = field(default_factory=list[str])
    fits: dict[str, int] = field(default_factory=lambda: defaultdict[str, int](int))

    @property
    def charset(self) -> str:
        """The character set that fits all samples: UTF-8 before GB 18030, which reads nearly anything."""
        return "utf-8" if self.fits["utf-8"] == sum(self.charsets.values()) else "gb18030"

    @property
    def is_declared(self) -> bool:
        """Whether every sample says its character set in MSH-18."""
        return "" not in self.charsets


def survey(messages: Iterable[tuple[str, bytes]]) -> Survey:
    """Read the samples; each comes with what names it. One that cannot be read is named in `unreadable`."""
    raws = list(messages)
    found = Survey()
    for name, raw in raws:
        try:
            _head(found, raw)
        except AdapterError as error:
            found.unreadable.append(f"{name}: {error.text}")
    for name, raw in raws:
        try:
            message = parse(raw, default_encoding=found.charset)
        except AdapterError as error:
            found.unreadable.append(f"{name}: {error.text}")
            continue
        _message(found, message, name)
    found.unreadable = list(dict.fromkeys(found.unreadable))
    return found


def _head(found: Survey, raw: bytes) -> None:
    head = header(raw)
    found.charsets[head.charset] += 1
    sender = (head.sending_application.partition("^")[0], head.sending_facility.partition("^")[0])
    found.senders[sender] += 1
    for one in candidates(raw, declared="", default=None):
        found.fits[one.encoding] += one.fits


def _message(found: Survey, message: Message, name: str) -> None:
    found.messages += 1
    found.processing[message.segments[0].text("MSH-11.1")] += 1
    found.quirks.update(seen(message.segments))
    for segment in message.segments:
        found.offsets.update(offset for raw in segment.fields for offset in _OFFSET.findall(raw))
        for number in CODED.get(segment.name, ()):
            _codes(found, segment, number, name)
        if segment.name == "PID":
            for repetition in segment.field(3):
                if part(repetition, 1):
                    found.identifiers[part(repetition, 4), part(repetition, 5)] += 1
        if segment.name == "OBX" and (unit := "^".join(one[0] for one in _first(segment, 6)).strip("^")):
            found.units[unit] += 1
            found.example.setdefault(("unit", unit), name)


def _codes(found: Survey, segment: Segment, number: int, name: str) -> None:
    repetition = _first(segment, number)
    code, display = part(repetition, 1) or part(repetition, 4), part(repetition, 2) or part(repetition, 5)
    if code or display:
        key = (f"{segment.name}-{number}", code or display, display)
        found.codes[key] += 1
        found.example.setdefault(key, name)


def _first(segment: Segment, number: int) -> Repetition:
    field = segment.field(number)
    return field[0] if field else ()
