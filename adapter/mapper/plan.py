"""Where the segments of one message shape go: worked out once per shape, then only followed.

"Nearest" is the rule for everything that one segment takes from another (OBX from its OBR, a resource from its
Patient): the own group first, then each enclosing group in turn, never another repetition of a group passed
on the way, so that one order never borrows from the next.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from adapter.hl7v2.grammar import Group, Shape
from adapter.mapper.compiled import Compiled, Reads, Slot
from adapter.mapper.rules import MessageMap, Part

_NONE: frozenset[int] = frozenset()


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
    slots: tuple[int | tuple[int, ...] | None, ...]
    references: tuple[Reference, ...]
    owner: int | None
    patient: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """All resources of one message shape.

    `reads` says per segment what the rules read, worked out when the plan is made, for the usual case that every
    entry becomes a resource. `labels` names each segment with its occurrence: `OBX`, `OBX[2]`.
    """

    entries: tuple[Entry, ...]
    reads: tuple[Read, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Spot:
    """A segment or an entry in the tree: its chain of groups from the root down."""

    index: int
    groups: tuple[int, ...]
    names: tuple[str, ...]


_Numbered = Mapping[str, Sequence[tuple[int, _Spot]]]
"""By resource type or segment name, where each is: looked up, for a message may have thousands of segments."""


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
    spots = sorted(_spots(shape.root, (), ()), key=lambda spot: spot.index)
    parts = [
        (part, spot)
        for spot in spots
        for part in message_map.parts
        if maps[part.map].map.segment == names[spot.index] and (not part.groups or spot.names[-1] in part.groups)
    ]
    made = _by_name((maps[part.map].map.resource, number, spot) for number, (part, spot) in enumerate(parts))
    segments = _by_name((names[spot.index], spot.index, spot) for spot in spots)
    entries = tuple(_entry(part, maps[part.map], spot, made, segments) for part, spot in parts)
    return Plan(entries, fields_read([(entry, maps[entry.map]) for entry in entries], names, ignored), _labels(names))


def _labels(names: Sequence[str]) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    labels: list[str] = []
    for name in names:
        counts[name] += 1
        labels.append(f"{name}[{counts[name]}]" if counts[name] > 1 else name)
    return tuple(labels)


def _by_name(spots: Iterable[tuple[str, int, _Spot]]) -> _Numbered:
    found: dict[str, list[tuple[int, _Spot]]] = {}
    for name, number, spot in spots:
        found.setdefault(name, []).append((number, spot))
    return found


def _entry(part: Part, compiled: Compiled, spot: _Spot, made: _Numbered, segments: _Numbered) -> Entry:
    references = tuple(
        Reference(rule.target[0], repeats, found)
        for rule in compiled.map.rules
        if rule.refer
        for repeats in (compiled.repeats[rule.target],)
        if (found := _entries(rule.refer, spot, made, many=repeats))
    )
    owner = _entries(compiled.map.identity.owner, spot, made, many=False)
    patient = _entries("Patient", spot, made, many=False)
    return Entry(
        map=part.map,
        resource=compiled.map.resource,
        fill=part.fill,
        slots=tuple(_slot(slot, compiled.map.segment, spot, segments) for slot in compiled.slots),
        references=references,
        owner=owner[0] if owner else None,
        patient=patient[0] if patient else None,
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
    return tuple(
        Read(
            frozenset(number for number, components in fields.items() if components is None),
            {number: components for number, components in fields.items() if components is not None},
        )
        for fields in read
    )


def _add(known: dict[int, frozenset[int] | None], fields: Reads) -> None:
    for field, components in fields.items():
        before = known.get(field, _NONE)
        known[field] = None if components is None or before is None else before | components


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


def _entries(resource: str, spot: _Spot, made: _Numbered, *, many: bool) -> tuple[int, ...]:
    found = _nearest(spot, made.get(resource, ()))
    return tuple(found) if many else tuple(found[:1])


def _slot(slot: Slot, own_name: str, spot: _Spot, segments: _Numbered) -> int | tuple[int, ...] | None:
    name, whole_group = slot
    if name == own_name and not whole_group:
        return spot.index
    same = segments.get(name, ())
    if whole_group:
        own = spot.groups
        return tuple(index for index, other in same if other.groups[: len(own)] == own)
    found = _nearest(spot, same)
    return found[0] if found else None
