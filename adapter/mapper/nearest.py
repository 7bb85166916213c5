"""Where the segments of a message stand, and which of them are nearest to one of them.

The own group comes first, then each enclosing group in turn, never another repetition of a group passed on the way.
A message may have thousands of segments: each is looked up by its group, never compared with all the others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from adapter.hl7v2.grammar import Group


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
        self._nearest: dict[tuple[int, str | None, int], tuple[int, ...]] = {}

    def add(self, number: int, spot: Spot) -> None:
        """The thing of this number stands here."""
        for depth, group in enumerate(spot.groups, start=1):
            through = spot.names[depth] if depth < len(spot.names) else ""
            self._within.setdefault(group, []).append(number)
            self._through.setdefault(group, {}).setdefault(through, []).append(number)

    def within(self, group: int) -> Sequence[int]:
        """The numbers in this group and in the groups in it."""
        return self._within.get(group, ())

    def nearest(self, spot: Spot) -> tuple[int, ...]:
        """The numbers that stand nearest, in their order."""
        groups, names = spot.groups, spot.names
        inner, passed = 0, None
        for depth in range(len(groups) - 1, -1, -1):
            group = groups[depth]
            if group in self._within:
                # Thousands of repetitions of one group have the same beside them.
                key = (group, passed, inner if inner in self._within else 0)
                found = self._nearest.get(key)
                if found is None:
                    found = self._nearest[key] = self._beside(*key)
                if found:
                    return found
            inner, passed = group, names[depth]
        return ()

    def _beside(self, group: int, passed: str | None, inner: int) -> tuple[int, ...]:
        """What is in a group, of the groups of the name that was passed only in the inner one."""
        through = self._through[group]
        beside = [number for name, numbers in through.items() if name != passed for number in numbers]
        return tuple(sorted([*beside, *self.within(inner)]))


NOWHERE = Places()
"""Of a name that the message does not have."""


def by_name(things: Iterable[tuple[str, int, Spot]]) -> dict[str, Places]:
    """The places of all things by their names, each with its number; numbers come in their order."""
    found: dict[str, Places] = {}
    for name, number, spot in things:
        found.setdefault(name, Places()).add(number, spot)
    return found
