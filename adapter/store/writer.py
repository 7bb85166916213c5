"""Writing resources: merge, compare, version, tie to the study, index; a batch of messages at a time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection

from adapter.errors import StorageUnavailable
from adapter.fhir.json import canonical, dumps, loads
from adapter.store import index
from adapter.store.bulk import Bulk, parts
from adapter.store.database import instant, marks, micros, rows, run_many
from adapter.store.members import Study, enrol, lock, members_among
from adapter.store.merge import Mapped, Merged, MergeRule, content, merge, statement

SOURCE = "https://fhir.tli-trial.example.org/source"
"""Root of meta.source: the site, and after `#` the number of the message in the inbox."""

Name = tuple[str, str]
"""Type and id."""

_MILLISECOND = 1000
_AT_ONCE = 500  # values in one statement
_TYPES = "bigint text text integer bigint bytea text text text bigint boolean bytea".split()
_COLUMNS = "key resource_type id version last_updated digest as_of site patient_id message_id deleted body".split()
_NEW = Bulk("resource", dict(zip(_COLUMNS, _TYPES, strict=True)))
_UPDATE = """UPDATE resource SET version = ?, last_updated = ?, digest = ?, as_of = ?, site = ?, patient_id = ?,
    message_id = ?, deleted = ?, body = ? WHERE key = ? AND version = ?"""
_RESTATE = "UPDATE resource SET as_of = ? WHERE key = ?"
_VERSION = "key, version, last_updated, site, message_id, deleted, body"
_ARCHIVE = f"INSERT INTO resource_history ({_VERSION}) VALUES (?,?,?,?,?,?,?)"
_RETIRE = f"INSERT INTO resource_history ({_VERSION}) SELECT {_VERSION} FROM resource WHERE key = ?"
_STATE = "SELECT key, resource_type, id, version, last_updated, digest, as_of, patient_id"


@dataclass(frozen=True, slots=True)
class _Put:
    """What one message says of one resource."""

    mapped: Mapped
    site: str
    message_id: int


@dataclass(frozen=True, slots=True)
class _Version:
    """A version that this batch makes."""

    version: int
    last_updated: int
    digest: bytes
    site: str
    patient_id: str | None
    message_id: int
    body: bytes


@dataclass(slots=True)
class _State:
    """A resource in the course of a batch. `content` and `stored`, as it was before, are None where it was not read."""

    name: Name
    key: int = 0
    stored_version: int = 0
    version: int = 0
    last_updated: int = 0
    digest: bytes = b""
    as_of: Any = None
    stored_as_of: str = ""
    patient_id: str | None = None
    stored: dict[str, Any] | None = None
    content: dict[str, Any] | None = None
    versions: list[_Version] = field(default_factory=list[_Version])


class ResourceWriter:
    """A unit of work in one transaction: `put` what messages say, then `flush` once.

    What does not change a resource makes no version of it. Every message that does makes its own.
    """

    def __init__(
        self,
        connection: Connection,
        search_index: index.SearchIndex,
        merge: Mapping[str, MergeRule],
        now: datetime,
        *,
        study: Study | None = None,
    ) -> None:
        """Begin.

        Args:
            connection: of a transaction of `Database.write`.
            search_index: the search parameters.
            merge: the rules of mappings/merge.yaml.
            now: lastUpdated of what is written, unless a resource has that time already.
            study: what ties resources to the study; without it nothing is tied.
        """
        self._connection, self._search_index, self._rules, self._study = connection, search_index, merge, study
        self._now = micros(now) // _MILLISECOND * _MILLISECOND
        self._puts: list[_Put] = []
        self._states: dict[Name, _State] = {}
        self._members: dict[str, str] = {}

    def put(self, mapped: Mapped, *, site: str, message_id: int) -> None:
        """Add what a message says of a resource."""
        self._puts.append(_Put(mapped, site, message_id))

    def flush(self) -> int:
        """Write everything.

        Returns:
            How many versions were made.

        Raises:
            StorageUnavailable: another process changed a resource meanwhile; nothing may be committed.
        """
        # A message may make its patient a member; its other resources are then tied at once.
        self._puts.sort(key=lambda put: (put.message_id, put.mapped.resource["resourceType"] != "Patient"))
        patient_of = {_name(put.mapped.resource): _patient(put.mapped) for put in self._puts}
        patients = {patient for patient in patient_of.values() if patient}
        alone = ["/".join(name) for name, patient in patient_of.items() if not patient]
        lock(self._connection, [*(f"Patient/{one}" for one in patients), *alone])
        self._members = members_among(self._connection, patients) if self._study else {}
        self._load(patient_of)
        for put in self._puts:
            self._apply(put)
        return self._write()

    def _load(self, names: Iterable[Name]) -> None:
        self._states = {name: _State(name) for name in names}
        # A resource that is replaced as a whole need not be read as a whole.
        whole = [kind for kind in {kind for kind, _ in self._states} if self._rules[kind].whole]
        body = f"CASE WHEN resource_type IN ({marks(whole)}) THEN NULL ELSE body END" if whole else "body"
        for some in parts({number for _, number in self._states}, _AT_ONCE):
            sql = f"{_STATE}, {body} FROM resource WHERE id IN ({marks(some)})"
            for row in rows(self._connection, sql, [*whole, *some]):
                if (row[1], row[2]) in self._states:
                    self._remember(row)

    def _remember(self, row: Sequence[Any]) -> None:
        key, kind, number, version, last_updated, digest, as_of, patient, body = row
        stated = loads(as_of)
        if isinstance(stated, list) is not self._rules[kind].whole:
            stated = None  # merge.yaml was changed since: what is stored gives way to any statement
        state = _State((kind, number), key, version, version, last_updated, bytes(digest), stated, as_of, patient)
        state.content = state.stored = None if body is None else content(loads(bytes(body)))
        self._states[state.name] = state

    def _apply(self, put: _Put) -> None:
        resource = put.mapped.resource
        state, rule = self._states[_name(resource)], self._rules[resource["resourceType"]]
        before = state.content
        if rule.whole:
            own = statement(put.mapped, message_id=put.message_id)
            if state.as_of and own < state.as_of:
                return
            state.content, state.as_of = content(resource), own
        else:
            merged = merge(rule, Merged(before or {}, state.as_of or {}), put.mapped, message_id=put.message_id)
            state.content, state.as_of = merged.content, merged.as_of
            if state.version and merged.content == before:
                return
        state.patient_id = _patient(put.mapped) or state.patient_id
        if resource["resourceType"] == "Patient" and self._study:
            self._enrol(_resource(state.name, state.content), put, self._study)
        self._version(state, put)

    def _version(self, state: _State, put: _Put) -> None:
        """Make a version of a resource if it is another one now."""
        self._tie(state)
        rest = dict(state.content or {})
        meta: dict[str, Any] = rest.pop("meta", {})
        text = canonical(rest)
        digest = blake2b(text + canonical(meta) if meta else text, digest_size=16).digest()
        if digest == state.digest:
            return
        state.digest, state.version = digest, state.version + 1
        state.last_updated = max(self._now, state.last_updated + _MILLISECOND)
        meta = {
            **meta,
            "versionId": str(state.version),
            "lastUpdated": _instant(state.last_updated),
            "source": f"{SOURCE}/{put.site}#{put.message_id}",
        }
        head = dumps({"resourceType": state.name[0], "id": state.name[1], "meta": meta})
        body = head if text == b"{}" else head[:-1] + b"," + text[1:]
        made = (state.version, state.last_updated, digest, put.site, state.patient_id, put.message_id, body)
        state.versions.append(_Version(*made))

    def _tie(self, state: _State) -> bool:
        """Tie what is of a member; return whether that changed it."""
        if not self._study or state.patient_id not in self._members:
            return False
        resource = _resource(state.name, state.content)
        tied = self._study.tie(resource, self._members[state.patient_id])
        if tied is resource:
            return False
        state.content = content(tied)
        return True

    def _enrol(self, patient: dict[str, Any], put: _Put, study: Study) -> None:
        """Where a Patient makes others or itself a member, tie what is there of them already."""
        new = enrol(self._connection, patient, study)
        if not new:
            return
        self._members |= new
        for some in parts(new, _AT_ONCE):
            sql = f"{_STATE}, body FROM resource WHERE patient_id IN ({marks(some)})"
            for row in rows(self._connection, sql, some):
                state = self._states.get((row[1], row[2]))
                if state is None or state.content is None:
                    self._remember(row)
        for state in list(self._states.values()):
            if state.version and state.patient_id in new and state.content is not None and self._tie(state):
                self._version(state, put)

    def _write(self) -> int:
        connection = self._connection
        changed = [state for state in self._states.values() if state.versions]
        new, old = [s for s in changed if not s.stored_version], [s for s in changed if s.stored_version]
        for state, key in zip(new, _keys(connection, len(new)), strict=True):
            state.key = key
        self._read_old(old)
        run_many(connection, _RETIRE, [(state.key,) for state in old])
        passed = [_passed(state, version) for state in changed for version in state.versions[:-1]]
        run_many(connection, _ARCHIVE, passed)
        last = [(*_current(state), state.key, state.stored_version) for state in old]
        first = [(state.key, *state.name, *_current(state)) for state in new]
        if run_many(connection, _UPDATE, last) != len(last) or _NEW.insert(connection, first) != len(first):
            raise StorageUnavailable("a resource was changed by another process")
        self._restate()
        index.write(connection, self._search_index, [_change(state) for state in changed])
        return sum(len(state.versions) for state in changed)

    def _read_old(self, old: Iterable[_State]) -> None:
        """Read what was not needed until now: the old resource leads to its rows in the index."""
        unread = {state.key: state for state in old if state.stored is None}
        for some in parts(unread, _AT_ONCE):
            for key, body in rows(
                self._connection, f"SELECT key, body FROM resource WHERE key IN ({marks(some)})", some
            ):
                unread[key].stored = content(loads(bytes(body)))

    def _restate(self) -> None:
        """Note newer statements of what is stored already: an older one must not overwrite them later."""
        quiet = [state for state in self._states.values() if state.stored_version and not state.versions]
        said = [(dumps(state.as_of).decode(), state.key) for state in quiet]
        newer = [one for one, state in zip(said, quiet, strict=True) if one[0] != state.stored_as_of]
        run_many(self._connection, _RESTATE, newer)


def _name(resource: dict[str, Any]) -> Name:
    return resource["resourceType"], resource["id"]


def _patient(mapped: Mapped) -> str | None:
    resource = mapped.resource
    return resource["id"] if resource["resourceType"] == "Patient" else mapped.patient_id


def _resource(name: Name, content: dict[str, Any] | None) -> dict[str, Any]:
    return {"resourceType": name[0], "id": name[1], **(content or {})}


def _keys(connection: Connection, number: int) -> list[int]:
    """So many keys that no resource has, growing."""
    if connection.dialect.name == "sqlite":  # it has one writer
        last: int = rows(connection, "SELECT coalesce(max(key), 0) FROM resource")[0][0]
        return list(range(last + 1, last + 1 + number))
    return [
        row[0] for row in rows(connection, "SELECT nextval('resource_key_seq') FROM generate_series(1, ?)", [number])
    ]


def _current(state: _State) -> tuple[Any, ...]:
    made = state.versions[-1]
    as_of = dumps(state.as_of).decode()
    facts = (made.version, made.last_updated, made.digest, as_of, made.site, made.patient_id, made.message_id)
    return (*facts, False, made.body)


def _passed(state: _State, made: _Version) -> tuple[Any, ...]:
    return (state.key, made.version, made.last_updated, made.site, made.message_id, False, made.body)


def _change(state: _State) -> index.Change:
    old = _resource(state.name, state.stored) if state.stored_version else None
    return index.Change(state.key, old, _resource(state.name, state.content))


@lru_cache(maxsize=256)
def _instant(value: int) -> str:
    return instant(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")
