"""Merged numbers: what is said of a retired resource goes to the survivor, whichever came first.

Every statement goes through `redirected` before it is merged; `repointing.py` changes what is stored already. What is
said of the retired resource itself stays with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy import Connection

from adapter.fhir.json import dumps
from adapter.store.bulk import parts
from adapter.store.database import marks, now_micros, rows, run_many
from adapter.store.merge import Mapped, instant_key
from adapter.store.names import Name, name_of
from adapter.store.repoint import moved, refers, repointed

APPLIED, AGAIN, WENT, REVERSED = "applied", "again", "went", "reversed"
"""What the journal says was done."""

_AT_ONCE = 500
_RETIRING = frozenset({"Patient", "Encounter", "Account"})
_COLUMNS = "source_id, resource_type, moves, target_id, via_id, until, message_id"
_JOURNAL = """INSERT INTO identity_journal
    (at, message_id, action, kind, resource_type, source_id, target_id, detail) VALUES (?,?,?,?,?,?,?,?)"""

Put = TypeVar("Put", bound=Any)


@dataclass(frozen=True, slots=True)
class Redirect:
    """A resource that was merged, or of which something moved before `until`: a row of the table."""

    name: Name
    target_id: str
    via_id: str
    until: str
    message_id: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the journal; `detail` are the resources that it changed."""

    message_id: int
    action: str
    kind: str
    source: Name
    target_id: str
    detail: Sequence[str] = ()


def redirects(connection: Connection, ids: Iterable[str]) -> list[Redirect]:
    """Where these were merged or moved to."""
    found: list[Redirect] = []
    for some in parts(sorted(set(ids)), _AT_ONCE):
        sql = f"SELECT {_COLUMNS} FROM redirect WHERE source_id IN ({marks(some)})"
        for source, kind, _, target, via, until, message_id in rows(connection, sql, some):
            found.append(Redirect((kind, source), target, via, until, message_id))
    return found


def note(connection: Connection, entries: Iterable[Entry]) -> None:
    """Write lines of the journal."""
    now = now_micros(connection)
    lines = [
        (now, one.message_id, one.action, one.kind, *one.source, one.target_id, dumps(list(one.detail)).decode())
        for one in entries
    ]
    run_many(connection, _JOURNAL, lines)


def redirected(connection: Connection, puts: Sequence[Put]) -> list[Put]:
    """What messages say, with merged and moved numbers put in their places.

    Args:
        connection: of the transaction that writes them, in which their patients are locked.
        puts: frozen dataclasses with `mapped` and `message_id`.
    """
    ids = {put.mapped.resource["id"] for put in puts if put.mapped.resource["resourceType"] in _RETIRING}
    ids |= {put.mapped.patient_id for put in puts if put.mapped.patient_id}
    known = redirects(connection, ids)
    if not known:
        return list(puts)
    way = Way(known)
    made = [replace(put, mapped=way.of(put.mapped)) for put in puts]
    went: dict[tuple[int, Redirect], list[str]] = {}
    for before, after in zip(puts, made, strict=True):
        if before.mapped is not after.mapped:
            for one in way.taken(before.mapped):
                went.setdefault((before.message_id, one), []).append("/".join(name_of(before.mapped.resource)))
    note(
        connection,
        [Entry(number, WENT, "", one.name, one.target_id, tuple(said)) for (number, one), said in went.items()],
    )
    return made


class Way:
    """The way of statements, where these redirects hold."""

    def __init__(self, known: Iterable[Redirect]) -> None:
        """Take them."""
        every = list(known)
        self._merged = {one.name: one for one in every if not one.until}
        self._moves = [one for one in every if one.until]
        self._gone = {f"{kind}/{number}": f"{kind}/{one.target_id}" for (kind, number), one in self._merged.items()}

    def of(self, said: Mapped) -> Mapped:
        """The statement as it is merged; the same one where it goes nowhere else."""
        now = repointed(said.resource, self._gone)
        patient = self._patient(said)
        move = self._move(said, patient)
        if move:
            now, patient = moved(now, patient or "", move.target_id), move.target_id
        if now is said.resource and patient == said.patient_id:
            return said
        how = (said.order, said.fill, said.defaults, said.cleared, said.map)
        return _Redirected(now, *how, patient, said.undone, said.cancels)

    def taken(self, said: Mapped) -> list[Redirect]:
        """The redirects that this statement follows."""
        merged = [
            one
            for (kind, number), one in self._merged.items()
            if (kind == "Patient" and number == said.patient_id) or refers(said.resource, f"{kind}/{number}")
        ]
        move = self._move(said, self._patient(said))
        return [*merged, move] if move else merged

    def _patient(self, said: Mapped) -> str | None:
        # What is said of a retired Patient itself stays with it.
        if said.patient_id is None or name_of(said.resource)[0] == "Patient":
            return said.patient_id
        found = self._merged.get(("Patient", said.patient_id))
        return found.target_id if found else said.patient_id

    def _move(self, said: Mapped, patient: str | None) -> Redirect | None:
        if patient is None or name_of(said.resource)[0] == "Patient":
            return None
        taken = (one for one in self._moves if patient != one.target_id and _is_of(said.resource, one.name, patient))
        return next((one for one in taken if instant_key(said.order) < one.until), None)


@dataclass(frozen=True, slots=True)
class _Redirected:
    """A statement that goes to another resource's patient than it says."""

    resource: dict[str, Any]
    order: str
    fill: bool
    defaults: tuple[str, ...]
    cleared: tuple[str, ...]
    map: str
    patient_id: str | None
    undone: tuple[str, ...]
    cancels: bool


def _is_of(resource: Mapping[str, Any], what: Name, patient: str) -> bool:
    """Whether a resource is what moved, or of it; where all of a patient moved, whether it is the patient's."""
    if what[0] == "Patient":
        return what[1] == patient
    return name_of(resource) == what or refers(resource, "/".join(what))
