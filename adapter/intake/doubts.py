"""What is odd about a message and refuses nothing: flags on its row, and warnings for a sender that wants to hear them.

Where a site has agreed to be strict, some of these are refused instead.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from adapter.errors import Location, MissingField, MissingHeaderField, Refusal
from adapter.hl7v2 import grammar
from adapter.hl7v2.ack import Fault
from adapter.hl7v2.message import Message, Segment
from adapter.hl7v2.remarks import Remark, remarks
from adapter.intake.contents import REFUSED, contents
from adapter.intake.reading import Reading
from adapter.protocol_errors import (
    ContradictedStructure,
    MixedSegmentEnds,
    UnknownCondition,
    UnreadableTime,
    UnreadableValue,
)

CONDITIONS = frozenset({b"", b"AL", b"NE", b"ER", b"SU"})
"""HL7 table 0155."""

NEWER_FIELDS = "newer_fields"

_MOST = 1000  # names that are remembered: Z segments are the senders' own

_STANDARD = ("|", "^", "~", "\\", "&")
_USUAL_CONTROL_ID = 20
_LONE_SEGMENT = re.compile(r"(?<!\r)\n[A-Z][A-Z0-9]{2}(?=[^\w\s])")
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(?:(\d\d)(?:\.\d+)?)?)?(?:([+-])(\d\d)(\d\d))?(?![\w.+-])")


def doubt_header(reading: Reading) -> None:
    """Look at MSH.

    Raises:
        ContentRefusal: MSH-7 is no time, of a site that has agreed to be strict (B52).
    """
    head = reading.head
    if head.delimiters[:5] != _STANDARD:
        reading.flag("other_delimiters")
    if not head.raw(12):
        reading.flag("version_of_site")
    if not head.raw(11):
        warning = MissingHeaderField("the processing id is missing", at=Location("MSH", field=11))
        reading.flag("processing_missing", warning)
    if len(head.control_id) > _USUAL_CONTROL_ID:
        reading.flag("long_control_id")
    sent = head.structure_sent
    if sent and sent not in (reading.structure, f"{reading.type}_{reading.event}"):
        reading.flag("structure_contradicted", ContradictedStructure(f"MSH-9.1 and 9.2 mean {reading.structure}"))
    for field in (15, 16):
        if head.raw(field) not in CONDITIONS:
            at = Location("MSH", field=field)
            reading.flag("unknown_condition", UnknownCondition("this is not in table 0155 and counts as AL", at=at))
    _doubt_time(reading)


def doubt_message(reading: Reading, message: Message) -> None:
    """Look at the text: its characters, its ends of segments, fields that its version does not have."""
    if message.encoding_reason.startswith("MSH-18, not"):
        reading.flag("charset_spelling")
    if message.oddities.stripped:
        reading.flag("controls_stripped")
    if reading.policy.warnings:
        reading.warnings += [_told(one) for one in remarks(message) if one.severity == "warning"]
    if "\n" in message.source:
        _doubt_ends(reading, message.source)
    if newer_fields(message.segments, reading.version):
        reading.flag(NEWER_FIELDS)


def doubt_contents(reading: Reading, message: Message) -> None:
    """Look at values, for a site that is told doubts or has agreed to be strict.

    Raises:
        UnreadableValue: a number or a date is none, of a site that has agreed to be strict (E2, E33).
    """
    policy, site = reading.policy, reading.site
    if site is None or not (policy.warnings or policy.strict):
        return
    found = contents(message, site, reading.version)
    if policy.strict and (refused := next((one for one in found if one.kind in REFUSED), None)):
        raise UnreadableValue(refused.text, at=refused.at)
    reading.warnings += [_told(one) for one in found]


def sent_at(reading: Reading) -> datetime | None:
    """MSH-7; None where it is no time, or no site says in which zone."""
    return _instant(reading.head.raw(7), reading.site.timezone) if reading.site else None


def newer_fields(segments: Sequence[Segment], version: str) -> str:
    """The first field or segment that a later version has and this one has not (B24): `PID-39`; empty: none."""
    limits = _limits(version)
    for segment in segments:
        known = limits[segment.name]
        if len(segment.fields) - 1 <= known or (valued := _last_valued(segment)) <= known:
            continue
        if later := _first_with(segment.name, valued, version):
            name = f"{segment.name}-{valued}" if known else segment.name
            return f"declares {version}, uses {name} of {later}"
    return ""


def _told(remark: Remark) -> Fault:
    """As the acknowledgement says it; these have no leaf of the error tree, since they never refuse anything."""
    words = remark.kind.replace("-", " ").capitalize()
    return Fault(Refusal.code, words, remark.text, Refusal.mender, remark.code, remark.at)


def _doubt_time(reading: Reading) -> None:
    if sent_at(reading):
        return
    at = Location("MSH", field=7)
    doubt = UnreadableTime("MSH-7 is no time") if reading.head.raw(7) else MissingField("MSH-7 is missing", at=at)
    if reading.policy.strict:
        raise doubt
    reading.flag("time_missing", doubt)


def _doubt_ends(reading: Reading, source: str) -> None:
    if "\r" not in source:
        reading.flag("line_feeds")
    elif _LONE_SEGMENT.search(source):
        reading.flag("mixed_segment_ends", MixedSegmentEnds("what looks like a segment begins after a lone LF"))


@lru_cache(maxsize=1024)
def _instant(raw: bytes, zone: tzinfo) -> datetime | None:
    found = _TIME.match(raw.decode("latin-1"))
    if found is None:
        return None
    *numbers, sign, hours, minutes = found.groups()
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        zone = timezone(offset if sign == "+" else -offset) if offset < timedelta(days=1) else zone
    try:
        return datetime(*(int(number or 0) for number in numbers), tzinfo=zone)
    except ValueError:
        return None


class _Limits(dict[str, int]):
    """How many fields a version has of each segment: none of one that it lacks, any number of one that is nobody's."""

    def __init__(self, version: str) -> None:
        self._version = version

    def __missing__(self, segment: str) -> int:
        fields = grammar.segment_fields(segment, self._version)
        later = any(grammar.segment_fields(segment, other) for other in _later(self._version))
        known = fields[-1].number if fields else 0 if later else 1 << 30
        if len(self) < _MOST:
            self[segment] = known
        return known


_limits = lru_cache(maxsize=64)(_Limits)


@lru_cache(maxsize=1024)
def _first_with(segment: str, field: int, version: str) -> str:
    has = (
        other for other in _later(version) if any(one.number >= field for one in grammar.segment_fields(segment, other))
    )
    return next(has, "")


def _later(version: str) -> tuple[str, ...]:
    versions = grammar.versions()
    return versions[versions.index(version) + 1 :] if version in versions else ()


def _last_valued(segment: Segment) -> int:
    return next((number for number in range(len(segment.fields) - 1, 0, -1) if segment.fields[number]), 0)
