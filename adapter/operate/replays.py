"""What a replay is asked for and answers, for whoever carries it out: this process, or the program that runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from adapter.operate.asked import as_texts, asked_for
from adapter.request_errors import BadParameter
from adapter.store.replays import STATES, Selection

FIRST, LAST = "first", "last"
"""Filters that only a replay has: the numbers of the first and of the last message."""


@dataclass(frozen=True, slots=True)
class Order:
    """A replay to begin: which messages, by which version of the mappings, by whom and why."""

    selection: Selection
    mapping: str
    actor: str
    reason: str


class Replays(Protocol):
    """Carries out replays. An answer is `replay`, `state`, `messages` in all, `done` of them, `tally`, `changed`."""

    def begin(self, order: Order) -> dict[str, Any]:
        """Note a replay that begins.

        Raises:
            BadParameter: who or why is missing, or the mappings here are others.
        """
        ...

    def go_on(self, number: int | None, mapping: str) -> dict[str, Any]:
        """Do the next part of a replay, by default of that which was begun last.

        Raises:
            BadParameter: there is none, or the mappings here are others.
        """
        ...


def selected(said: Mapping[str, str]) -> Selection:
    """Read which messages are meant; nothing asks for all.

    Raises:
        BadParameter: a name or a value that is not understood, or a state that is not replayed.
    """
    asked = asked_for({name: text for name, text in said.items() if name not in {FIRST, LAST}})
    if asked.state and asked.state not in STATES:
        raise BadParameter(
            f"what is {asked.state} is not replayed (see adapter requeue); there are {', '.join(STATES)}"
        )
    return Selection(asked, _number(said, FIRST), _number(said, LAST))


def texts_of(selection: Selection) -> dict[str, str]:
    """The same as texts, to be sent or kept."""
    numbers = {FIRST: selection.first, LAST: selection.last}
    return as_texts(selection.asked) | {name: str(number) for name, number in numbers.items() if number}


def _number(said: Mapping[str, str], name: str) -> int:
    text = said.get(name) or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise BadParameter(f"{name} is a message's number")
    return int(text)
