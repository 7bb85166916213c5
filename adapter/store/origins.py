"""Which messages a resource, or one version of it, came from; and all that one message made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapter.store import contributions
from adapter.store.bulk import parts
from adapter.store.database import instant, marks, rows
from adapter.store.lanes import Claimed, stored
from adapter.store.names import Name

_AT_ONCE = 500
_KEYS = "SELECT key FROM resource WHERE id = ?"
_MADE = """SELECT message_id FROM resource WHERE key = ? AND version = ?
    UNION SELECT message_id FROM resource_history WHERE key = ? AND version = ?"""
_SPOKE = """SELECT message_id FROM contribution WHERE key = ?
    UNION SELECT message_id FROM resource WHERE key = ?
    UNION SELECT message_id FROM resource_history WHERE key = ?"""
_FACTS = "id, control_id, message_type, event, structure, version, sha256, mapping, finished_at"


@dataclass(frozen=True, slots=True)
class Wish:
    """A resource that is asked for; no `type` means any, no `version` means all of them."""

    type: str
    id: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """A message, and what is stored because of it.

    `versions` are those that it made, `said` the digest of what it says of each resource, whether that changed it.
    """

    claimed: Claimed
    control_id: str
    kind: str
    sha256: str
    mapping: str
    finished_at: datetime
    versions: Mapping[Name, Sequence[int]]
    said: Mapping[Name, int]

    @property
    def names(self) -> list[Name]:
        """All resources that it made, changed or confirmed."""
        return sorted({*self.versions, *self.said})


def numbers(connection: Connection, wish: Wish) -> set[int]:
    """The messages that say something of this resource, or that made this version; never the store's own."""
    typed = " AND resource_type = ?" if wish.type else ""
    found: set[int] = set()
    for (key,) in rows(connection, _KEYS + typed, [wish.id, *([wish.type] if wish.type else [])]):
        asked = (_SPOKE, [key] * 3) if wish.version is None else (_MADE, [key, wish.version] * 2)
        found.update(number for (number,) in rows(connection, *asked))
    return {number for number in found if number > 0}


def of_sites(connection: Connection, asked: Iterable[int], sites: Iterable[str] | None) -> list[int]:
    """Those of these messages that came from these hospitals, in order; None: from any."""
    if sites is None:
        return sorted(asked)
    found: list[int] = []
    for some in parts(sorted(asked), _AT_ONCE):
        sql = f"SELECT id FROM message WHERE id IN ({marks(some)}) AND site IN ({marks(named := sorted(sites))})"
        found += [number for (number,) in rows(connection, f"{sql} ORDER BY id", [*some, *named])]
    return found


def origins(connection: Connection, asked: Iterable[int]) -> list[Origin]:
    """These messages, in order; without those that are not there, were not mapped, or made nothing."""
    found: list[Origin] = []
    for some in parts(sorted(asked), _AT_ONCE):
        claimed, said, made = (
            stored(connection, some),
            contributions.of_messages(connection, some),
            _made(connection, some),
        )
        sql = f"SELECT {_FACTS} FROM message WHERE id IN ({marks(some)}) AND finished_at IS NOT NULL ORDER BY id"
        for number, control_id, kind, event, structure, version, sha256, mapping, finished in rows(
            connection, sql, some
        ):
            if number in said or number in made:
                known = made.get(number, {}), said.get(number, {})
                title = f"{'^'.join(filter(None, (kind, event, structure)))} {version}".rstrip()
                hashed, at = bytes(sha256).hex(), instant(finished)
                found.append(Origin(claimed[number], control_id, title, hashed, mapping, at, *known))
    return found


def _made(connection: Connection, some: Sequence[int]) -> dict[int, dict[Name, list[int]]]:
    """The versions that each of these messages made, by resource."""
    sql = f"""SELECT message_id, resource_type, id, version FROM resource WHERE message_id IN ({marks(some)})
        UNION ALL SELECT h.message_id, r.resource_type, r.id, h.version FROM resource_history AS h
        JOIN resource AS r ON r.key = h.key WHERE h.message_id IN ({marks(some)}) ORDER BY 1, 2, 3, 4"""
    found: dict[int, dict[Name, list[int]]] = {}
    values: list[Any] = [*some, *some]
    for number, kind, name, version in rows(connection, sql, values):
        found.setdefault(number, {}).setdefault((kind, name), []).append(version)
    return found
