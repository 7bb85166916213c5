"""What is stored of the resources that rules ask about: read for a whole batch in few queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.fhir.json import loads
from adapter.judge.verdict import Asked, Name
from adapter.store import known
from adapter.store.database import Connection
from adapter.store.identities import Redirect, redirects
from adapter.store.members import members_among


@dataclass(slots=True)
class _Row:
    """A resource: its body is parsed when a rule asks for it."""

    patient_id: str | None
    body: bytes | None
    content: dict[str, Any] | None = None

    def read(self) -> dict[str, Any]:
        if self.content is None:
            self.content = loads(self.body) if self.body else {}
        return self.content or {}


class StoredFacts:
    """Facts of one batch, in its transaction."""

    def __init__(self, connection: Connection, names: Iterable[Name]) -> None:
        """Read what is stored of these resources, and where they were merged to."""
        self._connection = connection
        self._wanted = frozenset(names)
        self._rows: dict[Name, _Row] = {}
        self._members: set[str] | None = None
        ids = {number for _, number in self._wanted}
        found = redirects(connection, ids)
        self._redirects: Mapping[Name, Redirect] = {one.name: one for one in found if not one.until}
        self._moves: Mapping[Name, Redirect] = {one.name: one for one in found if one.until}
        for name, patient, body in known.bodies(connection, ids):
            if name in self._wanted:
                self._rows[name] = _Row(patient, body)

    def content(self, name: Name) -> Mapping[str, Any] | None:
        """The resource as it is; None where there is none."""
        found = self._rows.get(name)
        return found.read() if found else None

    def patient_of(self, name: Name) -> str | None:
        """The id of the Patient whose resource it is."""
        found = self._rows.get(name)
        return self.survivor(("Patient", found.patient_id)) if found and found.patient_id else None

    def survivor(self, name: Name) -> str:
        """The id to which this one was merged; its own where it was not."""
        found = self._redirects.get(name)
        return found.target_id if found else name[1]

    def next_of(self, name: Name) -> str | None:
        """The id that its own message merged it to; None where it was not merged."""
        found = self._redirects.get(name)
        return found.via_id if found else None

    def merged_by(self, name: Name) -> int:
        """The message that merged it; 0 where none did."""
        found = self._redirects.get(name)
        return found.message_id if found else 0

    def moved_until(self, name: Name) -> str:
        """What was said of it before this time is of the patient it was moved to; empty: it never was."""
        found = self._moves.get(name)
        return found.until if found else ""

    def holders(self, system: str, value: str) -> set[str]:
        """The ids of the Patients with this identifier, in this batch or stored."""
        found = known.holders(self._connection, system, value)
        said = {"system": system, "value": value}
        return found | {
            number
            for (kind, number), row in self._rows.items()
            if kind == "Patient" and row.body is None and any(said.items() <= one.items() for one in _numbers(row))
        }

    def linked(self, patient_id: str) -> set[str]:
        """The Patients that are linked to this one, directly or through others."""
        return known.linked(self._connection, patient_id)

    def is_member(self, patient_id: str) -> bool:
        """Whether a Patient is a member of the study."""
        if self._members is None:
            patients = [number for kind, number in self._wanted if kind == "Patient"]
            self._members = members_among(self._connection, patients)
        return patient_id in self._members

    def add(self, asked: Asked) -> None:
        """What a message of this batch states counts for those that follow it."""
        for one in asked.resources:
            name = (one.resource["resourceType"], one.resource["id"])
            if name not in self._wanted:
                continue
            found = self._rows.get(name)
            before = found.read() if found else {}
            content = {**one.resource, **before} if one.fill else {**before, **one.resource}
            patient = found.patient_id if found and (one.fill or not one.patient_id) else one.patient_id
            self._rows[name] = _Row(patient, None, content)


def _numbers(row: _Row) -> list[dict[str, Any]]:
    return row.read().get("identifier", [])


def needed(asked: Sequence[Asked], needs: Sequence[Sequence[Name]]) -> set[Name]:
    """All that rules need, with both sides of every identity event."""
    found = {name for some in needs for name in some}
    for one in asked:
        for event in one.identities:
            found |= {(event.resource_type, number) for number in (event.source_id, event.target_id) if number}
            if event.moved:
                kind, _, number = event.moved.partition("/")
                found.add((kind, number))
    return found
