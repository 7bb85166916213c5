"""What messages say under the present mappings; those asked for last are remembered."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapter.convert import Converted
from adapter.converting import Bug, Done, converted
from adapter.errors import AdapterError
from adapter.store import contributions
from adapter.store.bulk import parts
from adapter.store.lanes import Claimed
from adapter.store.merge import Mapped
from adapter.store.names import Name

ROOM = 20_000
"""Statements that are remembered: some hundred messages, some ten megabytes."""

_AT_ONCE = 50  # messages that are read together

DEFINED = 0
"""The number under which the store's own resources were written: no message has it."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one message says: its statements and their digests by resource.

    `failure` is a code where it says nothing because it cannot be converted. `done` is how a worker would end it.
    """

    site: str
    statements: Mapping[Name, Sequence[Mapped]]
    digests: Mapping[Name, int]
    done: Done | None = None
    failure: str = ""


class Conversions:
    """Converts each message once, as long as there is room."""

    def __init__(self, convert: Callable[[Claimed], Converted], own: Sequence[Mapped]) -> None:
        """Begin; `own` are the store's own resources."""
        self._convert = convert
        self._own = _said("", own)
        self._kept: OrderedDict[int, Said] = OrderedDict()
        self._statements = 0

    def each(
        self, numbers: Iterable[int], read: Callable[[list[int]], Mapping[int, Claimed]]
    ) -> Iterator[tuple[int, Said]]:
        """What each of these messages says; `read` reads those that are not remembered.

        One that is not there any more says nothing.
        """
        for some in parts(numbers, _AT_ONCE):
            found = {number: self._kept[number] for number in some if number in self._kept} | {DEFINED: self._own}
            claimed = read([number for number in some if number not in found])
            for number in some:
                yield number, found.get(number) or self._new(number, claimed)

    def _new(self, number: int, claimed: Mapping[int, Claimed]) -> Said:
        if number not in claimed:
            return Said("", {}, {})
        said = self._kept[number] = self._converted(claimed[number])
        self._statements += len(said.statements) + 1
        self._forget()
        return said

    def _converted(self, claimed: Claimed) -> Said:
        made = converted(claimed, self._convert)
        if isinstance(made, Bug):
            return Said(claimed.site, {}, {}, failure=AdapterError.code)
        if made.finished.state == "held":
            return Said(claimed.site, {}, {}, made, made.finished.cause_code)
        return _said(claimed.site, made.resources, made)

    def _forget(self) -> None:
        while self._statements > ROOM and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self._statements -= len(gone.statements) + 1


def _said(site: str, resources: Iterable[Mapped], done: Done | None = None) -> Said:
    statements = contributions.by_name(resources)
    return Said(site, statements, {name: contributions.digest(some) for name, some in statements.items()}, done)
