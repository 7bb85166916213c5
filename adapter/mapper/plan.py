"""Where the segments of one message shape go: worked out once per shape, then only followed.

"Nearest" (`nearest.py`) is the rule for everything that one segment takes from another (OBX from its OBR, a resource
from its Patient), so that one order never borrows from the next.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import NamedTuple

from adapter.hl7v2.grammar import Shape
from adapter.mapper.compiled import Compiled, Reads, Reasons
from adapter.mapper.nearest import NOWHERE, Places, Spot, by_name, spots
from adapter.mapper.rules import MessageMap, Part

_NONE: frozenset[int] = frozenset()
_SOME_KEPT = 16

_DETAIL_OF: Mapping[str, str] = {"PD1": "PID", "PV1": "PID", "PV2": "PV1", "IN2": "IN1", "IN3": "IN1"}
"""Segments that say more of the one that they follow: of two patients (ADT_A17) each has its own."""

_FOLLOWERS = frozenset({"ROL", "PRT"})
_OWNERS = frozenset({"PID", "PV1", "NK1", "OBX", "DG1", "PR1", "GT1", "IN1", "ORC", "OBR"})
_OWNER = "what roles belong to"
"""A role belongs to the segment that it follows (HL7 v2.5.1 §3.3.1): after PID the person's, after PV1 the visit's."""


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


class Reference(NamedTuple):
    """An element that refers to other resources of the message, by their number in the plan.

    `segments` are those that the resources come from, in the same order; `rule` is the number of the rule.
    """

    target: tuple[str, ...]
    many: bool
    entries: tuple[int, ...]
    segments: tuple[int, ...]
    rule: int


class Base(NamedTuple):
    """What resources of one map have in common: the segments beside their own, and what they refer to."""

    map: str
    shared: tuple[int | None, ...]
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource to make: its map, its own segment, the groups of segments that it reads, its `Base`.

    `clear`, `undo`, `cancels`: what the event takes back. `prior`: the message names it as the old one of an
    identity event (MRG), and says nothing more of it.
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
    undo: tuple[str, ...] = ()
    cancels: bool = False
    prior: bool = False


@dataclass(frozen=True, slots=True)
class Happening:
    """An identity event to make, by the numbers of its entries; `what` is None where everything moves."""

    kind: str
    old: int
    new: int
    what: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All resources of one message shape.

    `reads` says per segment what the rules read, worked out when the plan is made, for the usual case that every
    entry becomes a resource. `labels` names each segment with its occurrence: `OBX`, `OBX[2]`. `firsts` has for each
    base its first entry.
    """

    entries: tuple[Entry, ...]
    bases: tuple[Base, ...]
    reads: tuple[Read, ...]
    labels: tuple[str, ...]
    identities: tuple[Happening, ...]
    firsts: tuple[Entry, ...]
    _some: dict[tuple[int, ...], Sequence[Read]] = field(default_factory=dict[tuple[int, ...], Sequence[Read]])

    def reads_of(self, made: Sequence[int], read_by: Callable[[Sequence[Entry]], Sequence[Read]]) -> Sequence[Read]:
        """`reads` where only these entries were made; the same ones are missing in most messages of a sender."""
        key = tuple(made)
        if key not in self._some:
            if len(self._some) >= _SOME_KEPT:
                self._some.clear()
            self._some[key] = read_by([self.entries[number] for number in made])
        return self._some[key]

    def filled(self, entry: Entry, slot: int) -> tuple[int, ...]:
        """The segments, by their numbers, that fill a slot of an entry's map."""
        if not slot:
            return (entry.index,)
        if slot <= len(entry.groups):
            return entry.groups[slot - 1]
        at = self.bases[entry.base].shared[slot - 1 - len(entry.groups)]
        return () if at is None else (at,)


_Numbered = dict[str, Places]
"""By resource type, map or segment name, where each is."""


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
    segments = by_name((names[spot.index], spot.index, spot) for spot in every)
    parts = [(part, spot) for part, spot in parts if not _beside(part.without, spot, segments)]
    referred = {rule.refer for part in message_map.parts for rule in maps[part.map].map.rules if rule.refer}
    prior = {one.old for one in message_map.identities if one.old != one.new}
    made = by_name(
        (name, number, spot)
        for number, (part, spot) in enumerate(parts)
        if part.map not in prior  # nothing is about the patient or the visit that MRG names
        for name in (maps[part.map].map.resource, *({part.map} & referred))
    )
    if not _FOLLOWERS.isdisjoint(names):
        segments |= by_name((_OWNER, spot.index, spot) for spot in every if names[spot.index] in _OWNERS)
    bases: dict[Base, int] = {}
    around = _Around(made, segments, bases, [spot.index for _, spot in parts])
    entries = tuple(
        replace(made_of, prior=True) if part.map in prior else made_of
        for number, (part, spot) in enumerate(parts)
        for made_of in (_entry(part, maps[part.map], (number, spot), _seen(part, message_map, maps, around)),)
    )
    reads = fields_read(entries, tuple(bases), names, maps, ignored=ignored)
    firsts = {entry.base: entry for entry in reversed(entries)}
    first = tuple(firsts[number] for number in range(len(bases)))
    return Plan(entries, tuple(bases), reads, _labels(names), _happenings(message_map, parts), first)


