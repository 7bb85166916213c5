"""Members of the study: Patients with a number of the study, and the Patients linked to them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection

from adapter.fhir.json import loads
from adapter.store.bulk import parts
from adapter.store.database import marks, rows, run_many
from adapter.store.names import Name

_AT_ONCE = 500  # values in one statement
_LINK = "INSERT INTO patient_link (patient_id, other_id) VALUES (?,?) ON CONFLICT DO NOTHING"
_MEMBER = """INSERT INTO study_member (patient_id, number, own) VALUES (?,?,?)
    ON CONFLICT (patient_id) DO UPDATE SET number = excluded.number, own = excluded.own"""


Look = Callable[[Name], Mapping[str, Any] | None]
"""What is known of a resource; None where there is none."""


@dataclass(frozen=True, slots=True)
class Study:
    """What the store asks of the study: a Patient's number in it, a resource tied to it by that number, and untied.

    What a resource is tied to may follow from others, which `tie` looks up: `dependent` are the types that are to be
    tied again when a resource of the given type changed.
    """

    number: Callable[[dict[str, Any]], str | None]
    tie: Callable[[dict[str, Any], str, Look], dict[str, Any]]
    untie: Callable[[dict[str, Any]], dict[str, Any]]
    dependent: Mapping[str, Sequence[str]]


def lock(connection: Connection, names: Iterable[str]) -> None:
    """Let the writers of a patient, or of a site, take turns; SQLite's writers do so anyway."""
    if connection.dialect.name == "sqlite":
        return
    keys = sorted({int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True) for name in names})
    if keys:
        # In one order, so that no two writers wait for each other.
        sql = "SELECT pg_advisory_xact_lock(k) FROM (SELECT unnest(?::bigint[]) AS k ORDER BY 1) AS keys"
        rows(connection, sql, [keys])


def members_among(connection: Connection, patients: Iterable[str]) -> dict[str, str]:
    """Which of these Patients are members, with their numbers."""
    found: dict[str, str] = {}
    for some in parts(patients, _AT_ONCE):
        sql = f"SELECT patient_id, number FROM study_member WHERE patient_id IN ({marks(some)})"
        found |= dict(rows(connection, sql, some))
    return found


def stored(connection: Connection, name: Name) -> dict[str, Any] | None:
    """A resource as it is stored; None where there is none. Whoever writes it now is waited for."""
    lock(connection, ["/".join(name)])
    found = rows(connection, "SELECT body FROM resource WHERE id = ? AND resource_type = ? AND NOT deleted", name[::-1])
    return loads(bytes(found[0][0])) if found else None


class Members:
    """Who belongs to the study, as one transaction sees it; what it adds is written by `write`, and not before."""

    def __init__(self, connection: Connection, study: Study | None) -> None:
        """Begin; without a study nobody is a member."""
        self._connection, self._study = connection, study
        self._read: set[str] = set()
        self._numbers: dict[str, tuple[str, bool]] = {}  # number, and whether it is the Patient's own
        self._links: dict[str, set[str]] = {}
        self._new_links: list[tuple[str, str]] = []
        self._changed: set[str] = set()

    def __contains__(self, patient_id: object) -> bool:
        """Whether this Patient is a member; it was among those that were read."""
        return patient_id in self._numbers

    def number(self, patient_id: str) -> str:
        """The number in the study of a member."""
        return self._numbers[patient_id][0]

    def read(self, patients: Iterable[str]) -> None:
        """Read which of these Patients are members, and to whom they are linked."""
        unread = sorted(set(patients) - self._read) if self._study else []
        self._read.update(unread)
        for some in parts(unread, _AT_ONCE):
            sql = f"SELECT patient_id, number, own FROM study_member WHERE patient_id IN ({marks(some)})"
            self._numbers |= {one: (number, bool(own)) for one, number, own in rows(self._connection, sql, some)}
            sql = f"SELECT patient_id, other_id FROM patient_link WHERE patient_id IN ({marks(some)})"
            for one, other in rows(self._connection, sql, some):
                self._links.setdefault(one, set()).add(other)

    def enrol(self, patient: dict[str, Any]) -> set[str]:
        """Note what a Patient says of its number and its links.

        Returns:
            The Patients that are members now and were not before; some may not be stored yet.
        """
        if self._study is None:
            return set()
        own, number, others = patient["id"], self._study.number(patient), _linked(patient)
        self.read([own])
        if number is None and not others and own not in self._links:
            return set()
        for other in others:
            self._link(own, other)
        linked = self._component(own)
        numbers = {one: said[0] for one, said in self._numbers.items() if one in linked and said[1]}
        numbers |= {own: number} if number else {}
        if not numbers:
            return set()
        new = linked - self._numbers.keys()
        for one in linked:
            said = (numbers.get(one, min(numbers.values())), one in numbers)
            if self._numbers.get(one) != said:
                self._numbers[one] = said
                self._changed.add(one)
        return new

    def write(self) -> None:
        """Write what was added."""
        run_many(self._connection, _LINK, sorted(self._new_links))
        run_many(self._connection, _MEMBER, [(one, *self._numbers[one]) for one in sorted(self._changed)])

    def _link(self, one: str, other: str) -> None:
        self.read([one, other])
        for pair in ((one, other), (other, one)):
            known = self._links.setdefault(pair[0], set())
            if pair[1] not in known:
                known.add(pair[1])
                self._new_links.append(pair)

    def _component(self, patient: str) -> set[str]:
        """Everyone who is linked to a Patient, over any number of links; all are locked before they are read."""
        known, frontier = {patient}, [patient]
        while frontier:
            lock(self._connection, [f"Patient/{one}" for one in frontier])
            self.read(frontier)
            found = {other for one in frontier for other in self._links.get(one, ())}
            frontier = sorted(found - known)
            known |= found
        return known


def _linked(patient: dict[str, Any]) -> list[str]:
    references = [link.get("other", {}).get("reference", "") for link in patient.get("link", [])]
    return [one.removeprefix("Patient/") for one in references if one.startswith("Patient/")]
