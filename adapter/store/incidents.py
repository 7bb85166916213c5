"""Incidents: one record from its beginning to its end, however often a thing happens in between.

Noting costs nothing but memory; a thread of its own writes every second. It never fails whoever notes: where the
database does not take it, it is kept and tried again.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Connection

from adapter import log
from adapter.errors import StorageUnavailable
from adapter.store.database import Database, instant, micros, rows, run
from adapter.store.incident_kinds import KINDS

SECONDS = 1.0
QUIET_SECONDS = 60  # so often it is looked whether something is over
_MOST = 10_000  # subjects in memory: a flood from many addresses must not fill it

Subject = tuple[str, str, str, str]
"""Kind, site, channel, peer."""

_SUBJECT = "kind = ? AND site = ? AND channel = ? AND peer = ? AND ended_at IS NULL"
_AGAIN = f"UPDATE incident SET last_at = max(last_at, ?), count = count + ?, detail = ? WHERE {_SUBJECT}"
_AGAIN_PG = _AGAIN.replace("max(", "greatest(")
_BEGIN = """INSERT INTO incident (kind, site, channel, peer, started_at, last_at, count, detail)
    VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"""
_END = f"UPDATE incident SET ended_at = ? WHERE {_SUBJECT}"
_QUIET = "UPDATE incident SET ended_at = last_at WHERE ended_at IS NULL AND kind = ? AND last_at < ?"
_LISTED = "id, kind, site, channel, peer, started_at, last_at, ended_at, count, detail"


@dataclass(frozen=True, slots=True)
class _Noted:
    first: datetime
    last: datetime
    count: int
    detail: str
    over: bool = False


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident; open while `ended_at` is None."""

    id: int
    kind: str
    site: str
    channel: str
    peer: str
    started_at: datetime
    last_at: datetime
    ended_at: datetime | None
    count: int
    detail: str


class Incidents:
    """What is noted in one process, on its way to the database."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        """Nothing has happened yet."""
        self._database, self._clock = database, clock
        self._mutex = threading.Lock()
        self._noted: dict[Subject, _Noted] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, kind: str, *, site: str = "", channel: str = "", peer: str = "", detail: str = "") -> None:
        """Something happened, for the first time or again.

        Args:
            kind: of `KINDS`.
            site: the hospital's code, where it is known.
            channel: the listener.
            peer: the address without its port, so that one peer is one incident.
            detail: for people; no value of any message.
        """
        subject, now = (_kind(kind), site, channel, peer), self._clock()
        with self._mutex:
            known = self._noted.get(subject)
            if known is None and len(self._noted) >= _MOST:
                return
            if known is None or known.over:
                # It was over and begins anew: the end is lost if nobody has written it, one incident goes on.
                known = _Noted(now, now, 0, detail)
            self._noted[subject] = replace(known, last=now, count=known.count + 1, detail=detail or known.detail)

    def end(self, kind: str, *, site: str = "", channel: str = "", peer: str = "") -> None:
        """It is over. Nothing happens where there is none."""
        subject, now = (_kind(kind), site, channel, peer), self._clock()
        with self._mutex:
            known = self._noted.get(subject) or _Noted(now, now, 0, "")
            self._noted[subject] = replace(known, last=now, over=True)

    def start(self) -> Self:
        """Write in a thread until `close`."""
        self._thread = threading.Thread(target=self._run, name="incidents", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Write what is left."""
        self._stop.set()
        if self._thread:
            self._thread.join()
        self.flush()

    def flush(self) -> None:
        """Write now what was noted, and end what has been quiet for long enough."""
        with self._mutex:
            noted, self._noted = self._noted, {}
        try:
            with self._database.write() as connection:
                for subject, one in noted.items():
                    _write(connection, subject, one)
                now = micros(self._clock())
                for kind, known in KINDS.items():
                    if known.quiet is not None:
                        run(connection, _QUIET, [kind, now - round(known.quiet * 1_000_000)])
        except StorageUnavailable as failure:
            log.event("incidents_not_written", level=logging.WARNING, failure=failure, count=len(noted))
            with self._mutex:
                self._noted = {**noted, **self._noted}

    def _run(self) -> None:
        seconds = 0
        while not self._stop.wait(SECONDS):
            seconds += 1
            if self._noted or not seconds % QUIET_SECONDS:
                self.flush()


def note_within(connection: Connection, kind: str, *, site: str, detail: str, now: datetime) -> None:
    """Note something of a site in a transaction that stores what it is about."""
    _write(connection, (_kind(kind), site, "", ""), _Noted(now, now, 1, detail))


def listing(connection: Connection, *, open_only: bool, limit: int) -> list[Incident]:
    """List incidents, the newest first."""
    where = "WHERE ended_at IS NULL" if open_only else ""
    found = rows(connection, f"SELECT {_LISTED} FROM incident {where} ORDER BY id DESC LIMIT ?", [limit])
    return [_incident(row) for row in found]


def _incident(row: Sequence[Any]) -> Incident:
    number, kind, site, channel, peer, started, last, ended, count, detail = row
    over = None if ended is None else instant(ended)
    return Incident(number, kind, site, channel, peer, instant(started), instant(last), over, count, detail)


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise KeyError(kind)
    return kind


def _write(connection: Connection, subject: Subject, one: _Noted) -> None:
    if one.count:
        again = _AGAIN if connection.dialect.name == "sqlite" else _AGAIN_PG
        if not run(connection, again, [micros(one.last), one.count, one.detail, *subject]):
            begun = [*subject, micros(one.first), micros(one.last), one.count, one.detail]
            run(connection, _BEGIN, begun)
            _log("incident_began", subject, level=logging.WARNING)
    if one.over and run(connection, _END, [micros(one.last), *subject]):
        _log("incident_ended", subject, level=logging.INFO)


def _log(name: str, subject: Subject, *, level: int) -> None:
    kind, site, channel, peer = subject
    log.event(name, level=level, failure=None, kind=kind, site=site, channel=channel, peer=peer)
