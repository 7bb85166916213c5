"""Works out where the segments of one message shape go (`plan.py`).

"Nearest" (`nearest.py`) is the rule for everything that one segment takes from another (OBX from its OBR, a resource
from its Patient), so that one order never borrows from the next.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from adapter.hl7v2.grammar import Shape
from adapter.mapper.compiled import Compiled, Reasons
from adapter.mapper.message_maps import MessageMap, Part
from adapter.mapper.nearest import NOWHERE, Places, Spot, by_name, spots
from adapter.mapper.plan import Base, Entry, Happening, Plan, Reference, fields_read

_DETAIL_OF: Mapping[str, str] = {"PD1": "PID", "PV1": "PID", "PV2": "PV1", "IN2": "IN1", "IN3": "IN1"}
"""Segments that say more of the one that they follow: of two patients (ADT_A17) each has its own."""

_FOLLOWERS = frozenset({"ROL", "PRT"})
_OWNERS = frozenset({"PID", "PV1", "NK1", "OBX", "DG1", "PR1", "GT1", "IN1", "ORC", "OBR"})
_OWNER = "what roles belong to"
"""A role belongs to the segment that it follows (HL7 v2.5.1 §3.3.1): after PID the person's, after PV1 the visit's."""

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
    reads = fields_read(entries, tuple(bases), names, ignored=ignored)
    blank = ("",) * max((entry.compiled.width for entry in entries), default=0)
    return Plan(entries, tuple(bases), reads, _labels(names), _happenings(message_map, parts), blank)


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
    absent = frozenset(slot for slot, at in enumerate((*groups, *shared), start=1) if at in {None, ()})
    return Entry(
        compiled=compiled,
        map=part.map,
        resource=compiled.map.resource,
        fill=part.fill,
        clear=part.clear,
        index=spot.index,
        groups=tuple(groups) if any(groups) else (),
        build=compiled.build(absent),
        base=around.bases.setdefault(Base(part.map, len(groups), tuple(shared), references), len(around.bases)),
        owner=made.get(compiled.map.identity.owner, NOWHERE).one(spot, number),
        patient=made.get("Patient", NOWHERE).one(spot, number),
        undo=part.undo,
        cancels=part.cancels,
    )


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
