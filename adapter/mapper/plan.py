"""Where the segments of one message shape go: worked out once per shape, then only followed.

"Nearest" (`nearest.py`) is the rule for everything that one segment takes from another (OBX from its OBR, a resource
from its Patient), so that one order never borrows from the next.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from adapter.hl7v2.grammar import Shape
from adapter.mapper.compiled import Compiled, Reads, Reasons, Slot
from adapter.mapper.nearest import NOWHERE, Places, Spot, by_name, spots
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
    """One resource to make: its map, which segments fill the map's slots, what it refers to, what its event clears."""

    map: str
    resource: str
    fill: bool
    clear: tuple[str, ...]
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
    entries = tuple(
        _entry(part, maps[part.map], (number, spot), made, segments) for number, (part, spot) in enumerate(parts)
    )
    return Plan(entries, fields_read([(entry, maps[entry.map]) for entry in entries], names, ignored), _labels(names))


def _labels(names: Sequence[str]) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    labels: list[str] = []
    for name in names:
        counts[name] += 1
        labels.append(f"{name}[{counts[name]}]" if counts[name] > 1 else name)
    return tuple(labels)


def _entry(part: Part, compiled: Compiled, place: tuple[int, Spot], made: _Numbered, segments: _Numbered) -> Entry:
    number, spot = place
    references = tuple(
        Reference(rule.target[0], repeats, found)
        for rule in compiled.map.rules
        if rule.refer
        for repeats in (compiled.repeats[rule.target],)
        if (found := _entries(made.get(rule.refer, NOWHERE), place, many=repeats))
    )
    return Entry(
        map=part.map,
        resource=compiled.map.resource,
        fill=part.fill,
        clear=part.clear,
        slots=tuple(_slot(slot, compiled.map.segment, spot, segments) for slot in compiled.slots),
        references=references,
        owner=made.get(compiled.map.identity.owner, NOWHERE).one(spot, number),
        patient=made.get("Patient", NOWHERE).one(spot, number),
    )


def fields_read(made: Sequence[tuple[Entry, Compiled]], names: Sequence[str], ignored: Reasons) -> tuple[Read, ...]:
    """Per segment, what the maps of these entries read, with what is ignored on purpose."""
    read: list[dict[int, frozenset[int] | None]] = [{0: None, **dict.fromkeys(ignored.get(name, ()))} for name in names]
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


def _entries(places: Places, place: tuple[int, Spot], *, many: bool) -> tuple[int, ...]:
    number, spot = place
    if many:
        return places.nearest(spot)
    one = places.one(spot, number)
    return () if one is None else (one,)


def _slot(slot: Slot, own_name: str, spot: Spot, segments: _Numbered) -> int | tuple[int, ...] | None:
    name, whole_group = slot
    if name == own_name and not whole_group:
        return spot.index
    places = segments.get(name, NOWHERE)
    if not whole_group:
        return places.one(spot, spot.index)
    if name == "NTE":  # a note belongs to the segment that it follows (HL7 v2.5.1 §2.5.4)
        return places.after(spot, spot.index, until=segments[own_name])
    return tuple(places.within(spot.groups[-1]))
