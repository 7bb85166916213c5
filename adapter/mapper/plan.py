"""Where the segments of one message shape go: worked out once per shape, then only followed.

"Nearest" (`nearest.py`) is the rule for everything that one segment takes from another (OBX from its OBR, a resource
from its Patient), so that one order never borrows from the next.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from adapter.hl7v2.grammar import Shape
from adapter.mapper.compiled import Compiled, Reads, Slot
from adapter.mapper.nearest import NOWHERE, Places, Spot, by_name, spots
from adapter.mapper.rules import MessageMap, Part

_NONE: frozenset[int] = frozenset()


class Read:
    """`Reads` of one segment in the form that is quick to ask.

    `whole` are the fields that are read whole (and 0, the name), `parts` those of which some components are read.
    """

    __slots__ = ("_checks", "parts", "whole")

    def __init__(self, whole: frozenset[int], parts: Mapping[int, frozenset[int]]) -> None:
        """Keep what is read."""
        self.whole, self.parts = whole, parts
        self._checks: dict[int, Check] = {}

    def check(self, length: int) -> "Check":
        """What to look at in a segment of so many fields."""
        check = self._checks.get(length)
        if check is None:
            unread = [number for number in range(length) if number not in self.whole and number not in self.parts]
            parts = tuple((number, self.parts[number]) for number in sorted(self.parts) if number < length)
            # itemgetter gives a tuple only for two or more.
            get = itemgetter(*unread, unread[0]) if unread else _nothing
            check = self._checks[length] = Check(tuple(unread), get, parts)
        return check


class Check(NamedTuple):
    """The fields of a segment that no rule reads, how to get them all at once, and the fields that are read in part."""

    unread: tuple[int, ...]
    get: Callable[[tuple[str, ...]], tuple[str, ...]]
    parts: tuple[tuple[int, frozenset[int]], ...]


def _nothing(_fields: tuple[str, ...]) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Reference:
    """An element that refers to other resources of the message, by their number in the plan."""

    element: str
    many: bool
    entries: tuple[int, ...]


Filling = int | tuple[int, ...] | None
"""What fills a slot: a segment, all of a name in the group, or nothing."""


class Base(NamedTuple):
    """What resources of one map have in common: the segments beside their own, and what they refer to."""

    map: str
    shared: tuple[Filling, ...]
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource to make: its map, which segments fill the map's slots, its `Base`, what its event clears."""

    map: str
    resource: str
    fill: bool
    clear: tuple[str, ...]
    slots: tuple[Filling, ...]
    base: int
    owner: int | None
    patient: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """All resources of one message shape.

    `reads` says per segment what the rules read, worked out when the plan is made, for the usual case that every
    entry becomes a resource. `labels` names each segment with its occurrence: `OBX`, `OBX[2]`.
    """

    entries: tuple[Entry, ...]
    bases: tuple[Base, ...] = ()
    reads: tuple[Read, ...] = ()
    labels: tuple[str, ...] = ()


_Numbered = Mapping[str, Places]
"""By resource type or segment name, where each is."""


def make_plan(
    message_map: MessageMap,
    maps: Mapping[str, Compiled],
    shape: Shape,
    names: Sequence[str],
    *,
    ignored: Mapping[str, Reads],
) -> Plan:
    """Work out the plan for one shape.

    Args:
        message_map: which resources this structure gives.
        maps: the segment maps of one site by name.
        shape: the groups of the message.
        names: the segment names of the message.
        ignored: per segment name the fields that are left out on purpose.
    """
    every = sorted(spots(shape.root), key=lambda spot: spot.index)
    parts = [
        (part, spot)
        for spot in every
        for part in message_map.parts
        if maps[part.map].map.segment == names[spot.index] and (not part.groups or spot.names[-1] in part.groups)
    ]
    made = by_name((maps[part.map].map.resource, number, spot) for number, (part, spot) in enumerate(parts))
    segments = by_name((names[spot.index], spot.index, spot) for spot in every)
    bases: dict[Base, int] = {}
    entries = tuple(
        _entry(part, maps[part.map], (number, spot), _Around(made, segments, bases))
        for number, (part, spot) in enumerate(parts)
    )
    reads = fields_read([(entry, maps[entry.map]) for entry in entries], names, ignored)
    return Plan(entries, tuple(bases), reads, _labels(names))


def _labels(names: Sequence[str]) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    labels: list[str] = []
    for name in names:
        counts[name] += 1
        labels.append(f"{name}[{counts[name]}]" if counts[name] > 1 else name)
    return tuple(labels)


@dataclass(frozen=True, slots=True)
class _Around:
    """The resources and segments of the message, and the bases that were found so far, by their numbers."""

    made: _Numbered
    segments: _Numbered
    bases: dict[Base, int]


def _entry(part: Part, compiled: Compiled, place: tuple[int, Spot], around: _Around) -> Entry:
    number, spot = place
    made = around.made
    references = tuple(
        Reference(rule.target[0], repeats, found)
        for rule in compiled.map.rules
        if rule.refer
        for repeats in (compiled.repeats[rule.target],)
        if (found := _entries(made.get(rule.refer, NOWHERE), place, many=repeats))
    )
    slots = tuple(_slot(slot, compiled.map.segment, spot, around.segments) for slot in compiled.slots)
    return Entry(
        map=part.map,
        resource=compiled.map.resource,
        fill=part.fill,
        clear=part.clear,
        slots=slots,
        base=around.bases.setdefault(Base(part.map, slots[compiled.own :], references), len(around.bases)),
        owner=made.get(compiled.map.identity.owner, NOWHERE).one(spot, number),
        patient=made.get("Patient", NOWHERE).one(spot, number),
    )


def fields_read(
    made: Sequence[tuple[Entry, Compiled]], names: Sequence[str], ignored: Mapping[str, Reads]
) -> tuple[Read, ...]:
    """Per segment, what the maps of these entries read, with what is ignored on purpose."""
    read: list[dict[int, frozenset[int] | None]] = [{0: None, **ignored.get(name, {})} for name in names]
    for entry, compiled in made:
        for slot, index in zip(compiled.slots, entry.slots, strict=True):
            fields = compiled.reads.get(slot)
            if fields and index is not None:
                for one in index if isinstance(index, tuple) else (index,):
                    _add(read[one], fields)
    # Thousands of segments are read alike, and share what was worked out for one.
    known: dict[frozenset[tuple[int, frozenset[int] | None]], Read] = {}
    return tuple(known.setdefault(frozenset(fields.items()), _read(fields)) for fields in read)


def _read(fields: Reads) -> Read:
    return Read(
        frozenset(number for number, components in fields.items() if components is None),
        {number: components for number, components in fields.items() if components is not None},
    )


def _add(known: dict[int, frozenset[int] | None], fields: Reads) -> None:
    for field, components in fields.items():
        before = known.get(field, _NONE)
        known[field] = None if components is None or before is None else before | components


def _entries(places: Places, place: tuple[int, Spot], *, many: bool) -> tuple[int, ...]:
    number, spot = place
    if many:
        return places.nearest(spot)
    one = places.one(spot, number)
    return () if one is None else (one,)


def _slot(slot: Slot, own_name: str, spot: Spot, segments: _Numbered) -> Filling:
    name, whole_group = slot
    if name == own_name and not whole_group:
        return spot.index
    places = segments.get(name, NOWHERE)
    if not whole_group:
        return places.one(spot, spot.index)
    if name == "NTE":  # a note belongs to the segment that it follows (HL7 v2.5.1 §2.5.4)
        return places.after(spot, spot.index, until=segments[own_name])
    return tuple(places.within(spot.groups[-1]))
