"""What the pseudonymised view shows of the resources, written a piece at a time behind those who write resources."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection

from adapter.fhir.json import canonical, dumps, loads
from adapter.store import index
from adapter.store.bulk import Bulk, parts
from adapter.store.database import marks, micros, rows, run, run_many
from adapter.store.members import lock
from adapter.store.reach import PSEUDONYMISED

AT_ONCE = 300
"""Resources of one transaction."""

_COLUMNS = """r.key, r.resource_type, r.id, r.version, r.site, r.patient_id, r.deleted, r.body,
    coalesce(v.version, 0), v.digest, v.body"""
# Keys first: to put whole resources in order costs more than all the rest.
_OF_PATIENTS = """SELECT {columns} FROM resource r LEFT JOIN view_resource v ON v.key = r.key WHERE r.key IN (
    SELECT s.key FROM resource s LEFT JOIN view_resource w ON w.key = s.key
    WHERE s.patient_id IN ({patients}) AND s.resource_type IN ({types}) AND s.key > ?
    AND (w.key IS NULL OR w.source_version <> s.version) ORDER BY s.key LIMIT ?) ORDER BY r.key"""
_OF_NAMES = """SELECT {columns} FROM resource r LEFT JOIN view_resource v ON v.key = r.key
    WHERE r.id IN ({ids}) AND (v.key IS NULL OR v.source_version <> r.version)"""
# What was moved to somebody who is not in the study.
_GONE = """SELECT {columns} FROM view_resource v JOIN resource r ON r.key = v.key
    WHERE v.patient_id IN ({patients}) AND NOT v.deleted
    AND NOT EXISTS (SELECT 1 FROM study_member m WHERE m.patient_id = r.patient_id) LIMIT ?"""
_AS_IT_WAS = "SELECT key, version FROM view_resource WHERE key IN ({keys})"
_OLDER = "key, version, last_updated, site, deleted, body"
_RETIRE = f"INSERT INTO view_resource_history ({_OLDER}) SELECT {_OLDER} FROM view_resource WHERE key = ?"
_UPDATE = """UPDATE view_resource SET version = ?, last_updated = ?, digest = ?, deleted = ?, body = ?, site = ?,
    patient_id = ?, source_version = ? WHERE key = ?"""
_SAME = "UPDATE view_resource SET site = ?, patient_id = ?, source_version = ? WHERE key = ?"
_NEW = Bulk(
    "view_resource",
    {
        "version": "integer",
        "last_updated": "bigint",
        "digest": "bytea",
        "deleted": "boolean",
        "body": "bytea",
        "site": "text",
        "patient_id": "text",
        "source_version": "integer",
        "key": "bigint",
        "resource_type": "text",
        "id": "text",
    },
)
_RULES = "SELECT digest FROM index_version WHERE resource_type = ?"
_SAY_RULES = """INSERT INTO index_version (resource_type, digest) VALUES (?, ?)
    ON CONFLICT (resource_type) DO UPDATE SET digest = excluded.digest"""
_ALL_DUE = """INSERT INTO view_due (number, changed) SELECT DISTINCT number, 0 FROM study_member WHERE true
    ON CONFLICT DO NOTHING"""

Project = Callable[[dict[str, Any]], dict[str, Any] | None]
"""A resource as the view shows it, with its id there; None where it does not show it."""

Identify = Callable[[str, str], str]
"""The id in the view, by type and id."""


@dataclass(frozen=True, slots=True)
class Source:
    """A resource, and what the view shows of it until now: version (0: nothing), digest and JSON."""

    key: int
    resource_type: str
    id: str
    version: int
    site: str
    patient_id: str | None
    deleted: bool
    body: bytes
    shown_version: int
    shown_digest: bytes | None
    shown: bytes | None


def stale(connection: Connection, patients: Sequence[str], types: Sequence[str], *, after: int) -> list[Source]:
    """Resources of these Patients that the view does not show as they are now, behind a key, at most `AT_ONCE`."""
    if not patients:
        return []
    within = {"columns": _COLUMNS, "patients": marks(patients), "types": marks(types)}
    return _sources(rows(connection, _OF_PATIENTS.format(**within), [*patients, *types, after, AT_ONCE]))


def gone(connection: Connection, patients: Sequence[str]) -> list[Source]:
    """What the view shows of these Patients, and is of somebody now who is not in the study; at most `AT_ONCE`."""
    if not patients:
        return []
    sql = _GONE.format(columns=_COLUMNS, patients=marks(patients))
    return _sources(rows(connection, sql, [*patients, AT_ONCE]))


def stale_definitions(connection: Connection, names: Iterable[str]) -> list[Source]:
    """Those of the store's own resources (`Type/id`) that the view does not show as they are now."""
    wanted, found = set(names), list[Source]()
    for some in parts(sorted({one.partition("/")[2] for one in wanted}), AT_ONCE):
        sql = _OF_NAMES.format(columns=_COLUMNS, ids=marks(some))
        found += [one for one in _sources(rows(connection, sql, some)) if f"{one.resource_type}/{one.id}" in wanted]
    return found


