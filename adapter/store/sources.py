"""The same result by two ways (catalogue E39, E40): which application said it, and which one is believed.

Only what two messages say with the same surety, and differently, is looked at: that is seldom, so that it may cost a
few queries.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from adapter.fhir.json import loads
from adapter.store.database import rows
from adapter.store.merge import Statement

_HEADER = 512  # bytes in which MSH-3 stands
_MESSAGE = f"SELECT substr(raw, 1, {_HEADER}), channel FROM message WHERE id = ?"
_VALUE = "value"


class Sources:
    """Which application sent which message; of one transaction."""

    def __init__(self, connection: Connection) -> None:
        """Nothing is known yet."""
        self._connection = connection
        self._known: dict[int, str] = {}

    def of(self, message_id: int) -> str:
        """MSH-3.1 of a message; the channel by which it came where that is empty."""
        if message_id not in self._known:
            found = rows(self._connection, _MESSAGE, [message_id])
            self._known[message_id] = _application(*found[0]) if found else ""
        return self._known[message_id]

    def stored(self, key: int) -> dict[str, Any]:
        """The body of a stored resource."""
        return loads(bytes(rows(self._connection, "SELECT body FROM resource WHERE key = ?", [key])[0][0]))


def doubtful(own: Statement, before: Statement | None) -> bool:
    """Whether two messages say the same thing equally surely."""
    return before is not None and own[0] >= 1 and own[0] == before[0] and own[2] != before[2]


def differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two statements of a result have different values."""
    return _value(one) != _value(other)


def believed(own: str, other: str, sources: Sequence[str]) -> bool | None:
    """Whether the first application is believed rather than the second; None where merge.yaml does not say."""
    if own not in sources or other not in sources:
        return None
    return sources.index(own) > sources.index(other)


def _value(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """The value alone; how a number is written (its extension, its unit as a word) makes no other value."""
    found = {name: value for name, value in resource.items() if name.startswith(_VALUE)}
    quantity = found.get("valueQuantity")
    if quantity:
        found["valueQuantity"] = {k: v for k, v in quantity.items() if k in {"value", "comparator", "code"}}
    return found


def _application(raw: Any, channel: str) -> str:
    text = bytes(raw).decode("latin-1").lstrip("\x0b\xef\xbb\xbf \r\n")
    fields = text.split(text[3:4] or "|")
    name = fields[2].split(text[4:5] or "^")[0] if len(fields) > 2 else ""
    return name or channel
