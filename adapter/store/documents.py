"""Where a document lies: found by the resource that names it, read from the message that brought it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from adapter.fhir.json import loads
from adapter.fhir.search_parameter import parameter_number
from adapter.store.database import Database, rows
from adapter.store.reach import Reach
from adapter.store.visible import and_visible

_REPORTS = """SELECT r.key, r.body FROM index_token AS i JOIN resource AS r ON r.key = i.key
    WHERE i.param = ? AND i.code = ? AND NOT r.deleted"""
_MESSAGES = """SELECT id, site, raw, part_bytes FROM message WHERE id IN (
    SELECT message_id FROM resource WHERE key = ? UNION SELECT message_id FROM resource_history WHERE key = ?)
    ORDER BY id DESC"""
_PART = "SELECT data FROM message_part WHERE message_id = ? AND number = ?"


@dataclass(frozen=True, slots=True)
class Source:
    """A message that may hold a document; `raw` is its slim form where it is `large`, `media` what the report says."""

    message_id: int
    site: str
    raw: bytes
    large: bool
    media: str


def sources(connection: Connection, reach: Reach, url: str) -> Iterator[Source]:
    """The messages that made the reports in which an Attachment has this url, the newest first."""
    parameter = parameter_number("DiagnosticReport", "document")
    seen, values = and_visible(reach, "DiagnosticReport", "r")
    for key, body in rows(connection, _REPORTS + seen, [parameter, url, *values]):
        forms: list[dict[str, Any]] = loads(bytes(body)).get("presentedForm", [])
        media = next((form.get("contentType", "") for form in forms if form.get("url") == url), "")
        for message_id, site, raw, part_bytes in rows(connection, _MESSAGES, [key, key]):
            yield Source(message_id, site, bytes(raw), bool(part_bytes), media)


def parts(database: Database, message_id: int) -> Iterator[bytes]:
    """A large message byte for byte, part by part; no transaction lasts longer than one part."""
    number = 0
    while True:
        with database.read() as connection:
            found = rows(connection, _PART, [message_id, number])
        if not found:
            return
        yield bytes(found[0][0])
        number += 1