def _happenings(message_map: MessageMap, parts: Sequence[tuple[Part, Spot]]) -> tuple[Happening, ...]:
    if not message_map.identities:
        return ()
    places = by_name((part.map, number, spot) for number, (part, spot) in enumerate(parts))
    found: list[Happening] = []
    for rule in message_map.identities:
        for old, (part, spot) in enumerate(parts):
            if part.map != rule.old:
                continue
            new = places.get(rule.new, NOWHERE).one(spot, old)
            if rule.old == rule.new:  # of two alike (A24: PID and PID) the first stays, the others are joined to it
                new = next(number for number, (one, _) in enumerate(parts) if one.map == rule.new)
            what = places.get(rule.what, NOWHERE).one(spot, old) if rule.what else None
            if new is not None and new != old:
                found.append(Happening(rule.kind, old, new, what))
    return tuple(found)


def _labels(names: Sequence[str]) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    labels: list[str] = []
    for name in names:
        counts[name] += 1
        labels.append(f"{name}[{counts[name]}]" if counts[name] > 1 else name)
    return tuple(labels)


@dataclass(frozen=True, slots=True)
class _Around:
    """The resources and segments of the message, and the bases that were found so far, by their numbers.

    `stands` says of each resource which segment it comes from.
    """

    made: _Numbered
    segments: _Numbered
    bases: dict[Base, int]
    stands: Sequence[int]


def _seen(part: Part, message_map: MessageMap, maps: Mapping[str, Compiled], around: _Around) -> _Around:
    """What stands in the message, without what a part stands apart from."""
    if not part.apart:
        return around
    given = [maps[one.map].map for one in message_map.parts]
    types = {one.resource for one in given if one.segment in part.apart}
    return replace(
        around,
        made={name: places for name, places in around.made.items() if name not in types},
        segments={name: places for name, places in around.segments.items() if name not in part.apart},
    )


def _entry(part: Part, compiled: Compiled, place: tuple[int, Spot], around: _Around) -> Entry:
    number, spot = place
    made = around.made
    references = tuple(
        Reference(rule.target, repeats, found, tuple(around.stands[at] for at in found), at_rule)
        for at_rule, rule in enumerate(compiled.map.rules)
        if rule.refer
        for repeats in (compiled.repeats[rule.target],)
        if (found := _entries(made.get(rule.refer, NOWHERE), place, many=repeats))
    )
    groups = [_group(name, compiled.map.segment, spot, around.segments) for name, _ in compiled.slots[1 : compiled.own]]
    shared = [_nearest(name, compiled.map.segment, spot, around.segments) for name, _ in compiled.slots[compiled.own :]]
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
        undo=part.undo,
        cancels=part.cancels,
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
        for at, reader in _readers_of(bases[number], maps[bases[number].map]):
            readers[at].add(reader)
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


def _readers_of(base: Base, compiled: Compiled) -> Iterator[tuple[int, tuple[str, int]]]:
    """The segments that a base reads, each with the slot; below 0: what a rule reads of what it refers to."""
    for slot, at in enumerate(base.shared, start=compiled.own):
        if at is not None:
            yield at, (base.map, slot)
    for reference in base.references:
        for at in reference.segments if reference.rule in compiled.details else ():
            yield at, (base.map, -1 - reference.rule)


def _read(name: str, readers: frozenset[tuple[str, int]], maps: Mapping[str, Compiled], ignored: Reasons) -> Read:
    fields: dict[int, frozenset[int] | None] = {0: None, **dict.fromkeys(ignored.get(name, ()))}
    for one, slot in readers:
        compiled = maps[one]
        read = compiled.reads.get(compiled.slots[slot], {}) if slot >= 0 else compiled.details[-1 - slot].reads
        _add(fields, read)
    return Read(
        frozenset(number for number, components in fields.items() if components is None),
        {number: components for number, components in fields.items() if components is not None},
    )


def _add(known: dict[int, frozenset[int] | None], fields: Reads) -> None:
    for number, components in fields.items():
        before = known.get(number, _NONE)
        known[number] = None if components is None or before is None else before | components


def _entries(places: Places, place: tuple[int, Spot], *, many: bool) -> tuple[int, ...]:
    number, spot = place
    if many:
        return places.nearest(spot)
    one = places.one(spot, number)
    return () if one is None else (one,)


def _beside(names: frozenset[str], spot: Spot, segments: _Numbered) -> bool:
    """Whether a segment of one of these names stands in the same group, or in a group in it."""
    return any(segments.get(name, NOWHERE).within(spot.groups[-1]) for name in names)


def _nearest(name: str, own_name: str, spot: Spot, segments: _Numbered) -> int | None:
    places = segments.get(name, NOWHERE)
    if _DETAIL_OF.get(name) == own_name:
        own = places.after(spot, spot.index, until=segments[own_name])
        return own[0] if own else None
    return places.one(spot, spot.index)


def _noted(spot: Spot) -> Spot:
    """Where the notes of a segment stand: beside it, or, of a detail in a choice (ORM), beside the choice."""
    return Spot(spot.index, spot.groups[:-1], spot.names[:-1]) if spot.names[-1] == "CHOICE" else spot


def _group(name: str, own_name: str, spot: Spot, segments: _Numbered) -> tuple[int, ...]:
    places = segments.get(name, NOWHERE)
    if name == "NTE":  # a note belongs to the segment that it follows (HL7 v2.5.1 §2.5.4)
        return places.after(_noted(spot), spot.index, until=segments[own_name])
    if name in _FOLLOWERS:
        return places.after(spot, spot.index, until=segments.get(_OWNER, NOWHERE))
    found = places.nearest(spot)
    return tuple(index for index in found if index > spot.index) or found
