"""The watch that is kept beside the service: what only time shows begins an incident, and ends it when it is over.

Every look is a few steps of an index, however many messages there are. A thing has one beginning and one end (H9).
"""

import logging
import shutil
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from adapter import log
from adapter.errors import StorageUnavailable
from adapter.judged_errors import AcrossAuthorities
from adapter.mapper.policy import Calendar
from adapter.mapper.sites import Site
from adapter.store import awaited, incidents, standing
from adapter.store.database import Connection, Database, instant, micros
from adapter.store.forecast import forecast
from adapter.store.incidents import Incidents
from adapter.store.sqlite_file import wal_bytes

SECONDS = 30.0
BACKLOG_SECONDS = 300.0
"""A message that waits so long for a worker is an incident."""

OVERDUE_SECONDS = 24 * 3600.0
"""So long a message may wait for a number or a visit that it names (D12)."""

LEASE_SECONDS = 120.0
WAL_BYTES = 512 * 1024 * 1024
DISK_DAYS = 14.0
DISK_SHARE = 0.05
KINDS = (
    "idle",
    "backlog",
    "held",
    "identity_overdue",
    "merge_across_authorities",
    "workers_stopped",
    "disk_low",
    "wal_large",
)
"""The kinds that are begun and ended here."""

_MOST = 1000
Subject = tuple[str, str, str]
"""Kind, site, channel."""


class Monitor:
    """Looks every half minute; in a thread of its own."""

    def __init__(
        self,
        database: Database,
        incidents: Incidents,
        sites: Iterable[Site],
        *,
        clock: Callable[[], datetime],
        data: Path,
    ) -> None:
        """Look at these sites, of which those without a calendar are never idle, and at the disk of the data folder."""
        self._database, self._incidents, self._clock, self._data = database, incidents, clock, data
        self._sites = {site.code: site for site in sites}
        self._stop = threading.Event()
        self._began = clock()

    @contextmanager
    def watching(self) -> Generator[None]:
        """Watch inside."""
        thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def look(self) -> None:
        """Look once: begin what is new, end what is over.

        Raises:
            StorageUnavailable: the database failed.
        """
        with self._database.read() as connection:
            found = dict(self._found(connection))
            known = incidents.listing(connection, open_only=True, limit=_MOST)
        opened = {(one.kind, one.site, one.channel): one.detail for one in known if one.kind in KINDS}
        for subject, detail in found.items():
            # Told once, and again only where it has changed: a row must not grow by our looking.
            if opened.get(subject) != detail:
                kind, site, channel = subject
                self._incidents.note(kind, site=site, channel=channel, detail=detail)
        for kind, site, channel in opened.keys() - found.keys():
            self._incidents.end(kind, site=site, channel=channel)

    def _run(self) -> None:
        while not self._stop.wait(SECONDS):
            try:
                self.look()
            except StorageUnavailable as failure:
                log.event("monitor_failed", level=logging.WARNING, failure=failure)

    def _found(self, connection: Connection) -> Iterator[tuple[Subject, str]]:
        now = self._clock()
        yield from self._idle(connection, now)
        for one in standing.waiting(connection):
            if one.state == "held":
                yield ("held", one.site, ""), f"since {_minute(one.oldest)}"
            elif (now - one.oldest).total_seconds() > BACKLOG_SECONDS:
                yield ("backlog", one.site, ""), f"the oldest came {_minute(one.oldest)}"
        day_ago = micros(now - timedelta(seconds=OVERDUE_SECONDS))
        for site, oldest in awaited.overdue(connection, day_ago):
            yield ("identity_overdue", site, ""), f"the oldest came {_minute(instant(oldest))}"
        for site in standing.held_for(connection, AcrossAuthorities.code):
            yield ("merge_across_authorities", site, ""), "adapter messages --state held shows them"
        if standing.expired_leases(connection, seconds=LEASE_SECONDS):
            yield ("workers_stopped", "", ""), "leases have run out, and nobody takes the messages"
        yield from self._room(connection, now)

    def _idle(self, connection: Connection, now: datetime) -> Iterator[tuple[Subject, str]]:
        last = standing.last_received(connection)
        for code, site in self._sites.items():
            heard = last.get(code, self._began)
            if site.calendar and is_idle(site.calendar, heard.astimezone(site.timezone), now.astimezone(site.timezone)):
                yield ("idle", code, ""), f"nothing came for {site.calendar.idle_minutes} minutes of its working time"

    def _room(self, connection: Connection, now: datetime) -> Iterator[tuple[Subject, str]]:
        disk = shutil.disk_usage(self._data)
        days = forecast(connection, now=now, free=disk.free).days if self._database.file else None
        if disk.free < DISK_SHARE * disk.total:
            yield ("disk_low", "", ""), f"less than {DISK_SHARE:.0%} are free"
        elif days is not None and days < DISK_DAYS:
            yield ("disk_low", "", ""), f"it will be full within {DISK_DAYS:.0f} days"
        if self._database.file and wal_bytes(self._database.file) > WAL_BYTES:
            yield ("wal_large", "", ""), f"above {WAL_BYTES // 1024 // 1024} MB"


def is_idle(calendar: Calendar, heard: datetime, now: datetime) -> bool:
    """Whether a site has been silent for too long within its working time (H10); nights do not count (A22).

    Args:
        calendar: when it usually sends.
        heard: the last message, in the site's time zone.
        now: in the site's time zone.
    """
    opened = datetime.combine(now.date(), calendar.opens, now.tzinfo)
    closes = datetime.combine(now.date(), calendar.closes, now.tzinfo)
    if closes <= opened:  # over midnight
        opened, closes = (opened - timedelta(days=1), closes) if now < closes else (opened, closes + timedelta(days=1))
    if opened.weekday() not in calendar.days or not opened <= now < closes:
        return False
    return now - max(heard, opened) >= timedelta(minutes=calendar.idle_minutes)


def _minute(instant: datetime) -> str:
    return instant.isoformat(sep=" ", timespec="minutes")
