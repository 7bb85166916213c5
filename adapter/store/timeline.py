"""Elements that are a history, such as Encounter.location: items in the order of their events. Pure.

What each message said is kept with its key, so that a transfer that comes late takes its place, and one that was
cancelled leaves its place, whatever the order of arrival (catalogue E26, E29).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

AT, UNDO, NONE = "at", "undo", "none"
"""What a message can say: where it is now; that the last change did not happen; that there is nothing any more."""

Said = list[Any]
"""[key, what, items]: the key as in `merge.py`."""

_SAID = "said"
_BY = ("period", "status")  # when and how it was there does not make another place of it


def stated(as_of: Any) -> list[Said]:
    """What messages have said, from the keys of a resource; nothing, where they were made by another rule."""
    return as_of.get(_SAID, []) if isinstance(as_of, dict) else []  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]


def add(as_of: Any, key: Sequence[Any], what: str, items: Sequence[Any]) -> dict[str, Any]:
    """The keys with what one more message says; a message that is converted again replaces what it said itself."""
    others = [one for one in stated(as_of) if one[0][2] != key[2]]
    return {_SAID: sorted([*others, [list(key), what, list(items)]], key=lambda one: one[0][1:])}


def shown(as_of: Any) -> list[dict[str, Any]]:
    """The history: each item ends when the next begins.

    What messages only imply counts where none states anything, and then the newest alone.
    """
    said = stated(as_of)
    sure = [one for one in said if one[0][0] >= 1]
    history: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for _, what, items in sure or said[-1:]:
        if what == UNDO:
            # What it was before the first change is no change: there is nothing to go back to (E28).
            del history[max(1, len(history) - 1) :]
        elif what == NONE:
            history, others = [], []
        elif items:
            _go_on(history, items[0])
            others = items[1:]
    places = [_place(one) for one in history]
    return [*_with_ends(history), *(one for one in others if _place(one) not in places)]


def _go_on(history: list[dict[str, Any]], item: dict[str, Any]) -> None:
    if not history or _place(history[-1]) != _place(item):
        history.append(item)
    elif history[-1].get("status") == "planned":
        history[-1] = item


def _with_ends(history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    made = list(history)
    for place, (one, following) in enumerate(pairwise(history)):
        made[place] = dict(one)
        if one.get("status") == "active":
            made[place]["status"] = "completed"
        if start := following.get("period", {}).get("start"):
            made[place]["period"] = {**one.get("period", {}), "end": start}
    return made


def _place(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in _BY}
