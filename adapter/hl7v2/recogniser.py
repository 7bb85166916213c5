"""Finds the groups of a message: the cheapest reading of its segment names under one structure.

A structure is a regular expression over segment names. Its leaves are the states; a step from leaf to leaf costs
nothing where the grammar allows it, and otherwise what the grammar must be bent by. Of all readings of the whole
message the cheapest is taken, of equal ones the one that stays innermost, so that what comes later decides what
came before: an ORC belongs to the RXA that follows it, not to the OBR group that happens to allow an ORC. Only
leaves of the name at hand are alive at a time and steps are remembered, so that the time is linear.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

INCOMPLETE, MISPLACED, HEADLESS = 2, 3, 4
"""Costs: a required part left out; a part once too often or too late; a group entered behind its required first."""

WORST = 2 * HEADLESS
MAX_PROBLEMS = 50
MAX_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Group:
    """A group of a message with its content in order: groups, and segments as indices into the sequence of names.

    `path` is that of the grammar, from the structure on: `ORU_R01.PATIENT_RESULT.ORDER_OBSERVATION`.
    """

    name: str
    path: str
    children: "tuple[Group | int, ...]"


@dataclass(frozen=True, slots=True)
class Problem:
    """Where a message bends its structure.

    `kind` is `missing` (a required `segment` should stand before `index`), `order` (the segment at `index` stands
    too early or too late) or `unexpected` (it stands once too often or is no part of the structure at all).
    """

    kind: str
    segment: str
    index: int
    occurrence: int
    text: str


@dataclass(frozen=True, slots=True)
class Shape:
    """The groups of one message and what is wrong with them."""

    root: Group
    problems: tuple[Problem, ...]


@dataclass(slots=True, eq=False)
class Element:
    """A part of a structure: a segment (no children) or a group. `number` is its place in its parent."""

    name: str
    path: str
    required: bool
    repeats: bool
    choice: bool = False
    number: int = 0
    children: "tuple[Element, ...]" = ()

    def head(self) -> str:
        """The segment by which one knows it: its first required one."""
        if not self.children:
            return self.name
        return next((child for child in self.children if child.required), self.children[0]).head()

    def needs(self, low: int, high: int) -> bool:
        """Whether something required stands between two places among the children, themselves not counted."""
        return not self.choice and any(child.required for child in self.children[low + 1 : high])


class _Step(NamedTuple):
    """How to go from leaf to leaf: at what cost, up to which depth of the chain, and what is wrong with it."""

    cost: int
    depth: int
    fault: str


_State = tuple[tuple[int, int], ...]
"""The leaves that may have read the last segment, best first, with what each costs more than the best."""


@dataclass(slots=True, eq=False)
class _Open:
    """A group being filled."""

    element: Element
    parts: "list[tuple[int, int | _Open]]" = field(default_factory=list[Any])
    last: "dict[int, int | _Open]" = field(default_factory=dict[int, Any])

    def add(self, number: int, part: "int | _Open") -> None:
        self.parts.append((number, part))
        self.last[number] = part

    def close(self) -> Group:
        children = tuple([part if isinstance(part, int) else part.close() for _, part in self.parts])
        return Group(self.element.name, self.element.path, children)

    def first(self) -> int:
        part = self.parts[0][1]
        return part if isinstance(part, int) else part.first()

    def end(self) -> int:
        if not self.parts:
            return 0
        part = self.parts[-1][1]
        return part + 1 if isinstance(part, int) else part.end()


class Recogniser:
    """One structure, ready to read messages. It remembers the steps that it has worked out."""

    def __init__(self, root: Element, *, open_ended: bool) -> None:
        """Number the leaves. `open_ended`: the structure allows any segment somewhere."""
        self._root, self._open_ended = root, open_ended
        self._chains: list[tuple[Element, ...]] = list(_chains(root, ()))
        self._by_name: dict[str, list[int]] = {}
        for leaf, chain in enumerate(self._chains):
            self._by_name.setdefault(chain[-1].name, []).append(leaf)
        self._steps: dict[tuple[int, int], _Step] = {}
        self._moves: dict[tuple[_State, str], tuple[_State, tuple[int, ...]]] = {}

    def shape(self, names: Sequence[str]) -> Shape:
        """Read a sequence of segment names; whatever it is, each of them has its place in the result."""
        leaves = self._read([name for name in names if name in self._by_name])
        root = _Open(self._root)
        problems = _Problems(names)
        stack = [root]
        before = -1
        for index, name in enumerate(names):
            if name not in self._by_name:
                stack[-1].add(-1, index)
                if not name.startswith("Z") and not self._open_ended:
                    problems.add("unexpected", name, index, f"{name} is no part of {self._root.name}")
                continue
            leaf = next(leaves)
            step = self._step(before, leaf)
            self._place(stack, index, leaf, step.depth)
            if step.fault == "order":
                problems.add("order", name, index, f"{name} stands after {self._chains[before][-1].name}")
            elif step.fault:
                problems.add("unexpected", name, index, f"{name} stands once too often")
            before = leaf
        problems.find_missing(root)
        return Shape(root.close(), problems.sorted())

    def _read(self, names: Sequence[str]) -> Iterator[int]:
        """The leaf of each name on the cheapest way through all of them."""
        state: _State = ((-1, 0),)
        trace: list[tuple[_State, tuple[int, ...]]] = []
        for name in names:
            move = self._moves.get((state, name))
            if move is None:
                if len(self._moves) >= MAX_REMEMBERED:
                    self._moves.clear()
                move = self._moves[state, name] = self._move(state, name)
            trace.append(move)
            state = move[0]
        best = min(range(len(state)), key=lambda at: state[at][1] + self._ending(state[at][0]))
        leaves: list[int] = []
        for reached, origins in reversed(trace):
            leaves.append(reached[best][0])
            best = origins[best]
        return reversed(leaves)

    def _move(self, state: _State, name: str) -> tuple[_State, tuple[int, ...]]:
        found: list[tuple[int, int, int, int]] = []
        for leaf in self._by_name[name]:
            steps = [self._step(origin, leaf) for origin, _ in state]
            rank = min(range(len(state)), key=lambda at: state[at][1] + steps[at].cost)
            found.append((state[rank][1] + steps[rank].cost, rank, -steps[rank].depth, leaf))
        least = min(found)[0]
        kept = sorted((one for one in found if one[0] - least <= WORST), key=lambda one: one[1:])
        return tuple((leaf, cost - least) for cost, _, _, leaf in kept), tuple(rank for _, rank, _, _ in kept)

    def _step(self, origin: int, target: int) -> _Step:
        step = self._steps.get((origin, target))
        if step is None:
            step = self._steps[origin, target] = self._first_step(target) if origin < 0 else self._find(origin, target)
        return step

    def _first_step(self, target: int) -> _Step:
        chain = self._chains[target]
        skipped = INCOMPLETE if self._root.needs(-1, chain[1].number) else 0
        return _Step(skipped + _entry(chain, 1), 0, "")

    def _find(self, origin: int, target: int) -> _Step:
        """The cheapest step; of equal ones that which leaves the fewest groups."""
        here, there = self._chains[origin], self._chains[target]
        common = next((at for at, (a, b) in enumerate(zip(here, there, strict=False)) if a is not b), len(here))
        steps = [_sideways(here, there, common - 1)] if origin != target else []
        steps += [_again(here, there, depth) for depth in range(min(common, len(here) - 1) - 1 - bool(steps), -1, -1)]
        return min(steps, key=lambda step: step.cost)

    def _ending(self, origin: int) -> int:
        return _exit(self._chains[origin], 0) if origin >= 0 else 0

    def _place(self, stack: list[_Open], index: int, leaf: int, depth: int) -> None:
        chain = self._chains[leaf]
        del stack[depth + 1 :]
        for element in chain[depth + 1 : -1]:
            known = stack[-1].last.get(element.number)
            if isinstance(known, _Open) and not element.repeats and _first_leaf(element) is not chain[-1]:
                stack.append(known)
                continue
            group = _Open(element)
            stack[-1].add(element.number, group)
            stack.append(group)
        stack[-1].add(chain[-1].number, index)


def _chains(element: Element, above: tuple[Element, ...]) -> Iterator[tuple[Element, ...]]:
    chain = (*above, element)
    if element.children:
        for child in element.children:
            yield from _chains(child, chain)
    elif above:
        yield chain


def _first_leaf(element: Element) -> Element:
    return _first_leaf(element.children[0]) if element.children else element


def _sideways(here: Sequence[Element], there: Sequence[Element], depth: int) -> _Step:
    """To another child of the same group: onward, or back to one that should have come before."""
    group, left, entered = here[depth], here[depth + 1], there[depth + 1]
    if entered.number > left.number and not group.choice:
        skipped = group.needs(left.number, entered.number) or _exit(here, depth + 1) > 0
        return _Step(INCOMPLETE * skipped + _entry(there, depth + 1), depth, "")
    entry = _entry(there, depth + 1) if entered.repeats else 0
    return _Step(MISPLACED + _exit(here, depth + 1) + entry, depth, "order")


def _again(here: Sequence[Element], there: Sequence[Element], depth: int) -> _Step:
    """To another repetition of the same child."""
    cost = _exit(here, depth + 1) + _entry(there, depth + 1)
    if here[depth + 1].repeats:
        return _Step(cost, depth, "")
    return _Step(MISPLACED + cost, depth, "twice")


def _exit(chain: Sequence[Element], depth: int) -> int:
    """What it costs to leave the group at this depth: something required may still be to come."""
    missing = any(
        group.needs(child.number, len(group.children))
        for group, child in zip(chain[depth:-1], chain[depth + 1 :], strict=True)
    )
    return INCOMPLETE if missing else 0


def _entry(chain: Sequence[Element], depth: int) -> int:
    """What it costs to enter the group at this depth other than by its beginning."""
    headless = any(
        group.needs(-1, child.number) for group, child in zip(chain[depth:-1], chain[depth + 1 :], strict=True)
    )
    return HEADLESS if headless else 0


class _Problems:
    """Collects the problems of one message, the first MAX_PROBLEMS of them."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._found: list[Problem] = []
        self._indices: dict[str, list[int]] = {}
        for index, name in enumerate(names):
            self._indices.setdefault(name, []).append(index)

    def add(self, kind: str, segment: str, index: int, text: str) -> None:
        if len(self._found) < MAX_PROBLEMS:
            occurrence = bisect_left(self._indices.get(segment, ()), index) + 1
            self._found.append(Problem(kind, segment, index, occurrence, text))

    def find_missing(self, group: _Open) -> None:
        element = group.element
        if not element.choice:
            for child in element.children:
                if child.required and child.number not in group.last:
                    self._missing(group, child)
        for _, part in group.parts:
            if isinstance(part, _Open):
                self.find_missing(part)

    def _missing(self, group: _Open, child: Element) -> None:
        name = child.head()
        later = next((part for number, part in group.parts if number > child.number), None)
        if later is None:
            self.add("missing", name, group.end(), f"{name} is missing at the end of {group.element.name}")
            return
        index = later if isinstance(later, int) else later.first()
        if (indices := self._indices.get(name)) and indices[-1] > index:
            self.add("order", self._names[index], index, f"{self._names[index]} stands before {name}")
        else:
            self.add("missing", name, index, f"{name} is missing before {self._names[index]}")

    def sorted(self) -> tuple[Problem, ...]:
        return tuple(sorted(self._found, key=lambda problem: problem.index))
