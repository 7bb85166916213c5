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
from adapter.store.database import instant, marks, micros, rows, run_many
from adapter.store.members import Study, enrol, lock, members_among
from adapter.store.merge import Mapped, Merged, MergeRule, content, merge, statement

SOURCE = "https://fhir.tli-trial.example.org/source"
"""Root of meta.source: the site, and after `#` the number of the message in the inbox."""

Key = tuple[str, str]

_MILLISECOND = 1000
_AT_ONCE = 300  # keys in one statement
_CURRENT = "resource_type, id, version, last_updated, digest, as_of, site, patient_id, message_id, deleted, body"
_INSERT = f"INSERT INTO resource ({_CURRENT}) VALUES ({marks(_CURRENT.split(','))})"
_UPDATE = """UPDATE resource SET version = ?, last_updated = ?, digest = ?, as_of = ?, site = ?, patient_id = ?,
    message_id = ?, deleted = ?, body = ? WHERE resource_type = ? AND id = ? AND version = ?"""
_RESTATE = "UPDATE resource SET as_of = ? WHERE resource_type = ? AND id = ?"
_ARCHIVE = f"INSERT INTO resource_history ({_CURRENT}) VALUES ({marks(_CURRENT.split(','))})"
_RETIRE = f"""INSERT INTO resource_history ({_CURRENT})
    SELECT {_CURRENT} FROM resource WHERE resource_type = ? AND id = ?"""
_WHOLE = "SELECT resource_type, id, version, last_updated, digest, as_of, patient_id, NULL FROM resource"
_ELEMENTS = "SELECT resource_type, id, version, last_updated, digest, as_of, patient_id, body FROM resource"


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
    """A resource in the course of a batch. `content` is None where it was not read."""

    key: Key
    stored_version: int = 0
    version: int = 0
    last_updated: int = 0
    digest: bytes = b""
    as_of: Any = None
    stored_as_of: str = ""
    patient_id: str | None = None
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
        self._states: dict[Key, _State] = {}
        self._members: set[str] = set()

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
        keys = {_key(put.mapped.resource): _patient(put.mapped) for put in self._puts}
        patients = {patient for patient in keys.values() if patient}
        lock(self._connection, [f"Patient/{one}" for one in patients] + ["/".join(k) for k, p in keys.items() if not p])
        self._members = members_among(self._connection, patients) if self._study else set()
        self._load(keys)
        for put in self._puts:
            self._apply(put)
        return self._write()

    def _load(self, keys: Iterable[Key]) -> None:
        by_type: dict[str, list[str]] = {}
        for key in keys:
            self._states[key] = _State(key)
            by_type.setdefault(key[0], []).append(key[1])
        for kind, ids in by_type.items():
            # A resource that is replaced as a whole need not be read as a whole.
            select = _WHOLE if self._rules[kind].whole else _ELEMENTS
            for start in range(0, len(ids), _AT_ONCE):
                some = ids[start : start + _AT_ONCE]
                sql = f"{select} WHERE resource_type = ? AND id IN ({marks(some)})"
                for row in rows(self._connection, sql, [kind, *some]):
                    self._remember(row)

    def _remember(self, row: Sequence[Any]) -> _State:
        kind, resource_id, version, last_updated, digest, as_of, patient, body = row
        stated = loads(as_of)
        if isinstance(stated, list) is not self._rules[kind].whole:
            stated = None  # merge.yaml was changed since: what is stored gives way to any statement
        state = _State((kind, resource_id), version, version, last_updated, bytes(digest), stated, as_of, patient)
        state.content = None if body is None else content(loads(bytes(body)))
        self._states[state.key] = state
        return state

    def _apply(self, put: _Put) -> None:
        resource = put.mapped.resource
        state, rule = self._states[_key(resource)], self._rules[resource["resourceType"]]
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
            self._enrol(_resource(state), put, self._study)
        self._version(state, put)

    def _version(self, state: _State, put: _Put) -> None:
        """Make a version of a resource if it is another one now."""
        if self._study and state.patient_id in self._members:
            state.content = content(self._study.tie(_resource(state)))
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
        head = dumps({"resourceType": state.key[0], "id": state.key[1], "meta": meta})
        body = head if text == b"{}" else head[:-1] + b"," + text[1:]
        made = (state.version, state.last_updated, digest, put.site, state.patient_id, put.message_id, body)
        state.versions.append(_Version(*made))

    def _enrol(self, patient: dict[str, Any], put: _Put, study: Study) -> None:
        """Where a Patient makes others or itself a member, tie what is there of them already."""
        new = sorted(enrol(self._connection, patient, study))
        self._members.update(new)
        for start in range(0, len(new), _AT_ONCE):
            some = new[start : start + _AT_ONCE]
            for row in rows(self._connection, f"{_ELEMENTS} WHERE patient_id IN ({marks(some)})", some):
                state = self._states.get((row[0], row[1]))
                if state is None or state.content is None:
                    self._remember(row)
        for state in list(self._states.values()):
            if state.patient_id in new and state.content is not None and state.version:
                self._version(state, put)

    def _write(self) -> int:
        connection = self._connection
        changed = [state for state in self._states.values() if state.versions]
        old = [state for state in changed if state.stored_version]
        run_many(connection, _RETIRE, [state.key for state in old])
        passed = [_row(state, version) for state in changed for version in state.versions[:-1]]
        run_many(connection, _ARCHIVE, passed)
        last = [(*_row(state, state.versions[-1])[2:], *state.key, state.stored_version) for state in old]
        if run_many(connection, _UPDATE, last) != len(last):
            raise StorageUnavailable("a resource was changed by another process")
        run_many(connection, _INSERT, [_row(s, s.versions[-1]) for s in changed if not s.stored_version])
        self._restate()
        known = [bool(state.stored_version) for state in changed]
        index.write(connection, self._search_index, [_resource(state) for state in changed], known=known)
        return sum(len(state.versions) for state in changed)

    def _restate(self) -> None:
        """Note newer statements of what is stored already: an older one must not overwrite them later."""
        quiet = [state for state in self._states.values() if not state.versions]
        said = [(dumps(state.as_of).decode(), *state.key) for state in quiet]
        run_many(
            self._connection, _RESTATE, [one for one, s in zip(said, quiet, strict=True) if one[0] != s.stored_as_of]
        )


def _key(resource: dict[str, Any]) -> Key:
    return resource["resourceType"], resource["id"]


def _patient(mapped: Mapped) -> str | None:
    resource = mapped.resource
    return resource["id"] if resource["resourceType"] == "Patient" else mapped.patient_id


def _resource(state: _State) -> dict[str, Any]:
    return {"resourceType": state.key[0], "id": state.key[1], **(state.content or {})}


def _row(state: _State, version: _Version) -> tuple[Any, ...]:
    as_of = dumps(state.as_of).decode()
    made = (version.version, version.last_updated, version.digest, as_of, version.site, version.patient_id)
    return (*state.key, *made, version.message_id, False, version.body)


@lru_cache(maxsize=256)
def _instant(value: int) -> str:
    return instant(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")
