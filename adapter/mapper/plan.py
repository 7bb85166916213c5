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
from adapter.mapper.compiled import Compiled, Reads, Reasons
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


class Base(NamedTuple):
    """What resources of one map have in common: the segments beside their own, and what they refer to."""

    map: str
    shared: tuple[int | None, ...]
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource to make: its map, its own segment, the groups of segments that it reads, its `Base`.

    `clear` are the elements that the event takes away.
    """

    map: str
    resource: str
    fill: bool
    clear: tuple[str, ...]
    index: int
    groups: tuple[tuple[int, ...], ...]
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
    bases: tuple[Base, ...]
    reads: tuple[Read, ...]
    labels: tuple[str, ...]

    def filled(self, entry: Entry, slot: int) -> tuple[int, ...]:
        """The segments, by their numbers, that fill a slot of an entry's map."""
        if not slot:
            return (entry.index,)
        if slot <= len(entry.groups):
            return entry.groups[slot - 1]
        at = self.bases[entry.base].shared[slot - 1 - len(entry.groups)]
        return () if at is None else (at,)


_Numbered = Mapping[str, Places]
"""By resource type or segment name, where each is."""


def make_plan(
    message_map: MessageMap,
    maps: Mapping[str, Compiled],
    shape: Shape,
    names: Sequence[str],
    *,
    ignored: Reasons,
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
    reads = fields_read(entries, tuple(bases), names, maps, ignored=ignored)
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
    groups = [_group(name, compiled.map.segment, spot, around.segments) for name, _ in compiled.slots[1 : compiled.own]]
    shared = [around.segments.get(name, NOWHERE).one(spot, spot.index) for name, _ in compiled.slots[compiled.own :]]
    return Entry(
        map=part.map,
        resource=compiled.map.resource,
        fill=part.fill,
        clear=part.clear,
        index=spot.index,
        groups=tuple(groups),
        base=around.bases.setdefault(Base(part.map, tuple(shared), references), len(around.bases)),
        owner=made.get(compiled.map.identity.owner, NOWHERE).one(spot, number),
        patient=made.get("Patient", NOWHERE).one(spot, number),
    )


def fields_read(
    entries: Sequence[Entry],
    bases: Sequence[Base],
    names: Sequence[str],
    maps: Mapping[str, Compiled],
    *,
    ignored: Reasons,
) -> tuple[Read, ...]:
    """Per segment, what the maps of these entries read, with what is ignored on purpose."""
    readers: list[set[tuple[str, int]]] = [set() for _ in names]
    for number in {entry.base for entry in entries}:
        base = bases[number]
        for slot, at in enumerate(base.shared, start=maps[base.map].own):
            if at is not None:
                readers[at].add((base.map, slot))
    for entry in entries:
        readers[entry.index].add((entry.map, 0))
        for slot, group in enumerate(entry.groups, start=1):
            for at in group:
                readers[at].add((entry.map, slot))
    # Thousands of segments have the same readers, and share what is worked out for one.
    known: dict[tuple[str, frozenset[tuple[str, int]]], Read] = {}
    return tuple(
        known.get(key) or known.setdefault(key, _read(*key, maps, ignored))
        for key in zip(names, map(frozenset, readers), strict=True)
    )


def _read(name: str, readers: frozenset[tuple[str, int]], maps: Mapping[str, Compiled], ignored: Reasons) -> Read:
    fields: dict[int, frozenset[int] | None] = {0: None, **dict.fromkeys(ignored.get(name, ()))}
    for one, slot in readers:
        compiled = maps[one]
        _add(fields, compiled.reads.get(compiled.slots[slot], {}))
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


def _group(name: str, own_name: str, spot: Spot, segments: _Numbered) -> tuple[int, ...]:
    places = segments.get(name, NOWHERE)
    if name == "NTE":  # a note belongs to the segment that it follows (HL7 v2.5.1 §2.5.4)
        return places.after(spot, spot.index, until=segments[own_name])
    return tuple(places.within(spot.groups[-1]))
