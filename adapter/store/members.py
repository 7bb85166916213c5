"""Members of the study: Patients with a number of the study, and the Patients linked to them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection

from adapter.store.database import marks, rows, run_many


@dataclass(frozen=True, slots=True)
class Study:
    """What the store asks of the study: a Patient's number in it, and a resource of the one of that number tied to it."""

    number: Callable[[dict[str, Any]], str | None]
    tie: Callable[[dict[str, Any], str], dict[str, Any]]


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
    asked = list(patients)
    found = _in(connection, "SELECT patient_id, number FROM study_member WHERE patient_id", asked)
    return {row[0]: row[1] for row in found}


def enrol(connection: Connection, patient: dict[str, Any], study: Study) -> dict[str, str]:
    """Note what a Patient says of its number and its links.

    Args:
        connection: of the transaction that writes the Patient.
        patient: the resource.
        study: the study's rules.

    Returns:
        The Patients that are members now and were not before, with their numbers; some may not be stored yet.
    """
    own, number = patient["id"], study.number(patient)
    others = _linked(patient)
    if number is None and not others and not _in(connection, "SELECT 1 FROM patient_link WHERE patient_id", [own]):
        return {}
    pairs = [pair for other in others for pair in ((own, other), (other, own))]
    run_many(connection, "INSERT INTO patient_link (patient_id, other_id) VALUES (?,?) ON CONFLICT DO NOTHING", pairs)
    linked = _component(connection, own)
    found = _in(connection, "SELECT patient_id, number, own FROM study_member WHERE patient_id", sorted(linked))
    before = {row[0]: row[1] for row in found}
    numbers = {row[0]: row[1] for row in found if row[2]} | ({own: number} if number else {})
    if not numbers:
        return {}
    now = dict.fromkeys(linked, min(numbers.values())) | numbers
    _write(connection, {one: said for one, said in now.items() if before.get(one) != said or one == own}, set(numbers))
    return {one: said for one, said in now.items() if one not in before}


def _write(connection: Connection, members: dict[str, str], owners: set[str]) -> None:
    sql = """INSERT INTO study_member (patient_id, number, own) VALUES (?,?,?)
        ON CONFLICT (patient_id) DO UPDATE SET number = excluded.number, own = excluded.own"""
    run_many(connection, sql, [(one, number, one in owners) for one, number in sorted(members.items())])


def _linked(patient: dict[str, Any]) -> list[str]:
    references = [link.get("other", {}).get("reference", "") for link in patient.get("link", [])]
    return [one.removeprefix("Patient/") for one in references if one.startswith("Patient/")]


def _component(connection: Connection, patient: str) -> set[str]:
    """Everyone who is linked to a Patient, over any number of links; all are locked before they are read."""
    known, frontier = {patient}, [patient]
    while frontier:
        lock(connection, [f"Patient/{one}" for one in frontier])
        found = _in(connection, "SELECT other_id FROM patient_link WHERE patient_id", frontier)
        frontier = sorted({row[0] for row in found} - known)
        known |= set(frontier)
    return known


def _in(connection: Connection, sql: str, values: list[str]) -> list[Any]:
    return list(rows(connection, f"{sql} IN ({marks(values)})", values)) if values else []
