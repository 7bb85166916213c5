"""`adapter doctor`: is everything as it must be; every line that is not says who does what."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shutil import disk_usage

from adapter.errors import AdapterError
from adapter.store import incidents, standing
from adapter.store.backup import manifests
from adapter.store.database import Connection, Database, instant, now_micros
from adapter.store.durability import facts
from adapter.store.forecast import forecast
from adapter.store.incident_kinds import KINDS
from adapter.store.integrity import faults, schema

FINE, WARN, FAIL = "fine", "warn", "fail"
ADMINISTRATOR = "administrator"
DISK_DAYS, DISK_SHARE = 14.0, 0.05
CLOCK_SECONDS = 5.0
BACKUP_DAYS = 2.0
LEASE_SECONDS = 120.0
OLDEST_SECONDS = 300.0
STUCK_SHOWN = 20
_LOSES = frozenset({("fsync", "off"), ("full_page_writes", "off"), ("synchronous", "unknown")})


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at; `advice` is empty where it is fine, else who does what."""

    name: str
    value: str
    level: str = FINE
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at: the database's folder, the backups' folder where it is known, and the time."""

    data: Path
    clock: Callable[[], datetime]
    backups: Path | None = None
    deep: bool = False


def examine(connection: Connection, patient: Patient) -> Iterator[Line]:
    """Look at everything that a reading connection can tell."""
    yield Line("python", sys.version.partition(" ")[0])
    yield from _integrity(connection, deep=patient.deep)
    yield from _disk(connection, patient)
    yield _clock(connection, patient.clock())
    yield from _lanes(connection, patient.clock())
    yield from _leases(connection)
    yield from _incidents(connection)
    if connection.dialect.name == "sqlite":
        yield _backup(patient)
    else:
        advice = f"{ADMINISTRATOR}: let PostgreSQL archive its WAL, and try a restore (docs/operating.md)"
        yield Line("backup", "PostgreSQL's own; not looked for", WARN, advice)


def guarded(name: str, look: Callable[[], str], *, who: str = ADMINISTRATOR) -> Line:
    """A look that raises what is wrong, such as reading mappings/."""
    try:
        return Line(name, look())
    except AdapterError as error:
        return Line(name, error.text, FAIL, f"{who}: {error.code}, {error.mender}")


def durable(database: Database) -> Iterator[Line]:
    """Look at what "acknowledged means on disk" rests on."""
    for fact in facts(database):
        level = FINE if not fact.advice else FAIL if (fact.name, fact.value) in _LOSES else WARN
        yield Line(fact.name, fact.value, level, f"{ADMINISTRATOR}: {fact.advice}" if fact.advice else "")


def _integrity(connection: Connection, *, deep: bool) -> Iterator[Line]:
    found, ours = schema(connection)
    advice = "" if ours else f"{ADMINISTRATOR}: start adapter serve of this version once: it migrates"
    yield Line("schema", found, FINE if ours else WARN, advice)
    wrong = faults(connection, deep=deep)
    if wrong:
        advice = f"{ADMINISTRATOR}: stop, keep the files, and restore the last backup"
        yield Line("integrity", f"{len(wrong)} faults: {wrong[0]}", FAIL, advice)
    elif connection.dialect.name == "sqlite":
        yield Line("integrity", "every page and index" if deep else "every page")


def _disk(connection: Connection, patient: Patient) -> Iterator[Line]:
    disk = disk_usage(patient.data)
    share = disk.free / disk.total
    seen = forecast(connection, now=patient.clock(), free=disk.free)
    days = f"; {seen.days:.0f} days at {seen.bytes / 1e6:.1f} MB a day" if seen.days is not None else ""
    value = f"{disk.free / 1e9:.1f} GB free ({share:.0%}){days}"
    low = share < DISK_SHARE or (seen.days is not None and seen.days < DISK_DAYS)
    advice = f"{ADMINISTRATOR}: make room on the disk of {patient.data}" if low else ""
    yield Line("disk", value, WARN if low else FINE, advice)
    yield Line("database", f"{standing.database_bytes(connection) / 1e6:.1f} MB, {seen.messages:.0f} messages a day")


def _clock(connection: Connection, now: datetime) -> Line:
    apart = abs((instant(now_micros(connection)) - now).total_seconds())
    if apart <= CLOCK_SECONDS:
        return Line("clock", f"{apart:.1f} s from the database's")
    return Line("clock", f"{apart:.1f} s from the database's", WARN, f"{ADMINISTRATOR}: let NTP set both clocks")


def _lanes(connection: Connection, now: datetime) -> Iterator[Line]:
    for one in standing.waiting(connection):
        age = (now - one.oldest).total_seconds()
        if one.state == "received":
            late = age > OLDEST_SECONDS
            advice = f"{ADMINISTRATOR}: is adapter serve running, with workers?" if late else ""
            value = f"{one.messages} wait, the oldest for {age:.0f} s"
            yield Line(f"waiting {one.site}", value, WARN if late else FINE, advice)
        else:
            value = f"{one.messages} held, the oldest since {one.oldest.isoformat(timespec='minutes')}"
            yield Line(f"held {one.site}", value, WARN, "analyst: adapter messages --state held; mend, then requeue")
    for one in standing.stuck(connection, limit=STUCK_SHOWN):
        if one.behind:
            value = f"{one.behind} wait behind message {one.id}: {one.cause_code} {one.cause}"
            advice = f"{one.mender}: adapter message {one.id}; then requeue or release it"
            yield Line(f"stuck {one.lane}", value, WARN, advice)


def _leases(connection: Connection) -> Iterator[Line]:
    dead = standing.expired_leases(connection, seconds=LEASE_SECONDS)
    advice = f"{ADMINISTRATOR}: no worker takes them; restart adapter serve" if dead else ""
    yield Line("leases", f"{dead} have run out", FAIL if dead else FINE, advice)


def _incidents(connection: Connection) -> Iterator[Line]:
    found = incidents.listing(connection, open_only=True, limit=STUCK_SHOWN)
    if not found:
        yield Line("incidents", "none is open")
    for one in found:
        known = KINDS.get(one.kind)
        since = f"since {one.started_at.isoformat(timespec='minutes')}, {one.count} times"
        where = " ".join(part for part in (one.kind, one.site, one.channel) if part)
        yield Line(f"incident {where}", since, WARN, f"{known.mender}: {known.text}" if known else "")


def _backup(patient: Patient) -> Line:
    if patient.backups is None:
        return Line("backup", "not looked for: give --backups FOLDER", WARN, f"{ADMINISTRATOR}: adapter backup daily")
    made = [one.made_at for file in patient.backups.glob("*.db") for one in manifests(file)[:1]]
    if not made:
        return Line("backup", f"none in {patient.backups}", FAIL, f"{ADMINISTRATOR}: adapter backup {patient.backups}")
    age = (patient.clock() - datetime.fromisoformat(max(made))).total_seconds() / 86_400
    late = age > BACKUP_DAYS
    advice = f"{ADMINISTRATOR}: adapter backup {patient.backups}" if late else ""
    return Line("backup", f"{age:.1f} days old", FAIL if late else FINE, advice)
