"""The inbox: what came, byte for byte, what was answered, and in which state it is.

States: `received` (waits for a worker: `lanes.py`), then one of `mapped`, `unmapped` (kept; no map for its structure
yet), `held` (waits for a person); or from the start `ignored` or `rejected`. A `fragment` waits for the others and is
`joined` with them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from operator import attrgetter
from typing import Any, Protocol

from sqlalchemy import Connection

from adapter.errors import Refusal
from adapter.hl7v2.continuation import Fragment
from adapter.store.database import ARRIVED, instant, marks, micros, rows, run_many

Key = tuple[str, str, bytes]
"""What makes two messages the same: site, MSH-10, SHA-256 of the bytes."""

REFUSALS = frozenset({"AE", "AR", "CE", "CR"})
"""The answers of which a message is `rejected` (HL7 table 0008)."""

_AT_ONCE = 64  # messages in one statement; longer ones gain nothing


class Judge(Protocol):
    """Judges a message anew with what only the inbox knows; asked inside of the transaction that stores."""

    @property
    def strict(self) -> bool:
        """Whether MSH-10 of another message is refused (B15)."""
        ...

    @property
    def sequence(self) -> int | None:
        """MSH-13, where the protocol of sequence numbers is followed (B34)."""
        ...

    @property
    def fragment(self) -> Fragment | None:
        """The place of a fragment (B38)."""
        ...

    def again(self, refusal: Refusal | None, expected: int | None = None) -> "NewMessage":
        """The message with this refusal, its answer with the expected sequence number."""
        ...

    def whole(self, raw: bytes) -> "NewMessage":
        """The message of which this was the last fragment, judged by its joined text."""
        ...


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to store; the fields of MSH are texts for people and for search, `raw` is the truth.

    `unique` says that its site promises to use no MSH-10 twice. Without `ack_code` the answer is not known yet.
    Of a large one `part_bytes` are stored already, under the id that is `reserved` for it (`parts.py`).
    """

    site: str
    channel: str
    transport: str
    peer: str
    control_id: str
    message_type: str
    event: str
    structure: str
    version: str
    lane: str
    sha256: bytes
    raw: bytes
    encoding: str
    state: str
    received_at: datetime
    cause_code: str = ""
    cause: str = ""
    mender: str = ""
    ack_code: str = ""
    ack: bytes | None = None
    flags: str = ""
    content: int | None = None
    resend_of: int | None = None
    unique: bool = False
    judge: Judge | None = None
    reserved: int = 0
    part_bytes: int = 0

    @property
    def key(self) -> Key:
        """What a duplicate is known by."""
        return (_text(self.site), _text(self.control_id), self.sha256)


@dataclass(frozen=True, slots=True)
class StoredAck:
    """The answer that the first of equal messages was given."""

    message_id: int
    ack_code: str
    ack: bytes | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the inbox has under some MSH-10: the answers, and the digests of all that have the same site and MSH-10.

    One that was refused has used no MSH-10 up.
    """

    acks: dict[Key, StoredAck]
    used: dict[tuple[str, str], set[bytes]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """The same message came again."""

    message_id: int
    channel: str
    transport: str
    peer: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Bytes that were no message; `kind` is `partial`, `garbage` or `noise`."""

    kind: str
    channel: str
    transport: str
    peer: str
    received_at: datetime
    raw: bytes


