"""Where the segments of a message stand, and which of them are nearest to one of them.

The own group comes first, before the groups in it (RAS_O01: the RXR of the RXA, not that of its RXE), then each
enclosing group in turn, never another repetition of a group passed on the way. Of several in one group the last that
precedes is meant, else the first that follows: in a flat structure (ADT_A17) the second PV1 belongs to the second PID.
A message may have thousands of segments: each is looked up by its group, never compared with all the others.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from adapter.hl7v2.grammar import Group

_ITSELF = "."
"""A name that no group has."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A segment in the tree: its chain of groups from the root down, and their names."""

    index: int
    groups: tuple[int, ...]
    names: tuple[str, ...]


def spots(group: Group, groups: tuple[int, ...] = (), names: tuple[str, ...] = ()) -> Iterator[Spot]:
    """Every segment of a group and of the groups in it."""
    groups, names = (*groups, id(group)), (*names, group.name)
    for child in group.children:
        if isinstance(child, int):
            yield Spot(child, groups, names)
        else:
            yield from spots(child, groups, names)


class Places:
    """Where all things of one name stand, by their numbers, which grow with the message."""

    def __init__(self) -> None:
        """Nothing stands anywhere."""
        self._within: dict[int, list[int]] = {}
        self._through: dict[int, dict[str, list[int]]] = {}
        self._around: dict[tuple[int, str], tuple[int, ...]] = {}
        self._found: dict[tuple[int, str], tuple[int, ...]] = {}

    def add(self, number: int, spot: Spot) -> None:
        """The thing of this number stands here."""
        for depth, group in enumerate(spot.groups, start=1):
            through = spot.names[depth] if depth < len(spot.names) else ""
            self._within.setdefault(group, []).append(number)
            self._through.setdefault(group, {}).setdefault(through, []).append(number)

    def within(self, group: int) -> Sequence[int]:
        """The numbers in this group and in the groups in it."""
        return self._within.get(group, ())

    def after(self, spot: Spot, number: int, *, until: "Places") -> tuple[int, ...]:
        """The numbers directly in the group of `spot` that follow `number`, before the next one of `until` there."""
        own, ends = self.directly(spot), until.directly(spot)
        place = bisect_left(ends, number + 1)
        end = bisect_left(own, ends[place]) if place < len(ends) else len(own)
        return tuple(own[bisect_left(own, number) : end])

    def directly(self, spot: Spot) -> Sequence[int]:
        """The numbers in the group of `spot` itself, not in groups in it."""
        return self._through.get(spot.groups[-1], {}).get("", ())

    def one(self, spot: Spot, number: int) -> int | None:
        """The one that is meant from the place of `number`."""
        found = self.nearest(spot)
        return found[max(bisect_left(found, number) - 1, 0)] if found else None

    def nearest(self, spot: Spot) -> tuple[int, ...]:
        """The numbers that stand nearest, in their order."""
        groups, names = spot.groups, spot.names
        if groups[-1] in self._through:
            return self._in_own(groups[-1])
        if len(groups) == 1:
            return ()
        # Thousands of repetitions of one group have the same around them.
        key = groups[-2], names[-1]
        found = self._around.get(key)
        if found is None:
            found = self._around[key] = self._outwards(groups[:-1], names)
        return found

    def _in_own(self, group: int) -> tuple[int, ...]:
        """What is in a group itself; where nothing is, what is in the groups in it."""
        found = self._found.get((group, _ITSELF))
        if found is None:
            own = tuple(self._through[group].get("", ()))
            found = self._found[group, _ITSELF] = own or self._beside(group, "")
        return found

    def _outwards(self, groups: Sequence[int], names: Sequence[str]) -> tuple[int, ...]:
        """From group to enclosing group; `names` has one more, that of the group that was passed last."""
        for depth in range(len(groups) - 1, -1, -1):
            if groups[depth] in self._through and (found := self._beside(groups[depth], names[depth + 1])):
                return found
        return ()

    def _beside(self, group: int, passed: str) -> tuple[int, ...]:
        """What is in a group, but not in the groups of the name that was passed on the way to it."""
        found = self._found.get((group, passed))
        if found is None:
            through = self._through[group].items()
            every = [one for name, numbers in through if not passed or name != passed for one in numbers]
            found = self._found[group, passed] = tuple(sorted(every))
        return found


NOWHERE = Places()
"""Of a name that the message does not have."""


def by_name(things: Iterable[tuple[str, int, Spot]]) -> dict[str, Places]:
    """The places of all things by their names, each with its number; numbers come in their order."""
    found: dict[str, Places] = {}
    for name, number, spot in things:
        found.setdefault(name, Places()).add(number, spot)
    return found
