"""A segment map compiled for one site: what it reads, and the functions that follow it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from adapter.mapper.datatypes import CONVERTERS
from adapter.mapper.makers import Doubts, Maker
from adapter.mapper.paths import Path2
from adapter.mapper.rules import Rule, SegmentMap

Slot = tuple[str, bool]
"""What a map reads: a segment name, and whether all such segments of the group are meant or the nearest."""

Reads = Mapping[int, frozenset[int] | None]
"""The fields of a segment that some rule reads: None is the whole field, else these components."""

Reasons = Mapping[str, Mapping[int, str]]
"""By segment name, the fields that are left out whatever the map, each with the reason (envelope.yaml)."""

HEADER_TIME = Path2("MSH", 7)
"""When a message was sent: of what has no time of its own."""

_NONE: frozenset[int] = frozenset()
_CODE = frozenset({1, 2, 3})
"""Of a code that a table translates: the code, its text, and the name of its table, which say the same."""
Slots = list[Any]
Build = Callable[[Slots, dict[str, Any], Doubts], str | None]


@dataclass(frozen=True, slots=True)
class Details:
    """What stands beside a reference: from these fields of the segment of the resource that is referred to."""

    rule: Rule
    maker: Maker
    reads: Reads


Source = tuple[int, int, str]
"""Where a rule reads: the slot, the field (0: all of the segments), and what an issue calls it, `-5.1`."""


class Told(NamedTuple):
    """What issues of one rule name: `OBX-Observation.yaml:20`, the element, and the sources."""

    place: str
    target: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A segment map bound to one site.

    `slots` names what `build` expects in its list: each is the tuple of raw fields of one segment, filled up with empty
    ones to at least `width`, or, for a bare source such as `NTE`, the tuple of segments. The first `own` slots, of
    which 0 is the map's own segment, are those of one resource; the others it shares with its neighbours, and `shared`
    makes what they alone give. `build` gives the function for messages in which these slots are empty. `told` has for
    each rule what an issue names. `about` says of the fields of the own segment whether the map is about it (None:
    about all), `wanted` whether there is anything to make (None: always); `details`, by the number of the rule, what a
    rule with refer: and as: takes from the segments of what it refers to; `dropped` whether the segment says nothing
    (None: never); `numbers`: the resource may have several identifiers.
    """

    map: SegmentMap
    slots: tuple[Slot, ...]
    width: int
    own: int
    shared: Build
    build: Callable[[frozenset[int]], Build]
    identify: Callable[[Slots], tuple[str, str] | None]
    event_time: Callable[[Slots], str]
    shares_event_time: bool
    names_identifier: bool
    told: tuple[Told, ...]
    reads: Mapping[Slot, Reads]
    repeats: Mapping[tuple[str, ...], bool]
    about: Callable[[tuple[str, ...]], bool] | None = None
    wanted: Callable[[Slots], bool] | None = None
    details: Mapping[int, Details] = field(default_factory=dict[int, Details])
    dropped: Callable[[Slots], bool] | None = None
    numbers: bool = True


def slot_order(segment_map: SegmentMap) -> tuple[Slot, ...]:
    """The segments that a map reads: its own, then those of which all in the group are meant, then the nearest ones."""
    slots: dict[Slot, None] = {(segment_map.segment, False): None}
    for path in _every_path(segment_map):
        slots.setdefault((path.segment, not path.field), None)
    own, *further = slots
    return own, *sorted(further, key=lambda slot: not slot[1])


def width(segment_map: SegmentMap) -> int:
    """How many fields a segment needs so that every one that the map may read is there."""
    return 1 + max(path.field for path in _every_path(segment_map))


def _every_path(segment_map: SegmentMap) -> list[Path2]:
    paths = [*_rule_paths(segment_map), *segment_map.order, *_paths_of_need(segment_map), *_identity_paths(segment_map)]
    return [*paths, *segment_map.ignored, HEADER_TIME]


def told(rule: Rule, slots: Sequence[Slot]) -> Told:
    """What an issue of this rule names."""
    place, target = str(rule.place), ".".join(rule.target)
    if not rule.sources or rule.refer:
        return Told(place, target, ((0, 0, ""),))
    sources = ((slots.index((one.segment, not one.field)), one.field, str(one)[3:]) for one in rule.sources)
    return Told(place, target, tuple(sources))


def sources(rule: Rule) -> Iterator[tuple[Path2, Sequence[int]]]:
    """What a rule reads of the message (not of what it refers to), each with the fields that are read there."""
    for path in rule.sources if not rule.refer else ():
        yield path, (path.field,) if path.field else _fields_of(rule, path.segment)


def _fields_of(rule: Rule, segment: str) -> Sequence[int]:
    converter = CONVERTERS.get(rule.converter)
    return converter.fields_of(segment) if converter else ()


def _rule_paths(segment_map: SegmentMap) -> list[Path2]:
    paths = [path for rule in segment_map.rules for path, _ in sources(rule)]
    return paths + [rule.unless for rule in segment_map.rules if rule.unless]


def _paths_of_need(segment_map: SegmentMap) -> list[Path2]:
    """What decides whether there is anything to make."""
    choices = [choice for choice in (segment_map.only, segment_map.never) if choice]
    return [*segment_map.when, *(path for choice in choices for path in choice.paths)]


def _identity_paths(segment_map: SegmentMap) -> list[Path2]:
    return [path for alternatives in segment_map.identity.paths for path in alternatives]


def reads(segment_map: SegmentMap, unread: Mapping[str, frozenset[int]]) -> Mapping[Slot, Reads]:
    """Per slot, the fields that some rule reads; None = whole, else the components.

    Args:
        segment_map: the rules.
        unread: per data type, the components that are left out on purpose (mappings/datatypes.yaml).
    """
    found: dict[Slot, dict[int, frozenset[int] | None]] = {}
    for rule in segment_map.rules:
        components = components_read(rule, unread)
        for path, fields in sources(rule):
            if path.field:
                _note(found, path, components)
            else:
                found.setdefault((path.segment, True), {}).update(dict.fromkeys(fields))
    for path in (*_identity_paths(segment_map), *_paths_of_need(segment_map), *segment_map.ignored):
        _note(found, path, None)
    for path in segment_map.ignored:  # of all segments of a name where a rule takes them all, not of the nearest alone
        if not path.component and (path.segment, True) in found:
            found[path.segment, True][path.field] = None
    return found


def components_read(rule: Rule, unread: Mapping[str, frozenset[int]]) -> frozenset[int] | None:
    """The components that a rule reads of its sources, with those that its data type leaves out on purpose."""
    converter = CONVERTERS.get(rule.converter)
    if converter is None:
        return _CODE if rule.codes else None
    if converter.reads is None:
        return None
    return converter.reads | unread.get(rule.converter.partition("-")[0], _NONE)


def _note(found: dict[Slot, dict[int, frozenset[int] | None]], path: Path2, components: frozenset[int] | None) -> None:
    fields = found.setdefault((path.segment, False), {})
    wanted = frozenset({path.component}) if path.component else components
    known = fields.get(path.field, frozenset[int]())
    fields[path.field] = None if wanted is None or known is None else wanted | known