@dataclass(frozen=True, slots=True)
class Count:
    """How many messages of one site and type are in one state."""

    site: str
    state: str
    message_type: str
    event: str
    messages: int


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a list of messages."""

    id: int
    site: str
    state: str
    message_type: str
    event: str
    control_id: str
    received_at: datetime
    attempts: int
    ack_code: str
    cause_code: str
    cause: str
    mender: str


_NEW = (
    *("site", "channel", "transport", "peer", "control_id", "message_type", "event", "structure", "version", "lane"),
    *("sha256", "raw", "encoding", "state", "received_at", "cause_code", "cause", "mender", "ack_code", "ack"),
    *("flags", "content", "resend_of"),
)
_LISTED = (
    *("id", "site", "state", "message_type", "event", "control_id", "received_at", "attempts", "ack_code"),
    *("cause_code", "cause", "mender"),
)
_ATTEMPT = ("message_id", "channel", "transport", "peer", "received_at")
_EVENT = ("kind", "channel", "transport", "peer", "received_at", "raw")
_FILTERS = frozenset({"site", "state", "message_type", "event", "control_id", "cause_code"})


def find_duplicate(connection: Connection, keys: Sequence[Key]) -> dict[Key, StoredAck]:
    """Find which of these messages (`NewMessage.key`) are stored already, with the answer they were given."""
    known = look_up(connection, keys).acks
    return {key: known[key] for key in keys if key in known}


def look_up(connection: Connection, keys: Sequence[Key], *, other_site: str = "") -> Known:
    """Find what is known under the MSH-10 of these messages (`NewMessage.key`), also of this other site."""
    found: dict[Key, StoredAck] = {}
    for some in _parts(keys):
        sites, numbers = sorted({other_site, *[key[0] for key in some]}), sorted({key[1] for key in some})
        sql = f"""SELECT site, control_id, sha256, id, ack_code, ack FROM message
            WHERE site IN ({marks(sites)}) AND control_id IN ({marks(numbers)})"""
        for site, control_id, digest, number, code, ack in rows(connection, sql, [*sites, *numbers]):
            found[(site, control_id, bytes(digest))] = StoredAck(number, code, None if ack is None else bytes(ack))
    used: dict[tuple[str, str], set[bytes]] = {}
    for key, stored in found.items():
        if stored.ack_code not in REFUSALS:
            used.setdefault(key[:2], set()).add(key[2])
    return Known(found, used)


def find_contents(connection: Connection, contents: Sequence[int]) -> dict[int, int]:
    """Find the first message of each of these contents (`NewMessage.content`)."""
    found: dict[int, int] = {}
    for some in _parts(contents):
        sql = f"SELECT content, min(id) FROM message WHERE content IN ({marks(some)}) GROUP BY content"
        found |= dict(rows(connection, sql, some))
    return found


def insert(connection: Connection, messages: Sequence[NewMessage]) -> list[int]:
    """Store messages in this order.

    Returns:
        Their ids. A message that is there already is not stored again: its id is that of the first.
    """
    ids: dict[Key, int] = {}
    for some in _parts([one for one in messages if not one.reserved]):
        ids |= _inserted(connection, some, {name: name for name in _NEW})
    for one in messages:
        if one.reserved:
            ids |= _inserted(connection, [one], {"id": "reserved", "part_bytes": "part_bytes"} | {n: n for n in _NEW})
    keys = [one.key for one in messages]
    if missing := [key for key in keys if key not in ids]:
        ids |= {key: stored.message_id for key, stored in find_duplicate(connection, missing).items()}
    if any(one.state == "received" for one in messages):
        announce(connection)
    return [ids[key] for key in keys]


def _inserted(connection: Connection, messages: Sequence[NewMessage], columns: Mapping[str, str]) -> dict[Key, int]:
    values = ",".join([f"({marks([*columns])})"] * len(messages))
    sql = f"""INSERT INTO message ({",".join(columns)}) VALUES {values}
        ON CONFLICT (site, control_id, sha256) DO NOTHING RETURNING id, site, control_id, sha256"""
    names = tuple(columns.values())
    made = rows(connection, sql, [value for one in messages for value in _values(one, names)])
    return {(site, control_id, bytes(digest)): number for number, site, control_id, digest in made}


def record_attempt(connection: Connection, attempts: Sequence[Attempt]) -> None:
    """Note that messages came again."""
    sql = f"INSERT INTO message_attempt ({','.join(_ATTEMPT)}) VALUES ({marks(_ATTEMPT)})"
    run_many(connection, sql, [_values(one, _ATTEMPT) for one in attempts])


def record_undelivered(connection: Connection, ids: Sequence[int]) -> None:
    """Note that the answers to these messages did not reach their senders (A18)."""
    run_many(connection, "UPDATE message SET ack_outcome = 'undelivered' WHERE id = ?", [(one,) for one in ids])


def record_event(connection: Connection, events: Sequence[Event]) -> None:
    """Keep bytes that were no message."""
    sql = f"INSERT INTO connection_event ({','.join(_EVENT)}, length, sha256) VALUES ({marks(_EVENT)},?,?)"
    run_many(connection, sql, [(*_values(one, _EVENT), len(one.raw), sha256(one.raw).digest()) for one in events])


def counts(connection: Connection) -> list[Count]:
    """How many messages are in which state, by site and type."""
    columns = "site, state, message_type, event"
    sql = f"SELECT {columns}, count(*) FROM message GROUP BY {columns} ORDER BY {columns}"
    return [Count(*row) for row in rows(connection, sql)]


def events(connection: Connection, *, limit: int) -> list[Event]:
    """What came that was no message, the newest first; of the bytes only the first."""
    columns = "kind, channel, transport, peer, received_at, substr(raw, 1, 32)"
    found = rows(connection, f"SELECT {columns} FROM connection_event ORDER BY id DESC LIMIT ?", [limit])
    return [
        Event(kind, channel, transport, peer, instant(received), bytes(raw))
        for kind, channel, transport, peer, received, raw in found
    ]


def listing(connection: Connection, filters: Mapping[str, str], *, before: int | None, limit: int) -> list[Listed]:
    """List messages, the newest first.

    Args:
        connection: of a transaction.
        filters: column and the value it must have: site, state, message_type, event, control_id, cause_code.
        before: the id of the last line of the page before.
        limit: lines on a page.

    Raises:
        KeyError: a filter that is not offered.
    """
    if unknown := filters.keys() - _FILTERS:
        raise KeyError(*unknown)
    terms = [f"{column} = ?" for column in filters] + (["id < ?"] if before is not None else [])
    where = f"WHERE {' AND '.join(terms)}" if terms else ""
    values = [*filters.values(), *([before] if before is not None else []), limit]
    found = rows(connection, f"SELECT {','.join(_LISTED)} FROM message {where} ORDER BY id DESC LIMIT ?", values)
    lines: list[dict[str, Any]] = [dict(zip(_LISTED, row, strict=True)) for row in found]
    for line in lines:
        line["received_at"] = instant(line["received_at"])
    return [Listed(**line) for line in lines]


def add_findings(connection: Connection, counted: Iterable[tuple[str, str, str, str, str, int, int]]) -> None:
    """Add to the counts of findings: (site, structure, path, kind, text, count, example message id)."""
    key = "site, structure, path, kind, text"
    sql = f"""INSERT INTO finding ({key}, count, example_message_id) VALUES ({marks("1234567")})
        ON CONFLICT ({key}) DO UPDATE SET count = finding.count + excluded.count"""
    run_many(connection, sql, sorted(counted))  # in one order, so that no two workers wait for each other


def add_flags(connection: Connection, flags: Mapping[int, Iterable[str]]) -> None:
    """Add flags to messages; one that is there already stays as it is."""
    for some in _parts(sorted(flags)):
        known = rows(connection, f"SELECT id, flags FROM message WHERE id IN ({marks(some)})", some)
        now = [(" ".join(dict.fromkeys([*said.split(), *sorted(flags[number])])), number) for number, said in known]
        run_many(connection, "UPDATE message SET flags = ? WHERE id = ?", now)


def announce(connection: Connection) -> None:
    """Wake the workers, of this process and of others, once this transaction is committed."""
    connection.info[ARRIVED] = True
    if connection.dialect.name == "postgresql":
        rows(connection, "SELECT pg_notify(?, '')", [ARRIVED])


def _values(record: object, names: Sequence[str]) -> tuple[Any, ...]:
    values: tuple[Any, ...] = attrgetter(*names)(record)
    return tuple([_column(value) for value in values])


def _column(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    return micros(value) if isinstance(value, datetime) else value


def _text(value: str) -> str:
    """PostgreSQL's text has no NUL; `raw` keeps it."""
    return value.replace("\x00", "\N{SYMBOL FOR NULL}") if "\x00" in value else value


def _parts(all_of: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (all_of[start : start + _AT_ONCE] for start in range(0, len(all_of), _AT_ONCE))
