"""Replays as rows: which messages each is about, how far it is, what it changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapter.errors import StorageUnavailable
from adapter.fhir.json import dumps, loads
from adapter.store.browse import EVERYTHING, Filter
from adapter.store.bulk import parts
from adapter.store.database import instant, marks, micros, now_micros, rows, run, run_many
from adapter.store.lanes import Claimed, Finished, stored
from adapter.store.states import Change

OPEN, DONE = "open", "done"
STATES = ("mapped", "unmapped")
"""What is replayed: `held` is for requeue, and what waits is converted by the worker anyhow."""

_AT_ONCE = 500  # messages in one statement
_COLUMNS = "id, asked, mapping, actor, reason, state, up_to, last, started_at, finished_at, tally"
_FINISH = """UPDATE message SET state = ?, cause_code = ?, cause = ?, mender = ?, finished_at = ?, mapping = ?,
    replay_id = ? WHERE id = ? AND state = ? AND lease_owner IS NULL"""
_CHANGE = """INSERT INTO replay_change (replay_id, key, kind, version) VALUES (?,?,?,?)
    ON CONFLICT (replay_id, key) DO UPDATE SET version = excluded.version,
    kind = CASE WHEN replay_change.kind = 'new' AND excluded.kind = 'changed' THEN 'new' ELSE excluded.kind END"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages: those of a filter, from the number `first` to the number `last`; 0: from and to the ends."""

    asked: Filter = EVERYTHING
    first: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One replay, as it stands; `asked` is its selection as texts, `tally` counts messages by what became of them."""

    id: int
    asked: Mapping[str, str]
    mapping: str
    actor: str
    reason: str
    state: str
    up_to: int
    last: int
    started_at: datetime
    finished_at: datetime | None
    tally: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A message to be replayed, the state it is in, and the last replay that made something anew of what it says."""

    claimed: Claimed
    state: str
    replay_id: int | None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a replayed message ended; `before` is the state in which it was found."""

    finished: Finished
    before: str


def begin(connection: Connection, run_: Run) -> Run:
    """Write a replay that begins; the answer has its number."""
    values = [dumps(run_.asked).decode(), run_.mapping, run_.actor, run_.reason, run_.state, run_.up_to]
    sql = f"""INSERT INTO replay ({_COLUMNS.removeprefix("id, ")}) VALUES ({marks("0123456789")}) RETURNING id"""
    made = rows(connection, sql, [*values, 0, micros(run_.started_at), None, dumps(run_.tally).decode()])
    return replace(run_, id=made[0][0])


def find(connection: Connection, number: int) -> Run | None:
    """One replay; None where there is none of this number."""
    found = rows(connection, f"SELECT {_COLUMNS} FROM replay WHERE id = ?", [number])
    return _run(found[0]) if found else None


def last_open(connection: Connection) -> int | None:
    """The replay that was begun last and is not done; None where all are."""
    found = rows(connection, "SELECT id FROM replay WHERE state = ? ORDER BY id DESC LIMIT 1", [OPEN])
    return found[0][0] if found else None


def advance(connection: Connection, run_: Run, *, last: int, tally: Mapping[str, int]) -> Run:
    """Note how far a replay is, in the transaction that holds what was done.

    Raises:
        StorageUnavailable: somebody else goes on with this replay; nothing may be committed.
    """
    sql = "UPDATE replay SET last = ?, tally = ? WHERE id = ? AND last = ? AND state = ?"
    if run(connection, sql, [last, dumps(tally).decode(), run_.id, run_.last, OPEN]) != 1:
        raise StorageUnavailable("somebody else goes on with this replay")
    return replace(run_, last=last, tally=dict(tally))


def finish(connection: Connection, run_: Run, now: datetime) -> Run:
    """Note that a replay is done."""
    sql = "UPDATE replay SET state = ?, finished_at = ? WHERE id = ? AND state = ?"
    if run(connection, sql, [DONE, micros(now), run_.id, OPEN]) != 1:
        raise StorageUnavailable("somebody else has ended this replay")
    return replace(run_, state=DONE, finished_at=now)


def count(connection: Connection, selection: Selection) -> int:
    """How many messages are selected."""
    where, values = _where(selection, STATES)
    return rows(connection, f"SELECT count(*) FROM message WHERE {where}", values)[0][0]


def held(connection: Connection, selection: Selection) -> int:
    """How many messages would be selected, were they not held."""
    where, values = _where(replace(selection, asked=replace(selection.asked, state="")), ["held"])
    return rows(connection, f"SELECT count(*) FROM message WHERE {where}", values)[0][0]


def choose(connection: Connection, selection: Selection, *, after: int, limit: int) -> list[Chosen]:
    """The next selected messages after this number."""
    where, values = _where(selection, STATES)
    sql = f"SELECT id, state, replay_id FROM message WHERE {where} AND id > ? ORDER BY id LIMIT ?"
    found = {row[0]: row[1:] for row in rows(connection, sql, [*values, after, limit])}
    return [Chosen(one, *found[number]) for number, one in stored(connection, found).items()]


def end(connection: Connection, ended: Iterable[Ended], *, mapping: str, replay_id: int) -> None:
    """Write how messages ended.

    Raises:
        StorageUnavailable: one is in another state by now; nothing may be committed.
    """
    now = now_micros(connection)
    values = [
        (one.state, one.cause_code, one.cause, one.mender, now, mapping, replay_id, one.id, before)
        for one, before in ((each.finished, each.before) for each in ended)
    ]
    if run_many(connection, _FINISH, values) != len(values):
        raise StorageUnavailable("a message was taken by a worker meanwhile")


def touch(connection: Connection, replay_id: int, numbers: Iterable[int]) -> None:
    """Note of messages that a replay made something anew of what they say."""
    for some in parts(sorted(numbers), _AT_ONCE):
        run(connection, f"UPDATE message SET replay_id = ? WHERE id IN ({marks(some)})", [replay_id, *some])


def note(connection: Connection, replay_id: int, changes: Iterable[Change]) -> None:
    """Note what a replay changed."""
    run_many(connection, _CHANGE, [(replay_id, one.key, one.kind, one.version) for one in changes])


def changed(connection: Connection, replay_id: int) -> dict[str, int]:
    """How many resources a replay changed, by kind, and of how many patients."""
    sql = "SELECT kind, count(*) FROM replay_change WHERE replay_id = ? GROUP BY kind"
    found: dict[str, int] = dict(rows(connection, sql, [replay_id]))
    sql = """SELECT count(DISTINCT r.patient_id) FROM replay_change AS c JOIN resource AS r ON r.key = c.key
        WHERE c.replay_id = ?"""
    return {**found, "patients": rows(connection, sql, [replay_id])[0][0]}


def versions(connection: Connection, replay_id: int, *, after: int, limit: int) -> list[tuple[int, str]]:
    """Some of the versions that a replay made: key, and `Type/id/_history/version`."""
    sql = """SELECT c.key, r.resource_type, r.id, c.version FROM replay_change AS c JOIN resource AS r ON r.key = c.key
        WHERE c.replay_id = ? AND c.key > ? ORDER BY c.key LIMIT ?"""
    found = rows(connection, sql, [replay_id, after, limit])
    return [(key, f"{kind}/{number}/_history/{version}") for key, kind, number, version in found]


def _where(selection: Selection, states: Sequence[str]) -> tuple[str, list[Any]]:
    asked = selection.asked
    terms: list[tuple[str, Any]] = [
        (f"{name} = ?", value)
        for name, value in (
            ("site", asked.site),
            ("state", asked.state),
            ("message_type", asked.message_type),
            ("event", asked.event),
            ("control_id", asked.control_id),
            ("cause_code", asked.cause),
            ("lane", asked.lane),
        )
        if value
    ]
    terms += [("' ' || flags || ' ' LIKE ?", f"% {word} %") for word in asked.flag.split()]
    terms += [("received_at >= ?", micros(asked.since))] if asked.since else []
    terms += [("received_at < ?", micros(asked.until))] if asked.until else []
    terms += [("id >= ?", selection.first)] if selection.first else []
    terms += [("id <= ?", selection.last)] if selection.last else []
    where = " AND ".join([f"state IN ({marks(states)})", *(term for term, _ in terms)])
    return where, [*states, *(value for _, value in terms)]


def _run(row: Sequence[Any]) -> Run:
    number, asked, mapping, actor, reason, state, up_to, last, started, finished, tally = row
    ended = None if finished is None else instant(finished)
    return Run(number, loads(asked), mapping, actor, reason, state, up_to, last, instant(started), ended, loads(tally))
