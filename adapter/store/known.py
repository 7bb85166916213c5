"""What is known of some resources: their bodies and patients, who has an identifier, who is linked to whom."""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection

from adapter.fhir.search_parameter import parameter_number
from adapter.store.bulk import parts
from adapter.store.database import marks, rows
from adapter.store.names import Name

_AT_ONCE = 500
_IDENTIFIER = parameter_number("Patient", "identifier")
_HOLDERS = """SELECT r.id FROM index_token AS t JOIN resource AS r ON r.key = t.key
    WHERE t.param = ? AND t.code = ? AND t.system = ?"""


def bodies(connection: Connection, ids: Iterable[str]) -> Iterator[tuple[Name, str | None, bytes]]:
    """Of each stored resource with one of these ids: its name, whose it is, its body."""
    for some in parts(sorted(set(ids)), _AT_ONCE):
        sql = f"SELECT resource_type, id, patient_id, body FROM resource WHERE NOT deleted AND id IN ({marks(some)})"
        for kind, number, patient, body in rows(connection, sql, some):
            yield (kind, number), patient, bytes(body)


def holders(connection: Connection, system: str, value: str) -> set[str]:
    """The Patients with this identifier."""
    return {number for (number,) in rows(connection, _HOLDERS, [_IDENTIFIER, value, system])}


def linked(connection: Connection, patient: str) -> set[str]:
    """Everyone who is linked to a Patient, over any number of links, and the Patient."""
    known, frontier = {patient}, [patient]
    while frontier:
        sql = f"SELECT other_id FROM patient_link WHERE patient_id IN ({marks(frontier)})"
        frontier = sorted({other for (other,) in rows(connection, sql, frontier)} - known)
        known |= set(frontier)
    return known
