"""Where the segments of one message shape go: worked out once per shape, then only followed.

"Nearest" (`nearest.py`) is the rule for everything that one segment takes from another (OBX from its OBR, a resource
from its Patient), so that one order never borrows from the next.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import NamedTuple

from adapter.hl7v2.message import NULL, split_field
from adapter.mapper.compiled import Build, Compiled, Reads, Reasons
from adapter.mapper.makers import STANDARD, Memo

_NONE: frozenset[int] = frozenset()
_SOME_KEPT = 16


class Read(dict[int, "Check"]):
    """`Reads` of one segment in the form that is quick to ask: what to look at in a segment of so many fields.

    `whole` are the fields that are read whole (and 0, the name), `parts` those of which some components are read.
    """

    def __init__(self, whole: frozenset[int], parts: Mapping[int, frozenset[int]]) -> None:
        """Keep what is read."""
        super().__init__()
        self.whole, self.parts = whole, parts

    def __missing__(self, length: int) -> "Check":
        """Work it out, and remember it."""
        unread = [number for number in range(length) if number not in self.whole and number not in self.parts]
        parts = tuple((number, _unread(self.parts[number])) for number in sorted(self.parts) if number < length)
        asked = [*unread, *(number for number, _ in parts)]
        # itemgetter gives a tuple only for two or more.
        get = itemgetter(*asked, asked[0]) if asked else _nothing
        check = self[length] = Check(tuple(unread), get, parts)
        return check


class Check(NamedTuple):
    """The fields of a segment that no rule reads, how to get all that are not read whole, and those read in part.

    With each of the last stands what is not read of it, by its raw text.
    """

    unread: tuple[int, ...]
    get: Callable[[tuple[str, ...]], tuple[str, ...]]
    parts: tuple[tuple[int, Mapping[str, tuple[int, ...]]], ...]


@cache
def _unread(components: frozenset[int]) -> Memo[tuple[int, ...]]:
    """By raw field, the valued components that are none of these."""

    def left(raw: str) -> tuple[int, ...]:
        field = split_field(raw, STANDARD) if raw != NULL else ()
        valued = {n for repetition in field for n, component in enumerate(repetition, 1) if any(component)}
        return tuple(sorted(valued - components))

    return Memo(left)


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
    """What resources of one map have in common: the segments beside their own, and what they refer to.

    `groups` is the number of slots for groups of segments, which each resource has of its own.
    """

    map: str
    groups: int
    shared: tuple[int | None, ...]
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource to make: its map (`compiled`), its own segment, the groups of segments that it reads, its `Base`.

    `groups` is empty where no group that the map reads has a segment; `build` asks nothing of segments that are absent.
    `clear`, `undo`, `cancels`: what the event takes back. `prior`: the message names it as the old one of an
    identity event (MRG), and says nothing more of it.
    """

    compiled: Compiled
    map: str
    resource: str
    fill: bool
    clear: tuple[str, ...]
    index: int
    groups: tuple[tuple[int, ...], ...]
    build: Build
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
    entry becomes a resource. `labels` names each segment with its occurrence: `OBX`, `OBX[2]`. `blank` makes
    every segment as wide as the maps want it.
    """

    entries: tuple[Entry, ...]
    bases: tuple[Base, ...]
    reads: tuple[Read, ...]
    labels: tuple[str, ...]
    identities: tuple[Happening, ...]
    blank: tuple[str, ...]
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
        base = self.bases[entry.base]
        if slot <= base.groups:
            return entry.groups[slot - 1] if entry.groups else ()
        at = base.shared[slot - 1 - base.groups]
        return () if at is None else (at,)


def fields_read(
    entries: Sequence[Entry],
    bases: Sequence[Base],
    names: Sequence[str],
    *,
    ignored: Reasons,
) -> tuple[Read, ...]:
    """Per segment, what the maps of these entries read, with what is ignored on purpose."""
    maps = {entry.map: entry.compiled for entry in entries}
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
