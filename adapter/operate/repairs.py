"""Requeue and release: a plan first, then in parts, each a transaction of its own that says who and why."""

from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

from adapter.fhir import json
from adapter.operate.asked import as_texts
from adapter.request_errors import BadParameter
from adapter.store import repair
from adapter.store.browse import AT_ONCE, EVERYTHING, Filter, ids, last_id
from adapter.store.database import Connection, Database
from adapter.store.repair import Accept, Doing

WOULD = {
    repair.REQUEUE: "each is converted again, in the order in which they came for each patient",
    repair.RELEASE: "each is put aside as `ignored`, or accepted where it was refused; what waits behind it goes on",
    repair.SAME_PERSON: "it is converted although the number seems to be another person's; what it says is believed",
    repair.AS_SENT: "it is converted as it is; what it says is believed",
    repair.UNMERGE: "the first person asks; when a second one does, what was merged goes back to its own numbers",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which messages: one by its number, or those of a filter."""

    kind: str
    asked: Filter = EVERYTHING
    number: int | None = None

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            BadParameter: nothing was asked for; all messages is no answer to that. What is said of one person is said
                of one message.
        """
        if self.kind in {repair.SAME_PERSON, repair.AS_SENT, repair.UNMERGE} and self.number is None:
            raise BadParameter(f"{self.kind} needs the number of one message")
        if self.number is None and self.asked.is_empty:
            raise BadParameter(f"{self.kind} needs a message's number or a filter")


def plan(database: Database, chosen: Chosen) -> dict[str, Any]:
    """What would be done: how many messages of which site, state and type, how many patients, the oldest and newest.

    `plan` in it is the token with which it is done; it holds for these messages and for none that come later.
    """
    with database.read() as connection:
        up_to = last_id(connection)
        numbers = _numbers(connection, chosen, up_to)
        parts = repair.parts(connection, numbers)
        return {
            "kind": chosen.kind,
            "messages": len(numbers),
            "patients": repair.lanes(connection, numbers),
            "oldest": min(one.oldest for one in parts).isoformat() if parts else None,
            "newest": max(one.newest for one in parts).isoformat() if parts else None,
            "parts": [
                {**asdict(one), "oldest": one.oldest.isoformat(), "newest": one.newest.isoformat()} for one in parts
            ],
            "would": WOULD[chosen.kind],
            "plan": _token(chosen, up_to),
        }


def carry_out(
    database: Database, chosen: Chosen, *, token: str, doing: Doing, accept: Accept | None = None
) -> dict[str, Any]:
    """Do the next part of a plan.

    Args:
        database: the inbox.
        chosen: what was planned.
        token: `plan` of the plan.
        doing: who and why.
        accept: releases what was refused as a whole.

    Returns:
        `done`: how many were changed now; `left`: how many of the plan are still to do. A part that was done is not
        done again: another call goes on where this one ended.

    Raises:
        BadParameter: the token is of another plan, or there is no reason.
    """
    up_to = _planned(chosen, token)
    if not doing.reason.strip() or not doing.actor.strip():
        raise BadParameter("whoever changes what happens to messages says who and why: actor and reason")
    with database.read() as connection:
        numbers = _numbers(connection, chosen, up_to)
    some = numbers[:AT_ONCE]
    with database.write() as connection:
        done = repair.carry_out(connection, some, doing, accept=accept)
    # What cannot be changed would be found again and again.
    return {"done": done, "left": len(numbers) - len(some) if done else 0}


def _numbers(connection: Connection, chosen: Chosen, up_to: int) -> list[int]:
    if chosen.number is not None:
        fits = chosen.number <= up_to and repair.open_to(connection, chosen.kind, chosen.number)
        return [chosen.number] if fits else []
    states = repair.STATES[chosen.kind]
    # What is mapped, or was put aside, is converted again only where that was asked for by name.
    if chosen.kind == repair.REQUEUE and chosen.asked.state not in {"mapped", "ignored"}:
        states = ("held", "unmapped")
    return ids(connection, chosen.asked, states, up_to=up_to, whole=chosen.kind == repair.RELEASE)


def _token(chosen: Chosen, up_to: int) -> str:
    said = json.canonical([chosen.kind, chosen.number, as_texts(chosen.asked), up_to])
    return f"{up_to}.{blake2b(said, digest_size=12).hexdigest()}"


def _planned(chosen: Chosen, token: str) -> int:
    up_to = token.partition(".")[0]
    if not (up_to.isascii() and up_to.isdigit() and _token(chosen, int(up_to)) == token):
        raise BadParameter("this plan is of other messages; plan again")
    return int(up_to)
