"""The worklist of codes: what was sent and has no row in a table, and the messages that wait for one.

It holds what hospitals send in coded fields, which may be free text: so much of it as a person needs, for operators.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection

from adapter.store.database import marks, rows, run_many

LONGEST = 120
"""Signs of a code, or of the words beside it, that are kept."""

_EXAMPLES = 3
_COLUMNS = "key, site, kind, table_name, path, code, display"


@dataclass(frozen=True, slots=True)
class Lacking:
    """A code, unit or name of a coding system of one site that has no row in a table."""

    site: str
    kind: str
    table: str
    path: str
    code: str
    display: str

    @property
    def key(self) -> int:
        """The same for the same code of the same table, wherever it was sent."""
        said = "\x1f".join((self.site, self.kind, self.table, self.code))
        return int.from_bytes(sha256(said.encode("utf-8", "surrogatepass")).digest()[:8], "big", signed=True)


@dataclass(frozen=True, slots=True)
class Open:
    """One line of the worklist: how many messages wait, how often they hold the code, and some of them."""

    key: int
    lacking: Lacking
    messages: int
    count: int
    examples: tuple[int, ...]


def write(connection: Connection, found: Sequence[tuple[int, Sequence[Lacking]]]) -> None:
    """Say what each message waits for now; what it waited for before is forgotten.

    Args:
        connection: of the transaction that writes what became of the messages.
        found: the id of every message that was converted, with what has no row.
    """
    run_many(connection, "DELETE FROM waiting WHERE message_id = ?", sorted((number,) for number, _ in found))
    codes: dict[int, Lacking] = {}
    counted: Counter[tuple[int, int]] = Counter()
    for number, some in found:
        for one in some:
            codes.setdefault(one.key, one)
            counted[number, one.key] += 1
    # in one order, so that no two workers wait for each other
    values = [(key, one.site, one.kind, one.table, one.path, *_kept(one)) for key, one in sorted(codes.items())]
    sql = f"INSERT INTO open_code ({_COLUMNS}) VALUES ({marks('1234567')}) ON CONFLICT (key) DO NOTHING"
    run_many(connection, sql, values)
    some = [(number, key, times) for (number, key), times in sorted(counted.items())]
    run_many(connection, "INSERT INTO waiting (message_id, key, times) VALUES (?,?,?)", some)


def listing(connection: Connection, *, site: str = "", limit: int | None = None) -> list[Open]:
    """What is open, that for which most messages wait first."""
    where, values = ("WHERE c.site = ?", [site]) if site else ("", [])
    sql = f"""SELECT {", ".join(f"c.{name}" for name in _COLUMNS.split(", "))}, count(*) AS n, sum(w.times)
        FROM open_code AS c JOIN waiting AS w ON w.key = c.key {where} GROUP BY c.key
        ORDER BY n DESC, c.site, c.table_name, c.code {"LIMIT ?" if limit is not None else ""}"""
    found = rows(connection, sql, [*values, limit] if limit is not None else values)
    return [
        Open(key, Lacking(*said), int(messages), int(count), _examples(connection, key))
        for key, *said, messages, count in found
    ]


def waiting(connection: Connection, keys: Iterable[int]) -> list[int]:
    """The ids of the messages that wait for one of these codes, in the order in which they came."""
    found: set[int] = set()
    for key in keys:
        found |= {row[0] for row in rows(connection, "SELECT message_id FROM waiting WHERE key = ?", [key])}
    return sorted(found)


def _examples(connection: Connection, key: int) -> tuple[int, ...]:
    sql = "SELECT message_id FROM waiting WHERE key = ? ORDER BY message_id LIMIT ?"
    return tuple(row[0] for row in rows(connection, sql, [key, _EXAMPLES]))


def _kept(one: Lacking) -> tuple[str, str]:
    code, display = (text.replace("\x00", "\N{SYMBOL FOR NULL}")[:LONGEST] for text in (one.code, one.display))
    return code, display
