"""Messages as JSON objects: lines of a list, and everything that is known of one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from adapter.store import browse, incidents, record
from adapter.store.browse import Filter, Line
from adapter.store.database import Connection
from adapter.store.incident_kinds import KINDS


class Explain(Protocol):
    """What the bytes of a message say; made where HL7 v2 is known (`operate/explain.py`)."""

    def __call__(self, raw: bytes, *, site: str, ledger: bool, large: bool = False) -> Mapping[str, Any]:
        """Text, tree, readings; with `ledger` also issues, unmapped fields, lineage; `large`: it is a slim form."""
        ...

    def text(self, raw: bytes, *, codec: str) -> str:
        """The bytes as text, with visible control signs."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be told of a message beside its record: its contents, and the account of its conversion."""

    contents: bool = False
    ledger: bool = False


def page(connection: Connection, asked: Filter, *, before: int | None, limit: int) -> list[dict[str, Any]]:
    """List messages, the newest first, without contents."""
    return [line(one) for one in browse.page(connection, asked, before=before, limit=limit)]


def line(one: Line) -> dict[str, Any]:
    """A line of a list."""
    said = asdict(one.listed)
    message_type, event = said.pop("message_type"), said.pop("event")
    return _plain({**said, "type": f"{message_type}^{event}" if event else message_type, "flags": list(one.flags)})


def message(connection: Connection, number: int, *, explain: Explain, wanted: Wanted) -> dict[str, Any] | None:
    """Everything that is known of a message; None where there is none of this number."""
    found = record.find(connection, number)
    if found is None:
        return None
    row = dict(found.row)
    ack = row.pop("ack")
    row["flags"] = row["flags"].split()
    row["length"] = found.length
    said = _plain(row)
    said["ack"] = explain.text(ack, codec=row["encoding"]) if ack is not None else None
    said["linked"] = {name: [_plain(one) for one in some] for name, some in found.linked.items() if some}
    said |= {name: [_plain(one) for one in some] for name, some in found.own.items()}
    if wanted.contents:
        raw, large = record.slim(connection, number), bool(row["part_bytes"])
        said |= explain(raw, site=row["site"], ledger=wanted.ledger, large=large)
    return said


def open_incidents(connection: Connection, *, every: bool, limit: int) -> list[dict[str, Any]]:
    """The incidents that are open, or all, the newest first, with what each means and who mends it."""
    found = incidents.listing(connection, open_only=not every, limit=limit)
    return [_plain({**asdict(one), **_meaning(one.kind)}) for one in found]


def _meaning(kind: str) -> dict[str, str]:
    known = KINDS.get(kind)
    return {"text": known.text if known else "", "mender": known.mender if known else ""}


def _plain(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in said.items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return value
