"""Writing resources: merge, compare, version, tie to the study, index; a batch of messages at a time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapter.errors import StorageUnavailable
from adapter.fhir.json import dumps, loads
from adapter.store import contributions, due, effects, index, sources
from adapter.store.bulk import Bulk, parts
from adapter.store.contributions import Target
from adapter.store.database import marks, micros, rows, run_many
from adapter.store.identities import redirected
from adapter.store.members import Members, Study, lock, stored
from adapter.store.merge import Mapped, Merged, MergeRule, Statement, content, merge, statement, whole_statement
from adapter.store.names import Name, name_of
from adapter.store.states import COLUMNS, MILLISECOND, Change, Put, State, Version

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


class ResourceWriter:
    """A unit of work in one transaction: `put` what messages say, then `flush` once.

    What does not change a resource makes no version of it. Every message that does makes its own; a resource that is
    made `anew` has one version at most. `effects` then has what a person should know of what was put.
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
        self._now = micros(now) // MILLISECOND * MILLISECOND
        self._puts: list[Put] = []
        self._states: dict[Name, State] = {}
        self._anew: dict[Name, Target | None] = {}
        self._members = Members(connection, study)
        self.effects: list[effects.Effect] = []
        self._sources = sources.Sources(connection)

    def put(self, mapped: Mapped, *, site: str, message_id: int) -> None:
        """Add what a message says of a resource."""
        self._puts.append(Put(mapped, site, message_id))

    def anew(self, name: Name, target: Target | None) -> None:
        """Make a resource from what is put alone, whatever is stored of it.

        Args:
            name: its type and id.
            target: what is known of it, None where it is not stored; all that messages say of it must be put.
        """
        self._anew[name] = target

    def flush(self) -> int:
        """Write everything.

        Returns:
            How many versions were made.

        Raises:
            StorageUnavailable: another process changed a resource meanwhile; nothing may be committed.
        """
        self.settle()
        return self._write()

    def settle(self) -> None:
        """Merge everything, and write nothing: `changes` then says what `flush` would do.

        Raises:
            StorageUnavailable: as `flush`.
        """
        lock(self._connection, {f"Patient/{patient}" for put in self._puts if (patient := _patient(put.mapped))})
        self._puts = redirected(self._connection, self._puts)
        # A message may make its patient a member; its other resources are then tied at once.
        self._puts.sort(key=lambda put: (put.message_id, put.mapped.resource["resourceType"] != "Patient"))
        patient_of: dict[Name, str | None] = {one.name: one.patient_id for one in self._anew.values() if one}
        patient_of |= {name_of(put.mapped.resource): _patient(put.mapped) for put in self._puts}
        patients = {patient for patient in patient_of.values() if patient}
        alone = ["/".join(name) for name, patient in patient_of.items() if not patient]
        lock(self._connection, [*(f"Patient/{one}" for one in patients), *alone])
        self._members.read(patients)
        self._load(patient_of)
        self._check_anew()
        for put in self._puts:
            self._apply(put)
        self._end_anew()

    def changes(self) -> list[Change]:
        """What becomes of the resources, after `settle` or `flush`."""
        changed = [state for state in self._states.values() if state.versions]
        self._read_old(state for state in changed if state.stored_version)
        return [change for state in changed if (change := state.change)]

    def _load(self, names: Iterable[Name]) -> None:
        self._states = {name: State(name, anew=name in self._anew) for name in names}
        # A resource that is replaced as a whole need not be read as a whole.
        whole = [kind for kind in {kind for kind, _ in self._states} if self._rules[kind].whole]
        body = f"CASE WHEN resource_type IN ({marks(whole)}) THEN NULL ELSE body END" if whole else "body"
        for some in parts({number for _, number in self._states}, _AT_ONCE):
            sql = f"SELECT {COLUMNS}, {body} FROM resource WHERE id IN ({marks(some)})"
            for row in rows(self._connection, sql, [*whole, *some]):
                if (row[1], row[2]) in self._states:
                    self._remember(row)

    def _remember(self, row: Sequence[Any]) -> None:
        state = State.of(row, whole=self._rules[row[1]].whole, anew=(row[1], row[2]) in self._anew)
        self._states[state.name] = state

    def _check_anew(self) -> None:
        """What is made anew is made of everything that messages say of it: none may have come meanwhile."""
        keys = {name: self._states[name].key for name in self._anew}
        said = contributions.of_keys(self._connection, [key for key in keys.values() if key])
        for name, target in self._anew.items():
            known: tuple[int, Mapping[int, int]] = (target.key, target.said) if target else (0, {})
            if known != (keys[name], said.get(keys[name], {})):
                raise StorageUnavailable("a message about the same resource was converted meanwhile")

    def _apply(self, put: Put) -> None:
        """Merge one statement. Every statement, of a worker or of a replay, goes through here before it is merged."""
        resource = put.mapped.resource
        state, rule = self._states[name_of(resource)], self._rules[resource["resourceType"]]
        before = state.content
        if rule.whole:
            if not self._replaces(state, rule, put):
                return
        else:
            stored = Merged(before or {}, state.as_of or {})
            merged = merge(rule, stored, put.mapped, message_id=put.message_id)
            own = statement(put.mapped, message_id=put.message_id)
            self._note(put, effects.of_elements(put.mapped, stored, merged, own))
            state.content, state.as_of = merged.content, merged.as_of
            if before is not None and merged.content == before:
                return
        state.patient_id, state.last = _patient(put.mapped) or state.patient_id, put
        if not state.anew:
            self._end(state, put)

    def _replaces(self, state: State, rule: MergeRule, put: Put) -> bool:
        """Replace a resource as a whole, unless what is stored is newer or surer."""
        mapped, own = put.mapped, whole_statement(rule, put.mapped, message_id=put.message_id)
        other = bool(state.patient_id and mapped.patient_id and state.patient_id != mapped.patient_id)
        before = state.as_of or None
        if not other and self._conflicts(state, rule, put, own):
            self._note(put, (effects.CONFLICT,))
            return False
        self._note(put, effects.of_whole(rule, mapped, own, before, other_patient=other))
        if not effects.newer(mapped, own, before, other_patient=other):
            return False
        state.content, state.as_of = content(mapped.resource), own
        return True

    def _conflicts(self, state: State, rule: MergeRule, put: Put, own: Statement) -> bool:
        """Whether another application says another value, and it is not known which one is believed.

        Where that is known, the one that is not believed gives way: `own` is changed so that it wins or loses.
        """
        if rule.sources is None or not sources.doubtful(own, state.as_of):
            return False
        mine, theirs = self._sources.of(put.message_id), self._sources.of(state.as_of[2])
        said = state.content if state.content is not None else self._sources.stored(state.key)
        if mine == theirs or not sources.differ(put.mapped.resource, said):
            return False
        wins = sources.believed(mine, theirs, rule.sources)
        if wins is not None:
            own[1] = max(own[1], state.as_of[1]) if wins else ""
        return wins is None

    def _note(self, put: Put, kinds: Iterable[str]) -> None:
        segment = put.mapped.map.partition("-")[0]
        self.effects += [effects.Effect(put.message_id, kind, segment) for kind in kinds]

    def _end_anew(self) -> None:
        """Compare what was made anew with what is stored; what no message speaks of any more is removed."""
        # Patients first, for the same reason as above.
        for name in sorted(self._anew, key=lambda name: name[0] != "Patient"):
            state, target = self._states[name], self._anew[name]
            if state.last:
                self._end(state, state.last)
            elif target and not state.was_deleted:
                state.patient_id = target.patient_id
                state.remove(target.site, max(target.said, default=0), self._now)

    def _end(self, state: State, put: Put) -> None:
        if state.name[0] == "Patient" and self._study:
            self._enrol(state.resource(), put)
        self._tie(state)
        state.make(put, self._now)
        self._tie_dependent(state, put)

    def _tie(self, state: State) -> bool:
        """Tie what is of a member; return whether that changed it."""
        if not self._study or state.patient_id is None or state.patient_id not in self._members:
            return False
        resource = state.resource()
        tied = self._study.tie(resource, self._members.number(state.patient_id), self._known)
        if tied is resource:
            return False
        state.content = content(tied)
        return True

    def _known(self, name: Name) -> Mapping[str, Any] | None:
        """What is known of another resource: as this batch leaves it so far, else as it is stored."""
        state = self._states.get(name)
        return stored(self._connection, name) if state is None else state.content

    def _enrol(self, patient: dict[str, Any], put: Put) -> None:
        """Where a Patient makes others or itself a member, tie what is there of them already."""
        self._tie_again(self._members.enrol(patient), put)

    def _tie_dependent(self, state: State, put: Put) -> None:
        """Tie again what another type's resource decides on, of the same Patient."""
        kinds = self._study.dependent.get(state.name[0]) if self._study else None
        if kinds and state.patient_id:
            lock(self._connection, ["/".join(state.name)])
            self._tie_again({state.patient_id}, put, kinds)

    def _tie_again(self, patients: set[str], put: Put, kinds: Sequence[str] = ()) -> None:
        """Tie what is there of these Patients already; of these types, or of all."""
        of_kinds = f" AND resource_type IN ({marks(kinds)})" if kinds else ""
        for some in parts(patients, _AT_ONCE):
            sql = f"SELECT {COLUMNS}, body FROM resource WHERE NOT deleted AND patient_id IN ({marks(some)}){of_kinds}"
            for row in rows(self._connection, sql, [*some, *kinds]):
                state = self._states.get((row[1], row[2]))
                if state is None or (state.content is None and not state.anew):
                    self._remember(row)
        for state in list(self._states.values()) if patients else ():
            # What is made anew is tied at its end, when all that messages say of it has been put.
            concerned = state.patient_id in patients and (not kinds or (state.name[0] in kinds and not state.anew))
            if concerned and state.version and state.content is not None and self._tie(state):
                state.make(put, self._now)

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
        self._members.write()
        said = [(one.patient_id, one.message_id) for one in (state.versions[-1] for state in changed)]
        due.note(connection, due.VIEW, (patient for patient, _ in said if patient), self._now)
        # What was derived is no reason to derive anew.
        due.note(connection, due.DERIVATION, (patient for patient, message in said if message and patient), self._now)
        self._restate()
        self._contribute()
        index.write(connection, self._search_index, [_indexed(state) for state in changed])
        return sum(len(state.versions) for state in changed)

    def _read_old(self, old: Iterable[State]) -> None:
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

    def _contribute(self) -> None:
        """Note which message says something of which resource."""
        said: dict[tuple[Name, int], list[Mapped]] = {}
        for put in self._puts:
            said.setdefault((name_of(put.mapped.resource), put.message_id), []).append(put.mapped)
        now: dict[Name, dict[int, int]] = {name: {} for name in self._anew}
        added: list[tuple[int, int, int]] = []
        for (name, number), some in said.items():
            digest = contributions.digest(some)
            if name in now:
                now[name][number] = digest
            else:
                added.append((number, self._states[name].key, digest))
        contributions.add(self._connection, added)
        for name, speakers in now.items():
            target = self._anew[name]
            contributions.restate(self._connection, self._states[name].key, target.said if target else {}, speakers)


