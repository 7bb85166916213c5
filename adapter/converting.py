"""Converting one message of the inbox, whatever happens: how it ended, what it says, what was found."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from adapter.convert import Converted
from adapter.errors import AdapterError, Held, NoMap, UnitNotApproved, UnknownValueType
from adapter.judge.verdict import Awaited
from adapter.mapper.engine import Issue, Mapped
from adapter.mapper.events import IdentityEvent
from adapter.store.figures import UNREAD
from adapter.store.lanes import Claimed, Finished
from adapter.store.worklist import Lacking

HOLDS: Mapping[str, type[Held]] = {"unknown-value-type": UnknownValueType, "unit-differs": UnitNotApproved}
"""Kinds of issues that hold a message: what is stored would be a guess."""

_OCCURRENCE = re.compile(r"\[\d+\]")
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Done:
    """A message after converting; only one that is mapped has resources, its structure, findings, identity events.

    A finding is a path, the kind, and a text for people; `lacking` is what has no row in a table.
    `awaits` is what releases a held one by itself; what it merged is `undone` where two persons have said so.
    """

    claimed: Claimed
    finished: Finished
    resources: Sequence[Mapped] = ()
    structure: str = ""
    findings: Sequence[tuple[str, str, str]] = ()
    identities: Sequence[IdentityEvent] = ()
    awaits: Sequence[Awaited] = ()
    undone: bool = False
    lacking: Sequence[Lacking] = ()


@dataclass(frozen=True, slots=True)
class Bug:
    """An exception that nobody named."""

    exception: Exception


def converted(claimed: Claimed, convert: Callable[[Claimed], Converted]) -> Done | Bug:
    """Convert one message: `mapped`, `unmapped`, or `held` where it cannot be converted."""
    try:
        return bounded(partial(_mapped, claimed, convert))
    except NoMap as cause:
        return _ended(claimed, "unmapped", cause)
    except AdapterError as cause:
        return _ended(claimed, "held", cause)


def bounded(action: Callable[[], _Made]) -> _Made | Bug:
    """The one boundary against our own bugs: a message that meets one must hold its lane, and not stop the worker."""
    try:
        return action()
    except AdapterError:
        raise
    except Exception as bug:  # noqa: BLE001  (a bug has no name to catch it by)
        return Bug(bug)


def findings(done: Sequence[Done]) -> list[tuple[str, str, str, str, str, int, int]]:
    """How often each thing was found: site, structure, path, kind, text, count, and a message that shows it."""
    counted: Counter[tuple[str, str, str, str, str]] = Counter()
    example: dict[tuple[str, str, str, str, str], int] = {}
    for one in done:
        for found in one.findings:
            key = (one.claimed.site, one.structure, *found)
            counted[key] += 1
            example.setdefault(key, one.claimed.id)
    return [(*key, count, example[key]) for key, count in counted.items()]


def _mapped(claimed: Claimed, convert: Callable[[Claimed], Converted]) -> Done:
    made = convert(claimed)
    _hold(made.issues)
    found = [(one.path, UNREAD, "no rule reads this field") for one in made.ledger.unmapped()]
    found += [(_everywhere(one.path), one.kind, one.text) for one in made.issues if one.severity != "information"]
    finished = Finished(claimed.id, "mapped")
    lacking = [
        Lacking(claimed.site, one.kind, one.sent.table, _everywhere(one.path), one.sent.code, one.sent.display)
        for one in made.missing
    ]
    return Done(claimed, finished, made.resources, made.structure, found, made.identities, lacking=lacking)


def _hold(issues: Iterable[Issue]) -> None:
    for one in issues:
        if kind := HOLDS.get(one.kind):
            raise kind(f"{one.path}: {one.text}")


def _everywhere(path: str) -> str:
    """`OBX[3]-5` → `OBX-5`: what is counted is the field, wherever it stands."""
    return _OCCURRENCE.sub("", path, count=1)


def _ended(claimed: Claimed, state: str, cause: AdapterError) -> Done:
    return Done(claimed, Finished(claimed.id, state, cause.code, cause.text, cause.mender))
