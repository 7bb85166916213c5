"""Where the segments of one message shape go: worked out once per shape, then only followed.

"Nearest" is the rule for everything that one segment takes from another (OBX from its OBR, a resource from its
Patient): the own group first, then each enclosing group in turn, never another repetition of a group passed
on the way, so that one order never borrows from the next.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from adapter.hl7v2.grammar import Group, Shape
from adapter.mapper.rules import MessageMap, SegmentMap

Slot = tuple[str, bool]
Reads = Mapping[int, frozenset[int] | None]
"""The fields of a segment that some rule reads: None is the whole field, else these components."""


class Read(NamedTuple):
    """`Reads` in the form that is quick to ask: fields read whole (and 0, the name), and those read in part."""

    whole: frozenset[int]
    parts: Mapping[int, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Reference:
    """An element that refers to other resources of the message, by their number in the plan."""

    element: str
    many: bool
    entries: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource to make: its map, which segments fill the map's slots, what it refers to."""

    map: str
    resource: str
    fill: bool
    slots: tuple[int | None | tuple[int, ...], ...]
    references: tuple[Reference, ...]
    owner: int | None
    patient: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """All resources of one message shape.

    `reads` says per segment what the rules read, worked out when the plan is made, for the usual case that every
    entry becomes a resource.
    """

    entries: tuple[Entry, ...]
    reads: tuple[Read, ...] = ()


@dataclass(frozen=True, slots=True)
class _Spot:
    """A segment or an entry in the tree: its chain of groups from the root down."""

    index: int
    groups: tuple[int, ...]
    names: tuple[str, ...]


def make_plan(
    message_map: MessageMap,
    maps: Mapping[str, SegmentMap],
    shape: Shape,
    names: Sequence[str],
    slots: Mapping[str, tuple[Slot, ...]],
    many: Mapping[tuple[str, tuple[str, ...]], bool],
) -> Plan:
    """Work out the plan for one shape.

    Args:
        message_map: which resources this structure gives.
        maps: the segment maps (of one site) by name.
        shape: the groups of the message.
        names: the segment names of the message.
        slots: per map, the segments that its compiled function wants.
        many: per resource and element of a `refer:` rule, whether the element repeats.
    """
    spots = sorted(_spots(shape.root, (), ()), key=lambda spot: spot.index)
    parts = [
        (part, spot)
        for spot in spots
        for part in message_map.parts
        if maps[part.map].segment == names[spot.index] and (not part.groups or spot.names[-1] in part.groups)
    ]
    entry_spots = [(maps[part.map].resource, spot) for part, spot in parts]
    entries: list[Entry] = []
    for part, spot in parts:
        segment_map = maps[part.map]
        references = tuple(
            Reference(rule.target[0], repeats, found)
            for rule in segment_map.rules
            if rule.refer
            for repeats in (many[segment_map.resource, rule.target],)
            if (found := _entries(rule.refer, spot, entry_spots, many=repeats))
        )
        owner = _entries(segment_map.identity.owner, spot, entry_spots, many=False)
        patient = _entries("Patient", spot, entry_spots, many=False)
        filled = tuple(_slot(slot, spot, spots, names) for slot in slots[part.map])
        entries.append(
            Entry(
                part.map,
                segment_map.resource,
                part.fill,
                filled,
                references,
                owner[0] if owner else None,
                patient[0] if patient else None,
            )
        )
    return Plan(tuple(entries))


def _spots(group: Group, groups: tuple[int, ...], names: tuple[str, ...]) -> Iterator[_Spot]:
    groups, names = (*groups, id(group)), (*names, group.name)
    for child in group.children:
        if isinstance(child, int):
            yield _Spot(child, groups, names)
        else:
            yield from _spots(child, groups, names)


def _nearest(spot: _Spot, others: Sequence[tuple[int, _Spot]]) -> list[int]:
    """The numbers of those `others` that stand nearest to `spot`."""
    for depth in range(len(spot.groups), 0, -1):
        found = [
            number
            for number, other in others
            if other.groups[:depth] == spot.groups[:depth] and not _other_repetition(spot, other, depth)
        ]
        if found:
            return found
    return []


def _other_repetition(spot: _Spot, other: _Spot, depth: int) -> bool:
    """Whether `other` lies in a sibling of the same name as the group that `spot` came through."""
    if len(spot.groups) <= depth or len(other.groups) <= depth:
        return False
    return spot.names[depth] == other.names[depth] and spot.groups[depth] != other.groups[depth]


def _entries(resource: str, spot: _Spot, entries: Sequence[tuple[str, _Spot]], *, many: bool) -> tuple[int, ...]:
    if not resource:
        return ()
    found = _nearest(spot, [(number, other) for number, (name, other) in enumerate(entries) if name == resource])
    return tuple(found) if many else tuple(found[:1])


def _slot(slot: Slot, spot: _Spot, spots: Sequence[_Spot], names: Sequence[str]) -> int | None | tuple[int, ...]:
    name, whole_group = slot
    if name == names[spot.index] and not whole_group:
        return spot.index
    same = [(other.index, other) for other in spots if names[other.index] == name]
    if whole_group:
        own = spot.groups
        return tuple(index for index, other in same if other.groups[: len(own)] == own)
    found = _nearest(spot, same)
    return found[0] if found else None