class ViewWriter:
    """Writes what the view shows of resources, in one transaction."""

    def __init__(self, search_index: index.SearchIndex, identify: Identify, now: datetime) -> None:
        """Begin; the view tells no more of the time than the day."""
        self._search_index, self._identify = search_index, identify
        day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._at, self._said_at = micros(day), day.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def write(self, connection: Connection, made: Sequence[tuple[Source, dict[str, Any] | None]]) -> None:
        """Write resources with what is to be shown of them; one that another process wrote meanwhile stays as it is."""
        lock(connection, ["view"])
        made = _unchanged(connection, made)
        same = [(one, said) for one, said in made if one.shown_version and _digest(said) == one.shown_digest]
        run_many(connection, _SAME, [(one.site, one.patient_id, one.version, one.key) for one, _ in same])
        kept = {one.key for one, _ in same}
        changed = [(one, said, self._body(one, said)) for one, said in made if one.key not in kept]
        run_many(connection, _RETIRE, [(one.key,) for one, _, _ in changed if one.shown_version])
        old = [self._row(one, said, body) for one, said, body in changed if one.shown_version]
        new = [(one, self._row(one, said, body)) for one, said, body in changed if not one.shown_version]
        run_many(connection, _UPDATE, old)
        ids = ((one.resource_type, self._identify(one.resource_type, one.id)) for one, _ in new)
        _NEW.insert(connection, [(*row, *name) for (_, row), name in zip(new, ids, strict=True)])
        indexed = [_change(one, said) for one, said, _ in changed if said or one.shown]
        index.write(connection, self._search_index, indexed, view=PSEUDONYMISED)

    def _body(self, one: Source, said: dict[str, Any] | None) -> bytes:
        """As it is served; nothing where the view does not show it."""
        if said is None:
            return b""
        meta = {**said["meta"], "versionId": str(one.shown_version + 1), "lastUpdated": self._said_at}
        return dumps({**said, "meta": meta})

    def _row(self, one: Source, said: dict[str, Any] | None, body: bytes) -> tuple[Any, ...]:
        state = (one.shown_version + 1, self._at, _digest(said), said is None, body)
        return (*state, one.site, one.patient_id, one.version, one.key)


def follow_rules(connection: Connection, digest: bytes) -> bool:
    """Let everything be written anew where the rules of the view are others than those it was written by."""
    said = rows(connection, _RULES, [PSEUDONYMISED.name])
    if said and bytes(said[0][0]) == digest:
        return False
    run(connection, "UPDATE view_resource SET source_version = 0")
    run(connection, _ALL_DUE)
    run(connection, _SAY_RULES, [PSEUDONYMISED.name, digest])
    return True


def _unchanged(
    connection: Connection, made: Sequence[tuple[Source, dict[str, Any] | None]]
) -> list[tuple[Source, dict[str, Any] | None]]:
    found: dict[int, int] = {}
    for some in parts([one.key for one, _ in made], AT_ONCE):
        found |= dict(rows(connection, _AS_IT_WAS.format(keys=marks(some)), some))
    return [(one, said) for one, said in made if found.get(one.key, 0) == one.shown_version]


def _sources(found: Iterable[Sequence[Any]]) -> list[Source]:
    return [_source(*row) for row in found]


def _source(*row: Any) -> Source:
    key, kind, number, version, site, patient, deleted, body, shown_version, digest, shown = row
    said = (shown_version, _bytes(digest), _bytes(shown))
    return Source(key, kind, number, version, site, patient, bool(deleted), bytes(body), *said)


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def _digest(said: dict[str, Any] | None) -> bytes:
    return b"" if said is None else blake2b(canonical(said), digest_size=16).digest()


def _change(one: Source, said: dict[str, Any] | None) -> index.Change:
    nothing = {"resourceType": one.resource_type, "id": one.id}
    return index.Change(one.key, loads(one.shown) if one.shown else None, nothing if said is None else said)
