"""New versions of what is stored, where not a statement but a merge, a move or their reversal changes it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection

from adapter.errors import StorageUnavailable
from adapter.fhir.json import canonical, dumps, loads
from adapter.store import due, index, merge
from adapter.store.bulk import parts
from adapter.store.database import instant, marks, micros, rows, run_many
from adapter.store.members import Study, members_among, stored
from adapter.store.merge import Merged, MergeRule, content
from adapter.store.names import Name, name_of
from adapter.store.states import SOURCE

_MILLISECOND = 1000
_AT_ONCE = 500
_READ = "SELECT key, version, last_updated, site, patient_id, as_of, body FROM resource WHERE NOT deleted AND key IN"
_VERSION = "key, version, last_updated, site, message_id, deleted, body"
_RETIRE = f"INSERT INTO resource_history ({_VERSION}) SELECT {_VERSION} FROM resource WHERE key = ?"
_UPDATE = """UPDATE resource SET version = ?, last_updated = ?, digest = ?, as_of = ?, patient_id = ?,
    message_id = ?, body = ? WHERE key = ? AND version = ?"""
# One step of the index for each search parameter: no index leads to all references to a resource at once.
_REFERRING = """WITH RECURSIVE params(param) AS (
    SELECT min(param) FROM index_reference
    UNION ALL SELECT (SELECT min(i.param) FROM index_reference AS i WHERE i.param > params.param)
        FROM params WHERE params.param IS NOT NULL)
    SELECT i.key FROM params JOIN index_reference AS i ON i.param = params.param
    WHERE i.target_id = ? AND i.target_type = ?"""


@dataclass(frozen=True, slots=True)
class Writing:
    """With what stored resources are changed; `message_id` is the message that does it."""

    connection: Connection
    search_index: index.SearchIndex
    rules: Mapping[str, MergeRule]
    study: Study
    message_id: int
    now: datetime


@dataclass(frozen=True, slots=True)
class Revised:
    """A stored resource: what it is, and the keys of its statements (`store/merge.py`)."""

    key: int
    version: int
    last_updated: int
    site: str
    patient_id: str | None
    as_of: Any
    resource: dict[str, Any]

    @property
    def name(self) -> Name:
        """Type and id."""
        return name_of(self.resource)


def of_patients(connection: Connection, patients: Iterable[str]) -> set[int]:
    """The keys of all resources of these patients, and of themselves."""
    found: set[int] = set()
    for some in parts(sorted(set(patients)), _AT_ONCE):
        sql = f"SELECT key FROM resource WHERE patient_id IN ({marks(some)}) AND NOT deleted"
        found |= {key for (key,) in rows(connection, sql, some)}
    return found


def owners(connection: Connection, names: Iterable[Name]) -> set[str]:
    """Whose resources these are."""
    wanted = set(names)
    ids = sorted({number for _, number in wanted})
    sql = f"SELECT resource_type, id, patient_id FROM resource WHERE id IN ({marks(ids)})"
    return {patient for kind, number, patient in rows(connection, sql, ids) if (kind, number) in wanted and patient}


def named(connection: Connection, names: Iterable[Name]) -> set[int]:
    """The keys of these resources."""
    wanted = set(names)
    found: set[int] = set()
    for some in parts(sorted({number for _, number in wanted}), _AT_ONCE):
        sql = f"SELECT resource_type, id, key FROM resource WHERE id IN ({marks(some)})"
        found |= {key for kind, number, key in rows(connection, sql, some) if (kind, number) in wanted}
    return found


def referring(connection: Connection, names: Iterable[Name]) -> set[int]:
    """The keys of what may refer to these: of their patients, or found by a reference."""
    wanted = list(names)
    found = of_patients(connection, owners(connection, wanted)) | named(connection, wanted)
    for kind, number in wanted:
        found |= {key for (key,) in rows(connection, _REFERRING, [number, kind])}
        if kind == "Patient":
            linked = rows(connection, "SELECT other_id FROM patient_link WHERE patient_id = ?", [number])
            found |= named(connection, [(kind, other) for (other,) in linked])
    return found


def renamed(writing: Writing, before: Revised, now: dict[str, Any], names: Mapping[str, str]) -> Revised:
    """A resource whose references were changed, with the keys of its statements under the new names."""
    if now is before.resource:
        return before
    rule = writing.rules[before.name[0]]
    if rule.whole or isinstance(before.as_of, list):
        return replace(before, resource=now)
    made = merge.renamed(rule, Merged(content(before.resource), before.as_of), content(now), names)
    resource = {"resourceType": before.name[0], "id": before.name[1], **made.content}
    return replace(before, resource=resource, as_of=made.as_of)


def tied(writing: Writing, one: Revised) -> Revised:
    """Tied to the study where its patient is a member."""
    number = members_among(writing.connection, [one.patient_id]).get(one.patient_id) if one.patient_id else None
    if number is None:
        return one
    made = writing.study.tie(one.resource, number, partial(stored, writing.connection))
    return one if made is one.resource else replace(one, resource=made)


def untied(writing: Writing, one: Revised) -> Revised:
    """Without what ties it to the study, and to a course of it."""
    made = writing.study.untie(one.resource)
    return one if made is one.resource else replace(one, resource=made)


def revised(writing: Writing, keys: Iterable[int], after: Callable[[Revised], Revised]) -> list[str]:
    """Write those of these resources that `after` changes.

    Returns:
        What was changed, as `Type/id`.

    Raises:
        StorageUnavailable: another process changed one of them meanwhile; nothing may be committed.
    """
    changes = [(before, after(before)) for before in _stored(writing.connection, keys)]
    differing = [one for one in changes if one[0] != one[1]]
    _write(writing, differing)
    return ["/".join(before.name) for before, _ in differing]


def _stored(connection: Connection, keys: Iterable[int]) -> list[Revised]:
    found: list[Revised] = []
    for some in parts(sorted(set(keys)), _AT_ONCE):
        for key, version, updated, site, patient, as_of, body in rows(connection, f"{_READ} ({marks(some)})", some):
            found.append(Revised(key, version, updated, site, patient, loads(as_of), loads(bytes(body))))
    return found


def _write(writing: Writing, differing: Sequence[tuple[Revised, Revised]]) -> None:
    at = micros(writing.now) // _MILLISECOND * _MILLISECOND
    run_many(writing.connection, _RETIRE, [(before.key,) for before, _ in differing])
    written = [_row(before, after, writing.message_id, at) for before, after in differing]
    if run_many(writing.connection, _UPDATE, written) != len(written):
        raise StorageUnavailable("a resource was changed by another process")
    changed = [index.Change(before.key, _plain(before.resource), _plain(after.resource)) for before, after in differing]
    index.write(writing.connection, writing.search_index, changed)
    owned = {one.patient_id for pair in differing for one in pair if one.patient_id}
    for table in (due.DERIVATION, due.VIEW):
        due.note(writing.connection, table, owned, at)


def _row(before: Revised, after: Revised, message_id: int, at: int) -> tuple[Any, ...]:
    rest = content(after.resource)
    kept: dict[str, Any] = rest.pop("meta", {})
    text = canonical(rest)
    # As the writer makes it: the same content has the same digest, whoever wrote it.
    digest = blake2b(text + canonical(kept) if kept else text, digest_size=16).digest()
    updated, version = max(at, before.last_updated + _MILLISECOND), before.version + 1
    meta = {
        **kept,
        "versionId": str(version),
        "lastUpdated": instant(updated).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "source": f"{SOURCE}/{before.site}#{message_id}",
    }
    head = dumps({"resourceType": after.name[0], "id": after.name[1], "meta": meta})
    body = head if text == b"{}" else head[:-1] + b"," + text[1:]
    as_of = dumps(after.as_of).decode()
    return (version, updated, digest, as_of, after.patient_id, message_id, body, before.key, before.version)


def _plain(resource: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": resource["resourceType"], "id": resource["id"], **content(resource)}