def _patient(mapped: Mapped) -> str | None:
    resource = mapped.resource
    return resource["id"] if resource["resourceType"] == "Patient" else mapped.patient_id


def _keys(connection: Connection, number: int) -> list[int]:
    """So many keys that no resource has, growing."""
    if connection.dialect.name == "sqlite":  # it has one writer
        last: int = rows(connection, "SELECT coalesce(max(key), 0) FROM resource")[0][0]
        return list(range(last + 1, last + 1 + number))
    return [
        row[0] for row in rows(connection, "SELECT nextval('resource_key_seq') FROM generate_series(1, ?)", [number])
    ]


def _current(state: State) -> tuple[Any, ...]:
    made = state.versions[-1]
    as_of = dumps(state.as_of).decode()
    facts = (made.version, made.last_updated, made.digest, as_of, made.site, made.patient_id, made.message_id)
    return (*facts, made.deleted, made.body)


def _passed(state: State, made: Version) -> tuple[Any, ...]:
    return (state.key, made.version, made.last_updated, made.site, made.message_id, made.deleted, made.body)


def _indexed(state: State) -> index.Change:
    old = {"resourceType": state.name[0], "id": state.name[1], **(state.stored or {})} if state.stored_version else None
    return index.Change(state.key, old, state.resource())
