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
        self._nearest: dict[int, tuple[int, ...]] = {}

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
        """The numbers that stand nearest, in their order; the same for all spots of one group."""
        group = spot.groups[-1]
        found = self._nearest.get(group)
        if found is None:
            found = self._nearest[group] = self._find_nearest(spot)
        return found

    def _find_nearest(self, spot: Spot) -> tuple[int, ...]:
        for depth in range(len(spot.groups), 0, -1):
            through = self._through.get(spot.groups[depth - 1])
            if not through:
                continue
            passed = spot.names[depth] if depth < len(spot.names) else None
            found: list[Sequence[int]] = [numbers for name, numbers in through.items() if name != passed]
            if passed is not None:
                found.append(self.within(spot.groups[depth]))
            if any(found):
                return tuple(sorted(number for numbers in found for number in numbers))
        return ()


NOWHERE = Places()
"""Of a name that the message does not have."""


def by_name(things: Iterable[tuple[str, int, Spot]]) -> dict[str, Places]:
    """The places of all things by their names, each with its number; numbers come in their order."""
    found: dict[str, Places] = {}
    for name, number, spot in things:
        found.setdefault(name, Places()).add(number, spot)
    return found
