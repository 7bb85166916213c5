"""Searching what is made when it is read: it follows what is stored, in the order of its numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from adapter.api.exchange import Made
from adapter.fhir.search_values import split_reference
from adapter.store.database import Connection
from adapter.store.origins import Wish
from adapter.store.reach import Reach

MOST = 50
"""On one page: each is a conversion."""

LEFT_OUT = "of a message the Provenance is found by target, patient and _id alone: only what is stored was searched"

_CURSOR = "made-"
_TARGETS = {"target": "", "patient": "Patient"}
_VERSION = re.compile(r"/_history/(\d{1,9})$")


@dataclass(frozen=True, slots=True)
class Asked:
    """A search of what is made; one that asks for what cannot be answered is not `answerable`."""

    maker: Made
    reach: Reach
    targets: Sequence[Sequence[Wish]]
    ids: frozenset[str] | None
    answerable: bool


@dataclass(frozen=True, slots=True)
class Behind:
    """What follows the stored ones of a page: id and JSON; how many there are in all."""

    rows: Sequence[tuple[str, bytes]]
    total: int
    next_cursor: str | None


NOTHING = Behind((), 0, None)


def asked(maker: Made, reach: Reach, params: Sequence[tuple[str, str]], *, base: str) -> Asked:
    """Read the parameters of a search; they are known to be right."""
    targets: list[list[Wish]] = []
    ids: frozenset[str] | None = None
    answerable = True
    for name, value in params:
        code, _, modifier = name.partition(":")
        if code in _TARGETS and modifier != "missing":
            kind = modifier or _TARGETS[code]
            targets.append([_wish(one.removeprefix(f"{base}/"), kind) for one in value.split(",")])
        elif name == "_id":
            named = frozenset(value.split(","))
            ids = named if ids is None else ids & named
        else:
            answerable = False
    return Asked(maker, reach, targets, ids, answerable)


def first(cursor: str | None) -> int | None:
    """The number after which a page goes on; None where the cursor is one of what is stored."""
    digits = (cursor or "").removeprefix(_CURSOR)
    return int(digits) if cursor != digits and digits.isascii() and digits.isdigit() and len(digits) < 19 else None


def page(connection: Connection, search: Asked, *, after: int, room: int) -> Behind:
    """At most `room` of them, behind the number `after`."""
    if not search.answerable:
        return NOTHING
    numbers = search.maker.find(connection, search.reach, search.targets, search.ids)
    rest = [number for number in numbers if number > after]
    some = rest[: min(room, MOST)]
    last = some[-1] if some else after
    more = f"{_CURSOR}{last}" if len(rest) > len(some) else None
    return Behind(search.maker.make(connection, some) if some else (), len(numbers), more)


def _wish(text: str, kind: str) -> Wish:
    found, name = split_reference(text)
    version = _VERSION.search(text)
    return Wish(found or kind, name, int(version[1]) if version else None)
