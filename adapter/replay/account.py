"""The account of a replay for readers of the API: FHIR Provenance that names each version it made."""

from datetime import datetime
from typing import Any

from adapter.data import PROGRAM
from adapter.mapper.engine import Mapped
from adapter.mapper.ids import resource_id
from adapter.operate.provenance import OPERATION, participant
from adapter.store import replays
from adapter.store.database import Connection
from adapter.store.reach import OF_THE_TRIAL
from adapter.store.replays import Run
from adapter.worker import Rules

SYSTEM = "https://fhir.tli-trial.example.org/NamingSystem/adapter-replay"
AT_ONCE = 500
"""Targets of one Provenance: a resource must stay readable."""


def write(connection: Connection, run: Run, rules: Rules, now: datetime) -> None:
    """Write the account of a replay that has ended; nothing where it changed nothing."""
    writer = rules.writer(connection, now)
    last, number = 0, 0
    while found := replays.versions(connection, run.id, after=last, limit=AT_ONCE):
        last, number = found[-1][0], number + 1
        said = provenance(run, number, [reference for _, reference in found])
        order = said["recorded"]
        mapped = Mapped(said, order, fill=False, defaults=(), cleared=(), map="replay", patient_id=None)
        writer.put(mapped, site=OF_THE_TRIAL, message_id=0)
    writer.flush()


def provenance(run: Run, number: int, targets: list[str]) -> dict[str, Any]:
    """One Provenance of a replay (FHIR R4, Provenance); `targets` are versions: `Type/id/_history/3`."""
    ended = (run.finished_at or run.started_at).isoformat(timespec="milliseconds")
    started = run.started_at.isoformat(timespec="milliseconds")
    return {
        "resourceType": "Provenance",
        "id": resource_id("Provenance", SYSTEM, f"{run.id}/{started}/{number}"),
        "target": [{"reference": target} for target in targets],
        "occurredPeriod": {"start": started, "end": ended},
        "recorded": ended,
        "reason": [{"text": run.reason}],
        "activity": {
            "coding": [{"system": OPERATION, "code": "UPDATE"}],
            "text": f"replay {run.id}: messages were converted again by the mappings {run.mapping}",
        },
        "agent": [
            {"type": participant("assembler"), "who": {"display": f"{PROGRAM}, mappings {run.mapping}"}},
            {"type": participant("performer"), "who": {"display": run.actor}},
        ],
    }
