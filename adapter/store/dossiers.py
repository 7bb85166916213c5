"""What is stored of one number of the study: its Patients, and the resources about them."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from adapter.fhir import json
from adapter.store.database import marks, rows

_PATIENTS = "SELECT patient_id FROM study_member WHERE number = ? ORDER BY patient_id"


def resources(connection: Connection, number: str, kinds: Iterable[str]) -> list[dict[str, Any]]:
    """The current resources of these types of everybody who bears this number, in the order of types and ids.

    Fractions are floats: they are for computing with.
    """
    patients = [patient for (patient,) in rows(connection, _PATIENTS, [number])]
    if not patients:
        return []
    wanted = sorted(kinds)
    sql = f"""SELECT body FROM resource WHERE patient_id IN ({marks(patients)}) AND resource_type IN ({marks(wanted)})
        AND NOT deleted ORDER BY resource_type, id"""
    return [json.computable(bytes(body)) for (body,) in rows(connection, sql, [*patients, *wanted])]
