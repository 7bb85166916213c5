"""How things stand, cheaply: every question is a few steps of an index, also in a database of ten million messages."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from adapter.store.browse import EVERYTHING, Filter, groups
from adapter.store.database import instant, micros, now_micros, rows

_GROUP = "site = ? AND state = ? AND message_type = ? AND event = ?"
_LAST = f"SELECT received_at FROM message WHERE {_GROUP} ORDER BY received_at DESC LIMIT 1"
_FIRST = f"SELECT received_at FROM message WHERE {_GROUP} ORDER BY received_at LIMIT 1"
_COUNT = f"SELECT count(*) FROM message WHERE {_GROUP}"
_STUCK = """SELECT h.id, h.lane, h.site, h.cause_code, h.cause, h.mender, h.received_at FROM message AS h
    WHERE h.state = 'held' AND h.lane <> ''
    AND NOT EXISTS (SELECT 1 FROM message AS o WHERE o.state = 'held' AND o.lane = h.lane AND o.id < h.id)
    ORDER BY h.lane LIMIT ?"""
_BEHIND = "SELECT lane, count(*), min(received_at) FROM message WHERE state = 'received' GROUP BY lane"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages of a site in one state: how many, and since when the oldest is there."""

    site: str
    state: str
    messages: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Stuck:
    """A lane whose first message is held: which, why, and how many wait behind it."""

    id: int
    lane: str
    site: str
    cause_code: str
    cause: str
    mender: str
    held_since: datetime
    behind: int = 0
    oldest_behind: datetime | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """How one site stands."""

    site: str
    last_received: datetime
    waiting: int
    oldest_waiting: datetime | None
    held: int
    oldest_held: datetime | None


def last_received(connection: Connection) -> dict[str, datetime]:
    """When each site was last heard."""
    last: dict[str, int] = {}
    for group in groups(connection, EVERYTHING):
        for (received,) in rows(connection, _LAST, group):
            last[group[0]] = max(received, last.get(group[0], received))
    return {site: instant(received) for site, received in last.items()}


def waiting(connection: Connection, states: tuple[str, ...] = ("received", "held")) -> list[Waiting]:
    """What waits, by site: the cost is that of what waits, not of what is there."""
    counted: dict[tuple[str, str], tuple[int, int]] = {}
    for state in states:
        for group in groups(connection, Filter(state=state)):
            (count,) = rows(connection, _COUNT, group)[0]
            (oldest,) = rows(connection, _FIRST, group)[0]
            before = counted.get((group[0], state), (0, oldest))
            counted[group[0], state] = (before[0] + count, min(before[1], oldest))
    return [Waiting(*key, count, instant(oldest)) for key, (count, oldest) in sorted(counted.items())]


def of_sites(connection: Connection) -> list[Site]:
    """How each site stands."""
    found = {(one.site, one.state): one for one in waiting(connection)}
    made: list[Site] = []
    for site, last in sorted(last_received(connection).items()):
        received, held = found.get((site, "received")), found.get((site, "held"))
        made.append(
            Site(
                site,
                last,
                received.messages if received else 0,
                received.oldest if received else None,
                held.messages if held else 0,
                held.oldest if held else None,
            )
        )
    return made


def stuck(connection: Connection, *, limit: int) -> list[Stuck]:
    """The lanes that a held message blocks, those with the most behind them first."""
    heads = rows(connection, _STUCK, [10 * limit])
    behind = {lane: (count, oldest) for lane, count, oldest in rows(connection, _BEHIND)} if heads else {}
    found: list[Stuck] = []
    for number, lane, site, code, cause, mender, received in heads:
        count, oldest = behind.get(lane, (0, None))
        since = instant(oldest) if oldest else None
        found.append(Stuck(number, lane, site, code, cause, mender, instant(received), count, since))
    return sorted(found, key=lambda one: (-one.behind, one.id))[:limit]


def expired_leases(connection: Connection, *, seconds: float) -> int:
    """Messages whose lease ended so long ago, and that nobody has taken since: no worker works."""
    sql = "SELECT count(*) FROM message WHERE lease_owner IS NOT NULL AND lease_until < ?"
    return rows(connection, sql, [now_micros(connection) - round(seconds * 1_000_000)])[0][0]


def received_between(connection: Connection, since: datetime, until: datetime) -> int:
    """How many messages came in a time."""
    sql = f"SELECT count(*) FROM message WHERE {_GROUP} AND received_at >= ? AND received_at < ?"
    times = [micros(since), micros(until)]
    return sum(rows(connection, sql, [*group, *times])[0][0] for group in groups(connection, EVERYTHING))


def database_bytes(connection: Connection) -> int:
    """How large the database is."""
    if connection.dialect.name == "sqlite":
        pages, size = rows(connection, "PRAGMA page_count")[0][0], rows(connection, "PRAGMA page_size")[0][0]
        return pages * size
    return rows(connection, "SELECT pg_database_size(current_database())")[0][0]


def notifications_waiting(connection: Connection) -> float:
    """How full PostgreSQL's queue of notifications is, from 0 to 1; 0 on SQLite."""
    if connection.dialect.name == "sqlite":
        return 0.0
    return float(rows(connection, "SELECT pg_notification_queue_usage()")[0][0])


def held_for(connection: Connection, cause_code: str) -> list[str]:
    """The sites of which messages are held for this cause."""
    sql = "SELECT DISTINCT site FROM message WHERE cause_code = ? AND cause_code <> '' AND state = 'held'"
    return [site for (site,) in rows(connection, sql, [cause_code])]
