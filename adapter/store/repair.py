"""What a person does with messages that wait: convert them again, or let their lane go on without them.

Doing it twice does it once: only messages that are still in a state that allows it are changed. What was done, by whom
and why stands in the same transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from adapter.judged_errors import DemographicConflict, ImpossibleKeyDate, UnknownOrder, VisitNumberReused
from adapter.store.browse import AT_ONCE
from adapter.store.database import instant, marks, now_micros, rows, run, run_many
from adapter.store.inbox import announce

REQUEUE, RELEASE, SAME_PERSON, UNMERGE = "requeue", "release", "same-person", "unmerge"
AS_SENT = "as-sent"
UNMERGED = "unmerged"
"""What is noted when a second person has approved an `UNMERGE`."""

STATES = {
    REQUEUE: ("held", "unmapped", "mapped", "ignored"),
    RELEASE: ("held",),
    SAME_PERSON: ("held",),
    AS_SENT: ("held",),
    UNMERGE: ("mapped",),
}
"""From which states each may start."""

CAUSES = {
    SAME_PERSON: (DemographicConflict.code,),
    AS_SENT: (VisitNumberReused.code, ImpossibleKeyDate.code, UnknownOrder.code),
}
"""For which causes a person may say that a held message goes on as it is."""

_REQUEUE = """UPDATE message SET state = 'received', cause_code = '', cause = '', mender = '', finished_at = NULL,
    attempts = 0, lease_owner = NULL, lease_until = NULL"""
_RELEASE = "UPDATE message SET state = 'ignored', mender = '', finished_at = ?"
_ASKED = "SELECT actor FROM action WHERE message_id = ? AND kind = ? ORDER BY id LIMIT 1"
_ACTION = "INSERT INTO action (message_id, at, actor, kind, detail) VALUES (?,?,?,?,?)"

Accept = Callable[[Connection, int], bool]
"""Takes a message that was refused as a whole, such as a batch with a wrong count; whether there was anything to do."""


@dataclass(frozen=True, slots=True)
class Doing:
    """What is to be done: `kind`, by whom, and why."""

    kind: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Part:
    """What a plan says of some messages: how many of which site, state and type, and between which times."""

    site: str
    state: str
    type: str
    answered: str
    messages: int
    oldest: datetime
    newest: datetime


def open_to(connection: Connection, kind: str, number: int) -> bool:
    """Whether one message is in a state from which this may start."""
    if kind == UNMERGE:
        return bool(_merged(connection, [number]))
    if kind in CAUSES:
        return any(held_for(connection, number, code) is not None for code in CAUSES[kind])
    found = rows(connection, "SELECT state, lane FROM message WHERE id = ?", [number])
    return bool(found) and found[0][0] in STATES[kind] and (kind == RELEASE or found[0] != ("held", ""))


def parts(connection: Connection, numbers: Sequence[int]) -> list[Part]:
    """Count messages for a plan."""
    columns = "site, state, message_type, event, ack_code"
    counted: dict[tuple[str, ...], list[int]] = {}
    for some in _some(numbers):
        sql = f"""SELECT {columns}, count(*), min(received_at), max(received_at) FROM message
            WHERE id IN ({marks(some)}) GROUP BY {columns}"""
        for *key, count, oldest, newest in rows(connection, sql, some):
            one = counted.setdefault(tuple(key), [0, oldest, newest])
            one[:] = [one[0] + count, min(one[1], oldest), max(one[2], newest)]
    return [
        Part(site, state, f"{kind}^{event}", answered, count, instant(oldest), instant(newest))
        for (site, state, kind, event, answered), (count, oldest, newest) in sorted(counted.items())
    ]


def lanes(connection: Connection, numbers: Sequence[int]) -> int:
    """How many patients these messages are of."""
    found: set[str] = set()
    for some in _some(numbers):
        sql = f"SELECT DISTINCT lane FROM message WHERE id IN ({marks(some)})"
        found.update(lane for (lane,) in rows(connection, sql, some))
    return len(found)


def carry_out(connection: Connection, numbers: Sequence[int], doing: Doing, *, accept: Accept | None = None) -> int:
    """Do it with those of at most `AT_ONCE` messages that are still in a state that allows it.

    What waits without a lane is no message that could be converted (a batch with a wrong count, B40): `accept` alone
    releases it.

    Returns:
        How many were changed.
    """
    now = now_micros(connection)
    if doing.kind == UNMERGE:
        return _unmerge(connection, numbers, doing, now)
    whole = _without_lane(connection, numbers)
    changed = _change(connection, [number for number in numbers if number not in whole], doing.kind, now)
    if doing.kind == RELEASE and accept:
        changed += [number for number in sorted(whole) if accept(connection, number)]
    actions = [(number, now, doing.actor, doing.kind, doing.reason) for number in sorted(changed)]
    run_many(connection, _ACTION, actions)
    if changed:
        announce(connection)
    return len(changed)


def held_for(connection: Connection, number: int, cause_code: str) -> tuple[str, bytes] | None:
    """Site and bytes of a message that is held for this cause; None where it is not, or not any more."""
    sql = "SELECT site, raw FROM message WHERE id = ? AND state = 'held' AND cause_code = ?"
    found = rows(connection, sql, [number, cause_code])
    return (found[0][0], bytes(found[0][1])) if found else None


def convert_anyway(connection: Connection, number: int, *, lane: str) -> None:
    """Let a message that was refused and held be converted, in the lane that it has as a message."""
    sql = """UPDATE message SET state = 'received', lane = ?, cause_code = '', cause = '', mender = '', attempts = 0
        WHERE id = ? AND state = 'held'"""
    run(connection, sql, [lane, number])
    announce(connection)


def answered(connection: Connection, number: int, kind: str) -> bool:
    """Whether a person has answered this about a message."""
    return bool(rows(connection, "SELECT 1 FROM action WHERE message_id = ? AND kind = ?", [number, kind]))


def note(connection: Connection, number: int, doing: Doing) -> None:
    """Write down what a person did with one message."""
    run(connection, _ACTION, [number, now_micros(connection), doing.actor, doing.kind, doing.reason])


def _unmerge(connection: Connection, numbers: Sequence[int], doing: Doing, now: int) -> int:
    """One person asks; when another one does, the message is converted again, and the worker reverses its merges."""
    changed = 0
    for number in _merged(connection, numbers):
        asked = rows(connection, _ASKED, [number, UNMERGE])
        if not asked or asked[0][0] == doing.actor:
            run(connection, _ACTION, [number, now, doing.actor, UNMERGE, doing.reason])
        else:
            run(connection, _ACTION, [number, now, doing.actor, UNMERGED, doing.reason])
            run(connection, f"{_REQUEUE} WHERE id = ?", [number])
            announce(connection)
        changed += 1
    return changed


def _merged(connection: Connection, numbers: Sequence[int]) -> list[int]:
    """Those of these messages whose merges are in force."""
    if not numbers:
        return []
    sql = f"""SELECT id FROM message WHERE id IN ({marks(numbers)}) AND state = 'mapped' AND EXISTS (
        SELECT 1 FROM redirect WHERE NOT moves AND redirect.message_id = message.id)"""
    return [number for (number,) in rows(connection, sql, numbers)]


def _change(connection: Connection, numbers: Sequence[int], kind: str, now: int) -> list[int]:
    if not numbers:
        return []
    states = STATES[kind]
    allowed = f"WHERE id IN ({marks(numbers)}) AND state IN ({marks(states)})"
    if kind in CAUSES:
        allowed += f" AND cause_code IN ({', '.join(repr(code) for code in CAUSES[kind])})"
    how, values = (_RELEASE, [now]) if kind == RELEASE else (_REQUEUE, [])
    return [number for (number,) in rows(connection, f"{how} {allowed} RETURNING id", [*values, *numbers, *states])]


def _without_lane(connection: Connection, numbers: Sequence[int]) -> set[int]:
    sql = f"SELECT id FROM message WHERE id IN ({marks(numbers)}) AND lane = '' AND state = 'held'"
    return {number for (number,) in rows(connection, sql, numbers)} if numbers else set()


def _some(numbers: Sequence[int]) -> list[list[int]]:
    return [list(numbers[start : start + AT_ONCE]) for start in range(0, len(numbers), AT_ONCE)]
