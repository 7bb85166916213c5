"""Quirks of hospitals' HL7 that have a named fix: how each is repaired, and how it is seen in a sample.

A fix never invents: it moves or writes out what was sent, and keeps the segment's position, so that every value still
leads to its bytes. docs/dialects.md says for each known quirk which way it is handled.
"""

import re
from collections.abc import Callable, Mapping

from adapter.hl7v2 import grammar
from adapter.hl7v2.message import Segment

_BETWEEN_HAN = re.compile(r"(?<=[\u3400-\u9fff])[ \u3000]+(?=[\u3400-\u9fff])")
_MIDNIGHT = re.compile(r"^(\d{8})0{4}(?:00)?$")
_UNDOTTED = re.compile(r"((?:19|20)\d{12})(\d{3})((?:[+-]\d{4})?)")
_NUMBERS = {"ORC": (2, 3), "OBR": (2, 3), "SPM": (2,)}
_MOMENTS = frozenset({"TS", "DTM"})

Segments = tuple[Segment, ...]


def names_without_blanks(segments: Segments) -> Segments:
    """`李  四` in PID-5 becomes `李四`: blanks between Han characters only fill a column."""
    return _mapped(segments, {"PID": (5,)}, lambda text: _BETWEEN_HAN.sub("", text))


def names_without_asterisk(segments: Segments) -> Segments:
    """`*李四` in PID-5 becomes `李四`: the asterisk is a mark of the sender's screens."""
    return _mapped(segments, {"PID": (5,)}, lambda text: "~".join(one.lstrip("*") for one in text.split("~")))


def birth_date_alone(segments: Segments) -> Segments:
    """`19931130000000` in PID-7 becomes `19931130`: a midnight that every patient has is no time of birth."""
    return _mapped(segments, {"PID": (7,)}, lambda text: _MIDNIGHT.sub(r"\1", text) if len(text) > 8 else text)


def dotted_milliseconds(segments: Segments) -> Segments:
    """`20240315063000123` becomes `20240315063000.123` in the fields that hold times."""
    times = {name: _times(name) for name in {segment.name for segment in segments}}
    return _mapped(segments, times, lambda text: _UNDOTTED.sub(r"\1.\2\3", text) if _UNDOTTED.fullmatch(text) else text)


def number_in_third_component(segments: Segments) -> Segments:
    """`^^BAR123` in ORC-2, ORC-3, OBR-2, OBR-3 and SPM-2 becomes `BAR123`: the number stands in EI.3."""
    return _mapped(segments, _NUMBERS, lambda text: text[2:] if text.startswith("^^") and "^" not in text[2:] else text)


def orc_before_obr(segments: Segments) -> Segments:
    """An ORC directly behind its OBR stands before it, as HL7 has it: the results then belong to that OBR.

    Only where the message begins its orders with OBR: `ORC OBR ORC OBR` are two orders as they should be.
    """
    if next((segment.name for segment in segments if segment.name in {"ORC", "OBR"}), "") != "OBR":
        return segments
    made: list[Segment] = []
    for segment in segments:
        if segment.name == "ORC" and made and made[-1].name == "OBR":
            made.insert(-1, segment)
        else:
            made.append(segment)
    return tuple(made)


QUIRKS = {
    "names-without-blanks": names_without_blanks,
    "names-without-asterisk": names_without_asterisk,
    "birth-date-alone": birth_date_alone,
    "dotted-milliseconds": dotted_milliseconds,
    "number-in-third-component": number_in_third_component,
    "orc-before-obr": orc_before_obr,
}


def seen(segments: Segments) -> list[str]:
    """The names of the fixes that would change this message."""
    return [name for name, fix in QUIRKS.items() if fix(segments) != segments]


def _mapped(segments: Segments, fields: Mapping[str, tuple[int, ...]], change: Callable[[str], str]) -> Segments:
    return tuple(_changed(segment, fields.get(segment.name, ()), change) for segment in segments)


def _changed(segment: Segment, numbers: tuple[int, ...], change: Callable[[str], str]) -> Segment:
    fields = list(segment.fields)
    for number in numbers:
        if number < len(fields) and fields[number]:
            fields[number] = change(fields[number])
    return segment if tuple(fields) == tuple(segment.fields) else segment._replace(fields=tuple(fields))


def _times(name: str) -> tuple[int, ...]:
    return tuple(one.number for one in grammar.segment_fields(name, "2.5.1") if one.datatype in _MOMENTS)
