"""Finding messages among millions: every question is a few ranges of an index, and pages go on from a key.

Messages of one site, state, type and event are a group, and lie in the index by the time of their receipt. There are
some hundreds of groups: which ones a question is about is found first, then each gives its newest lines.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapter.store.database import instant, marks, micros, rows
from adapter.store.inbox import Listed

AT_ONCE = 500
"""Ids in one statement."""

_GROUP = ("site", "state", "message_type", "event")
_LISTED = (*(one.name for one in fields(Listed)), "flags")
_WORD = "' ' || flags || ' ' LIKE ?"


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for; an empty value asks for everything. `message_type` may stand without `event`."""

    site: str = ""
    state: str = ""
    message_type: str = ""
    event: str = ""
    control_id: str = ""
    cause: str = ""
    flag: str = ""
    lane: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether everything is asked for."""
        return self == Filter()


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Line:
    """A message in a list."""

    listed: Listed
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A part of an index in which messages lie by the time of their receipt; `where` begins with what it equals."""

    where: str
    values: tuple[Any, ...]


def sites(connection: Connection) -> list[str]:
    """The sites of which there are messages."""
    return [site for (site,) in _distinct(connection, ("site",), "")]


def groups(connection: Connection, asked: Filter) -> list[tuple[str, str, str, str]]:
    """The groups that a filter is about: site, state, type, event."""
    given = (asked.site, asked.state, asked.message_type, asked.event)
    found = [(site, state, kind, event) for site, state, kind, event in _distinct(connection, _GROUP, "")]
    return [one for one in found if all(not want or want == has for want, has in zip(given, one, strict=True))]


def ranges(connection: Connection, asked: Filter) -> list[Range]:
    """The parts of the indexes that hold what a filter asks for, the narrowest index first."""
    narrow, values = _narrow(asked)
    if asked.control_id:
        some = [asked.site] if asked.site else sites(connection)
        return [Range(f"site = ? AND control_id = ?{narrow}", (one, asked.control_id, *values)) for one in some]
    if asked.cause:
        return [Range(f"cause_code <> '' AND cause_code = ?{narrow}", (asked.cause, *values))]
    if asked.flag:
        wanted = asked.flag.split()
        found = _distinct(connection, ("flags",), "flags <> ''")
        holding = [flags for (flags,) in found if set(wanted) <= set(flags.split())]
        return [Range(f"flags <> '' AND flags = ?{narrow}", (flags, *values)) for flags in holding]
    equal = " AND ".join(f"{name} = ?" for name in _GROUP)
    when, times = _time(asked)
    return [Range(equal + when, (*group, *times)) for group in groups(connection, asked)]


def page(connection: Connection, asked: Filter, *, before: int | None, limit: int) -> list[Line]:
    """List messages by the time of their receipt, the newest first.

    Args:
        connection: of a reading transaction.
        asked: the filter.
        before: the id of the last line of the page before.
        limit: lines on a page.
    """
    after, key = "", ()
    if before is not None:
        at = rows(connection, "SELECT received_at FROM message WHERE id = ?", [before])
        if not at:
            return []
        after, key = " AND received_at <= ? AND (received_at < ? OR id < ?)", (at[0][0], at[0][0], before)
    columns = ",".join(_LISTED)
    newest: list[Sequence[Any]] = []
    for one in ranges(connection, asked):
        sql = f"SELECT {columns} FROM message WHERE {one.where}{after} ORDER BY received_at DESC, id DESC LIMIT ?"
        newest += rows(connection, sql, [*one.values, *key, limit])
    time, number = _LISTED.index("received_at"), _LISTED.index("id")
    return [_line(row) for row in heapq.nlargest(limit, newest, key=lambda row: (row[time], row[number]))]


def ids(connection: Connection, asked: Filter, states: Sequence[str], *, up_to: int, whole: bool = False) -> list[int]:
    """All messages of a filter that are in one of these states, in the order they came.

    Args:
        connection: of a reading transaction.
        asked: the filter.
        states: those that count.
        up_to: the last id that counts.
        whole: also what is held without a lane: refused as a whole, no message that could be converted.
    """
    lane = "" if whole else " AND (state <> 'held' OR lane <> '')"
    found: set[int] = set()
    for one in ranges(connection, asked):
        sql = f"SELECT id FROM message WHERE {one.where} AND state IN ({marks(states)}){lane}"
        found.update(number for (number,) in rows(connection, sql, [*one.values, *states]))
    return sorted(number for number in found if number <= up_to)


def last_id(connection: Connection) -> int:
    """The newest message; 0 where there is none."""
    return rows(connection, "SELECT coalesce(max(id), 0) FROM message")[0][0]


def _narrow(asked: Filter) -> tuple[str, list[Any]]:
    """What holds within a range of another index than that of the groups."""
    when, values = _time(asked)
    named = [(name, getattr(asked, name)) for name in _GROUP if getattr(asked, name)]
    if asked.cause and asked.control_id:
        named.append(("cause_code", asked.cause))
    # Joined to nothing, the column offers itself to no other index: it would be a wider one.
    terms = "".join(f" AND {name} || '' = ?" for name, _ in named)
    given = [value for _, value in named]
    if asked.flag and (asked.control_id or asked.cause):
        terms += "".join(f" AND {_WORD}" for _ in asked.flag.split())
        given += [f"% {word} %" for word in asked.flag.split()]
    return terms + when, [*given, *values]


def _time(asked: Filter) -> tuple[str, list[Any]]:
    terms: list[tuple[str, Any]] = []
    if asked.since:
        terms.append((" AND received_at >= ?", micros(asked.since)))
    if asked.until:
        terms.append((" AND received_at < ?", micros(asked.until)))
    if asked.lane:
        terms.append((" AND lane = ?", asked.lane))
    return "".join(term for term, _ in terms), [value for _, value in terms]


def _distinct(
    connection: Connection, columns: Sequence[str], partial: str, given: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """The different values of the first columns of an index: one step each, however many rows there are.

    One column after the other: SQLite seeks by the first alone where several are compared at once.
    """
    if len(given) == len(columns):
        yield given
        return
    column = columns[len(given)]
    terms = [f"{name} = ?" for name in columns[: len(given)]] + ([partial] if partial else [])
    after = f"SELECT {column} FROM message WHERE {' AND '.join([*terms, f'{column} > ?'])} ORDER BY {column} LIMIT 1"
    where = f"WHERE {' AND '.join(terms)}" if terms else ""
    found = rows(connection, f"SELECT {column} FROM message {where} ORDER BY {column} LIMIT 1", given)
    while found:
        (value,) = found[0]
        yield from _distinct(connection, columns, partial, (*given, value))
        found = rows(connection, after, [*given, value])


def _line(row: Sequence[Any]) -> Line:
    known = dict(zip(_LISTED, row, strict=True))
    flags = tuple(known.pop("flags").split())
    known["received_at"] = instant(known["received_at"])
    return Line(Listed(**known), flags)
