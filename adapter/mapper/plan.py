"""Where the segments of one message shape go: worked out once per shape, then only followed.

"Nearest" (`nearest.py`) is the rule for everything that one segment takes from another (OBX from its OBR, a resource
from its Patient), so that one order never borrows from the next.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from adapter.hl7v2.grammar import Shape
from adapter.mapper.compiled import Compiled, Details, Reads, Slot
from adapter.mapper.nearest import NOWHERE, Places, Spot, by_name, spots
from adapter.mapper.rules import MessageMap, Part

_NONE: frozenset[int] = frozenset()

_DETAIL_OF: Mapping[str, str] = {"PD1": "PID", "PV1": "PID", "PV2": "PV1", "IN2": "IN1", "IN3": "IN1"}
"""Segments that say more of the one that they follow: of two patients (ADT_A17) each has its own."""

_FOLLOWERS = frozenset({"ROL", "PRT"})
_OWNERS = frozenset({"PID", "PV1", "NK1", "OBX", "DG1", "PR1", "GT1", "IN1", "ORC", "OBR"})
_OWNER = "what roles belong to"
"""A role belongs to the segment that it follows (HL7 v2.5.1 §3.3.1): after PID the person's, after PV1 the visit's."""


class Read(NamedTuple):
    """`Reads` in the form that is quick to ask: fields read whole (and 0, the name), and those read in part."""

    whole: frozenset[int]
    parts: Mapping[int, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Reference:
    """An element that refers to other resources of the message, by their number in the plan.

    `segments` are those that the resources come from, in the same order; `details` what stands beside the reference.
    """

    target: tuple[str, ...]
    many: bool
    entries: tuple[int, ...]
    segments: tuple[int, ...]
    details: Details | None


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
    entry becomes a resource; `reads_of` remembers the same for fewer entries. `labels` names each segment with its
    occurrence: `OBX`, `OBX[2]`.
    """

    entries: tuple[Entry, ...]
    reads: tuple[Read, ...] = ()
    labels: tuple[str, ...] = ()
    reads_of: dict[tuple[int, ...], tuple[Read, ...]] = field(
        default_factory=dict[tuple[int, ...], tuple[Read, ...]], compare=False
    )


_Numbered = dict[str, Places]
"""By resource type, map or segment name, where each is."""


class _Things(NamedTuple):
    """What stands in a message: resources to make, segments, and the segment that each resource comes from."""

    made: _Numbered
    segments: _Numbered
    stands: Sequence[int]


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
    segments = by_name((names[spot.index], spot.index, spot) for spot in every)
    parts = [(part, spot) for part, spot in parts if not _beside(part.without, spot, segments)]
    referred = {rule.refer for part in message_map.parts for rule in maps[part.map].map.rules if rule.refer}
    made = by_name(
        (name, number, spot)
        for number, (part, spot) in enumerate(parts)
        for name in (maps[part.map].map.resource, *({part.map} & referred))
    )
    if not _FOLLOWERS.isdisjoint(names):
        segments |= by_name((_OWNER, spot.index, spot) for spot in every if names[spot.index] in _OWNERS)
    stands = [spot.index for _, spot in parts]
    entries = tuple(
        _entry(part, maps[part.map], (number, spot), _seen(part, message_map, maps, _Things(made, segments, stands)))
        for number, (part, spot) in enumerate(parts)
    )
    return Plan(entries, fields_read([(entry, maps[entry.map]) for entry in entries], names, ignored), _labels(names))


def _labels(names: Sequence[str]) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    labels: list[str] = []
    for name in names:
        counts[name] += 1
        labels.append(f"{name}[{counts[name]}]" if counts[name] > 1 else name)
    return tuple(labels)


def _seen(part: Part, message_map: MessageMap, maps: Mapping[str, Compiled], things: _Things) -> _Things:
    """What stands in the message, without what a part stands apart from."""
    if not part.apart:
        return things
    given = [maps[one.map].map for one in message_map.parts]
    types = {one.resource for one in given if one.segment in part.apart}
    return _Things(
        {name: places for name, places in things.made.items() if name not in types},
        {name: places for name, places in things.segments.items() if name not in part.apart},
        things.stands,
    )


def _entry(part: Part, compiled: Compiled, place: tuple[int, Spot], things: _Things) -> Entry:
    number, spot = place
    made, segments = things.made, things.segments
    references = tuple(
        Reference(
            rule.target, repeats, found, tuple(things.stands[at] for at in found), compiled.details.get(rule.target)
        )
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
        for reference in entry.references:
            for one in reference.segments if reference.details else ():
                _add(read[one], reference.details.reads)
    return tuple(
        Read(
            frozenset(number for number, components in fields.items() if components is None),
            {number: components for number, components in fields.items() if components is not None},
        )
        for fields in read
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


def _slot(slot: Slot, own_name: str, spot: Spot, segments: _Numbered) -> int | tuple[int, ...] | None:
    name, whole_group = slot
    if name == own_name and not whole_group:
        return spot.index
    places = segments.get(name, NOWHERE)
    if not whole_group:
        if _DETAIL_OF.get(name) == own_name:
            own = places.after(spot, spot.index, until=segments[own_name])
            return own[0] if own else None
        return places.one(spot, spot.index)
    if name == "NTE":  # a note belongs to the segment that it follows (HL7 v2.5.1 §2.5.4)
        return places.after(spot, spot.index, until=segments[own_name])
    if name in _FOLLOWERS:
        return places.after(spot, spot.index, until=segments.get(_OWNER, NOWHERE))
    found = places.nearest(spot)
    return tuple(index for index in found if index > spot.index) or found
