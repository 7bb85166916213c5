"""What the store's tests share: hand-made resources of synthetic patients, and a small search index."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from adapter.fhir.json import loads
from adapter.fhir.search_params import SearchIndex
from adapter.mapper.engine import Mapped
from adapter.mapper.ids import resource_id
from adapter.store.database import Database, rows
from adapter.store.inbox import NewMessage
from adapter.store.members import Study
from adapter.store.merge import load_merge_rules
from adapter.store.reach import everything
from adapter.store.resources import ResourceWriter
from adapter.trial.study import DEPENDENT, load_study, subject_number, tie, untie

MAPPINGS = Path(__file__).parents[1] / "mappings"
SUBJECT = "https://fhir.tli-trial.example.org/NamingSystem/tli-subject"
MRN = "https://fhir.tli-trial.example.org/NamingSystem/fahzu-mrn"
RULES = load_merge_rules(MAPPINGS)
STUDY_RULES = load_study(MAPPINGS)
STUDY = Study(
    partial(subject_number, study=STUDY_RULES),
    partial(tie, study=STUDY_RULES, identify=resource_id),
    partial(untie, study=STUDY_RULES),
    DEPENDENT,
)
NOON = datetime(2018, 3, 1, 12, tzinfo=UTC)
EVERYTHING = everything(SearchIndex({}, {}, {}, {}, UTC))


@dataclass
class Found:
    """Index rows of one resource."""

    tokens: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    references: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    dates: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])
    strings: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    quantities: tuple[tuple[str, str, str, float, float, str, float, float], ...] = ()


class SmallIndex:
    """Finds resources by status and by subject."""

    @property
    def linked(self) -> dict[str, frozenset[str]]:
        """No row is made of two elements."""
        return {}

    def rows(self, resource: dict[str, Any]) -> Found:
        """The rows of one resource."""
        found = Found()
        if "status" in resource:
            found.tokens.append(("status", "", resource["status"]))
        if "subject" in resource:
            kind, _, number = resource["subject"]["reference"].partition("/")
            found.references.append(("subject", kind, number))
        return found


def mapped(resource: dict[str, Any], order: str = "2018-03-01T08:00:00+08:00", **more: Any) -> Mapped:
    """One resource as one message states it; `fill`, `defaults`, `cleared` as in `Mapped`."""
    subject = resource.get("subject", {}).get("reference", "").removeprefix("Patient/") or None
    how: dict[str, Any] = {"fill": False, "defaults": (), "cleared": (), "map": "hand", "patient_id": subject, **more}
    return Mapped(resource, order, **how)


def patient(number: str, *, subject: str = "", links: Sequence[str] = (), **elements: Any) -> dict[str, Any]:
    """A Patient, perhaps with a subject number and links."""
    identifiers = [{"system": MRN, "value": number}] + ([{"system": SUBJECT, "value": subject}] if subject else [])
    linked = [{"other": {"reference": f"Patient/{other}"}, "type": "seealso"} for other in links]
    more = {"link": linked} if linked else {}
    return {"resourceType": "Patient", "id": number, "identifier": identifiers, **more, **elements}


def observation(number: str, of: str = "p1", **elements: Any) -> dict[str, Any]:
    """An Observation of a patient."""
    content = {"status": "final", "code": {"text": "WBC"}, "subject": {"reference": f"Patient/{of}"}, **elements}
    return {"resourceType": "Observation", "id": number, **content}


def write(database: Database, *statements: Mapped, message_id: int = 1, now: datetime = NOON) -> int:
    """Write what one message says; how many versions were made."""
    with database.write() as connection:
        writer = ResourceWriter(connection, SmallIndex(), RULES, now, study=STUDY)
        for statement in statements:
            writer.put(statement, site="FAHZU", message_id=message_id)
        return writer.flush()


def stored(database: Database, kind: str, number: str) -> dict[str, Any]:
    """A stored resource without `meta`."""
    with database.read() as connection:
        found = rows(connection, "SELECT body FROM resource WHERE resource_type = ? AND id = ?", [kind, number])
    resource = loads(bytes(found[0][0]))
    del resource["meta"]
    return resource


def new_message(text: str, *, lane: str = "FAHZU|1", **more: Any) -> NewMessage:
    """A message for the inbox; its bytes are `text`."""
    fields: dict[str, Any] = {
        "site": "FAHZU",
        "channel": "fahzu",
        "transport": "mllp",
        "peer": "127.0.0.1",
        "control_id": text,
        "message_type": "ORU",
        "event": "R01",
        "structure": "ORU_R01",
        "version": "2.5.1",
        "encoding": "utf_8",
        "state": "received",
        "received_at": NOON,
        "ack_code": "CA",
        "ack": b"MSH|ack\r",
        "lane": lane,
        "raw": text.encode(),
        "sha256": sha256(text.encode()).digest(),
    }
    return NewMessage(**(fields | more))
