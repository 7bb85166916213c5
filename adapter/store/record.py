"""Everything that is known of one message: how it came, what was answered, what belongs to it, what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapter.store.database import instant, rows

PART = 1024 * 1024
"""Bytes of a large message in one row of `message_part`."""

_MOST = 100  # rows of one kind that are shown
_HEAD = (
    *("id", "site", "channel", "transport", "peer", "control_id", "message_type", "event", "structure", "version"),
    *("encoding", "lane", "sha256", "state", "cause_code", "cause", "mender", "ack_code", "ack_outcome"),
    *("received_at", "finished_at", "attempts", "flags", "lease_owner", "lease_until", "resend_of", "batch_id"),
    *("part_bytes", "mapping", "replay_id", "ack"),
)
_TIMES = frozenset(
    {"received_at", "finished_at", "lease_until", "at", "made_at", "due_at", "last_updated", "started_at"}
)
_LINK = "id, site, state, message_type, event, control_id, received_at, ack_code"
_LINKS = {
    "resend_of": f"SELECT {_LINK} FROM message WHERE id = ?",
    "resends": f"SELECT {_LINK} FROM message WHERE resend_of = ? ORDER BY id LIMIT {_MOST}",
    "same_control_id": f"""SELECT {_LINK} FROM message WHERE site = ? AND control_id = ? AND id <> ?
        ORDER BY id DESC LIMIT {_MOST}""",
    "batch": f"SELECT {_LINK} FROM message WHERE id = ?",
    "in_batch": f"SELECT {_LINK} FROM message WHERE batch_id = ? ORDER BY id LIMIT {_MOST}",
}
_OWN = {
    "resent": f"""SELECT received_at, channel, transport, peer FROM message_attempt WHERE message_id = ?
        ORDER BY id LIMIT {_MOST}""",
    "actions": f"SELECT at, actor, kind, detail FROM action WHERE message_id = ? ORDER BY id LIMIT {_MOST}",
    "reply": """SELECT code, control_id, state, attempts, made_at, due_at, finished_at, failure
        FROM reply WHERE message_id = ?""",
    "replay": """SELECT id, mapping, actor, reason, started_at, finished_at FROM replay
        WHERE id = (SELECT replay_id FROM message WHERE id = ?)""",
    "resources": f"""SELECT resource_type, id, version, last_updated, deleted FROM resource WHERE message_id = ?
        UNION ALL SELECT r.resource_type, r.id, h.version, h.last_updated, h.deleted FROM resource_history AS h
        JOIN resource AS r ON r.key = h.key WHERE h.message_id = ? ORDER BY 1, 2, 3 LIMIT {_MOST}""",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One message: its row by column, its length, and the rows that belong to it, by what they are."""

    row: dict[str, Any]
    length: int
    linked: dict[str, list[dict[str, Any]]]
    own: dict[str, list[dict[str, Any]]]

    @property
    def received_at(self) -> datetime:
        """When it came."""
        return self.row["received_at"]


def find(connection: Connection, number: int) -> Record | None:
    """Read a message without its bytes; None where there is none of this number."""
    found = rows(connection, f"SELECT {','.join(_HEAD)}, length(raw) FROM message WHERE id = ?", [number])
    if not found:
        return None
    *values, length = found[0]
    row = _named(_HEAD, values)
    own = {name: _rows(connection, sql, [number] * sql.count("?")) for name, sql in _OWN.items()}
    return Record(row, row["part_bytes"] or length, _linked(connection, row), own)


def content(connection: Connection, number: int, *, start: int = 0, length: int | None = None) -> bytes:
    """The bytes of a message exactly as they came, or a piece of them.

    Args:
        connection: of a reading transaction.
        number: the message.
        start: the first byte.
        length: how many; None: all that follow.
    """
    (kept,) = rows(connection, "SELECT part_bytes, raw FROM message WHERE id = ?", [number])
    if not kept[0]:
        end = None if length is None else start + length
        return bytes(kept[1])[start:end]
    last = kept[0] if length is None else start + length
    sql = "SELECT data FROM message_part WHERE message_id = ? AND number BETWEEN ? AND ? ORDER BY number"
    parts = rows(connection, sql, [number, start // PART, max(last - 1, 0) // PART])
    skipped = start - start // PART * PART
    return b"".join(bytes(data) for (data,) in parts)[skipped : skipped + last - start]


def slim(connection: Connection, number: int) -> bytes:
    """The bytes that are converted: of a large message its slim form."""
    (kept,) = rows(connection, "SELECT raw FROM message WHERE id = ?", [number])
    return bytes(kept[0])


def _linked(connection: Connection, row: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    number = row["id"]
    asked: dict[str, list[Any]] = {"resends": [number], "in_batch": [number]}
    if row["resend_of"]:
        asked["resend_of"] = [row["resend_of"]]
    if row["batch_id"]:
        asked["batch"] = [row["batch_id"]]
    if row["control_id"]:
        asked["same_control_id"] = [row["site"], row["control_id"], number]
    return {name: _rows(connection, _LINKS[name], values) for name, values in asked.items()}


def _rows(connection: Connection, sql: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    # The driver tells no names through `rows`; each statement names its own columns first.
    names = [name.strip().rpartition(".")[2] for name in sql.partition("SELECT ")[2].partition(" FROM")[0].split(",")]
    return [_named(names, row) for row in rows(connection, sql, values)]


def _named(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    named = {name.split()[-1]: value for name, value in zip(names, row, strict=True)}
    for name, value in named.items():
        if name in _TIMES and value is not None:
            named[name] = instant(value)
    return named
