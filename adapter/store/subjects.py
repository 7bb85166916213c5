"""What is stored of the members of the study: their Patients, registrations, and all that is about them."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from adapter.store.bulk import parts
from adapter.store.database import marks, rows

_AT_ONCE = 500  # values in one statement
_PATIENTS = """SELECT r.body FROM study_member AS m JOIN resource AS r ON r.id = m.patient_id
    WHERE r.resource_type = 'Patient' AND NOT r.deleted ORDER BY r.key"""
_OF_NUMBER = "SELECT patient_id FROM study_member WHERE number = ? ORDER BY patient_id"
_REGISTRATIONS = "SELECT body FROM resource WHERE resource_type = 'ResearchSubject' AND NOT deleted ORDER BY key"
_DERIVED = """SELECT r.body FROM study_member AS m JOIN resource AS r ON r.patient_id = m.patient_id
    WHERE r.resource_type = 'Observation' AND r.message_id = 0 AND NOT r.deleted AND (m.number = ? OR ? = '')
    ORDER BY r.key"""


def derived(connection: Connection, number: str = "") -> list[bytes]:
    """The derived facts of a subject, or of all: Observations that no message made."""
    return [bytes(body) for (body,) in rows(connection, _DERIVED, [number, number])]


def patients(connection: Connection) -> list[bytes]:
    """Every Patient who is a member of the study, or linked to one."""
    return [bytes(body) for (body,) in rows(connection, _PATIENTS)]


def patients_of(connection: Connection, number: str) -> list[str]:
    """The ids of all Patients who bear this number of the study, or are linked to one who does."""
    return [patient for (patient,) in rows(connection, _OF_NUMBER, [number])]


def registrations(connection: Connection) -> list[bytes]:
    """Every ResearchSubject."""
    return [bytes(body) for (body,) in rows(connection, _REGISTRATIONS)]


def resources(connection: Connection, patient_ids: Sequence[str], types: Sequence[str]) -> Iterator[bytes]:
    """The resources of these types that are about these Patients."""
    for some in parts(patient_ids, _AT_ONCE):
        sql = f"""SELECT body FROM resource WHERE NOT deleted AND patient_id IN ({marks(some)})
            AND resource_type IN ({marks(types)}) ORDER BY key"""
        yield from (bytes(body) for (body,) in rows(connection, sql, [*some, *types]))
