"""A segment map compiled for one site: what it reads, and the functions that follow it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.mapper.datatypes import CONVERTERS
from adapter.mapper.makers import Doubts
from adapter.mapper.rules import Path2, SegmentMap

Slot = tuple[str, bool]
"""What a map reads: a segment name, and whether all such segments of the group are meant or the nearest."""

Reads = Mapping[int, frozenset[int] | None]
"""The fields of a segment that some rule reads: None is the whole field, else these components."""

Reasons = Mapping[str, Mapping[int, str]]
"""By segment name, the fields that are left out whatever the map, each with the reason (envelope.yaml)."""

Slots = list[Any]
Build = Callable[[Slots, dict[str, Any], Doubts], str | None]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A segment map bound to one site.

    `slots` names what `build` expects in its list: each is the tuple of raw fields of one segment, or, for a bare
    source such as `NTE`, the tuple of segments. The first `own` slots, of which 0 is the map's own segment, are those
    of one resource; the others it shares with its neighbours, and `shared` makes what they alone give.
    """

    map: SegmentMap
    slots: tuple[Slot, ...]
    own: int
    shared: Build
    build: Build
    identify: Callable[[Slots], tuple[str, str] | None]
    event_time: Callable[[Slots], str]
    shares_event_time: bool
    names_identifier: bool
    reads: Mapping[Slot, Reads]
    repeats: Mapping[tuple[str, ...], bool]


def slot_order(segment_map: SegmentMap) -> tuple[Slot, ...]:
    """The segments that a map reads: its own, then those of which all in the group are meant, then the nearest ones."""
    slots: dict[Slot, None] = {(segment_map.segment, False): None}
    others = (*segment_map.order, *_identity_paths(segment_map), *segment_map.ignored, Path2("MSH", 7))
    for path in (*_rule_paths(segment_map), *others):
        slots.setdefault((path.segment, not path.field), None)
    own, *further = slots
    return own, *sorted(further, key=lambda slot: not slot[1])


def _rule_paths(segment_map: SegmentMap) -> list[Path2]:
    paths = [path for rule in segment_map.rules for path in rule.sources]
    return paths + [rule.unless for rule in segment_map.rules if rule.unless]


def _identity_paths(segment_map: SegmentMap) -> list[Path2]:
    return [path for alternatives in segment_map.identity.paths for path in alternatives]


def reads(segment_map: SegmentMap) -> Mapping[Slot, Reads]:
    """Per slot, the fields that some rule reads; None = whole, else the components."""
    found: dict[Slot, dict[int, frozenset[int] | None]] = {}
    for rule in segment_map.rules:
        converter = CONVERTERS.get(rule.converter)
        components = frozenset({1}) if rule.codes else converter.reads if converter else None
        for path in rule.sources:
            if path.field:
                _note(found, path, components)
            else:
                fields = converter.fields if converter else ()
                found.setdefault((path.segment, True), {}).update(dict.fromkeys(fields))
    for path in (*_identity_paths(segment_map), *segment_map.ignored):
        _note(found, path, None)
    return found


def _note(found: dict[Slot, dict[int, frozenset[int] | None]], path: Path2, components: frozenset[int] | None) -> None:
    fields = found.setdefault((path.segment, False), {})
    wanted = frozenset({path.component}) if path.component else components
    known = fields.get(path.field, frozenset[int]())
    fields[path.field] = None if wanted is None or known is None else wanted | known
