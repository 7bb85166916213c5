"""What is wrong in the content of a message by HL7 v2 alone, found before it is answered (catalogue E1 to E8, E33).

Asked only for sites that want to hear it, or that have agreed to be strict: for all others conversion finds the same,
after the answer.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from adapter.errors import Location
from adapter.hl7v2 import grammar
from adapter.hl7v2.message import NULL, Message, Segment
from adapter.hl7v2.remarks import Remark
from adapter.mapper.datatypes.converter import lines
from adapter.mapper.datatypes.doubt import Doubt
from adapter.mapper.datatypes.dtm import IMPOSSIBLE
from adapter.mapper.datatypes.nm import measured
from adapter.mapper.datatypes.obx import MOMENTS, NO_TYPE, NO_VALUE, NOT_NUMERIC, SPELLING
from adapter.mapper.datatypes.quantity import REPAIRED_UNIT
from adapter.mapper.sites import Site
from adapter.mapper.times import fhir_datetime

REFUSED = frozenset({"not-a-number", "impossible-date"})
"""Kinds for which a strict site is refused (E2, E33)."""

_MOST = 20  # places that are named in one message: the first ones tell
_FINAL, _EMPTY = frozenset({"F", "C", "U"}), frozenset({"", NULL})

_Told = tuple[str, str, str]
"""Condition of HL7 table 0357, text, kind."""


def _told(doubt: Doubt) -> _Told:
    return doubt.code, doubt.text, doubt.kind


_IMPOSSIBLE = _told(IMPOSSIBLE)


def contents(message: Message, site: Site, version: str) -> list[Remark]:
    """What a receiver must doubt, in message order; at most the first twenty."""
    return list(islice(_of_segments(message, site, version), _MOST))


def _of_segments(message: Message, site: Site, version: str) -> Iterator[Remark]:
    counts: dict[str, int] = {}
    for segment in message.segments[1:]:
        counts[segment.name] = occurrence = counts.get(segment.name, 0) + 1
        for field, (condition, text, kind) in _of_segment(segment, site, version):
            yield Remark("warning", condition, Location(segment.name, occurrence, field), text, kind)


def _of_segment(segment: Segment, site: Site, version: str) -> Iterator[tuple[int, _Told]]:
    for number in _times(segment.name, version):
        if _is_impossible([one[0][0] for one in segment.field(number)], site):
            yield number, _IMPOSSIBLE
    if segment.name == "OBX":
        yield from _of_result(segment, site)


def _of_result(obx: Segment, site: Site) -> Iterator[tuple[int, _Told]]:
    kind, values = obx.text("2"), [lines((one,)).strip() for one in obx.field(5)]
    if not kind and obx.raw(5):
        yield 2, NO_TYPE
    if not obx.raw(5) and obx.text("11") in _FINAL:
        yield 5, NO_VALUE
    if kind in MOMENTS and _is_impossible(values, site):
        yield 5, _IMPOSSIBLE
    if kind == "NM" and (told := _of_numbers([one for one in values if one not in _EMPTY])):
        yield 5, told
    if (unit := site.units.resolve(obx.field(6))) and unit.repaired:
        yield 6, _told(REPAIRED_UNIT)


def _of_numbers(texts: list[str]) -> _Told | None:
    numbers = [measured(text) for text in texts]
    if None in numbers:
        return NOT_NUMERIC
    return _told(SPELLING) if any(one.tidied or not one.plain for one in numbers if one) else None


def _is_impossible(texts: list[str], site: Site) -> bool:
    return any(one not in _EMPTY and fhir_datetime(one, site.timezone) is None for one in texts)


@lru_cache(maxsize=1024)
def _times(segment: str, version: str) -> tuple[int, ...]:
    """The fields of a segment that hold a date, with or without a time of day."""
    return tuple(one.number for one in grammar.segment_fields(segment, version) if one.datatype in MOMENTS)
