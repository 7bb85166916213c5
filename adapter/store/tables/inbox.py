"""The inbox and what belongs to it: messages, attempts, answers on their way, incidents, what people did."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field

from adapter.store.tables.root import KEY, Table


class Message(Table, table=True):
    """The inbox: every message as it came, its state, the answer it was given. The truth that all else follows.

    `flags` are words with blanks between them. `content` is a digest of the bytes without MSH-7 and MSH-10. Where
    `part_bytes` is not 0, so many bytes are in `message_part`, and `raw` is their slim form (`hl7v2/slim.py`).
    `mapping` is the version of the mappings by which it was converted, `replay_id` the replay that did it.
    """

    __tablename__: ClassVar[Any] = "message"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("site", "control_id", "sha256", name="uq_message_duplicate"),
        Index(
            "ix_message_ready",
            "id",
            sqlite_where=text("state = 'received'"),
            postgresql_where=text("state = 'received'"),
        ),
        Index(
            "ix_message_held",
            "lane",
            "id",
            sqlite_where=text("state = 'held'"),
            postgresql_where=text("state = 'held'"),
        ),
        Index(
            "ix_message_leased",
            "lane",
            sqlite_where=text("lease_owner IS NOT NULL"),
            postgresql_where=text("lease_owner IS NOT NULL"),
        ),
        # What is browsed is one range of this for each group, newest first (browse.py).
        Index("ix_message_state", "site", "state", "message_type", "event", "received_at"),
        Index(
            "ix_message_cause",
            *("cause_code", "received_at"),
            sqlite_where=text("cause_code <> ''"),
            postgresql_where=text("cause_code <> ''"),
        ),
        Index(
            "ix_message_flags",
            *("flags", "received_at"),
            sqlite_where=text("flags <> ''"),
            postgresql_where=text("flags <> ''"),
        ),
        Index("ix_message_content", "content"),
        Index(
            "ix_message_resend",
            "resend_of",
            sqlite_where=text("resend_of IS NOT NULL"),
            postgresql_where=text("resend_of IS NOT NULL"),
        ),
        Index(
            "ix_message_batch",
            "batch_id",
            sqlite_where=text("batch_id IS NOT NULL"),
            postgresql_where=text("batch_id IS NOT NULL"),
        ),
        # An id is never given twice, even after the newest row was removed (F27).
        {"sqlite_autoincrement": True},
    )

    id: int = Field(sa_type=KEY, primary_key=True)
    site: str
    channel: str
    transport: str
    peer: str
    control_id: str
    message_type: str
    event: str
    structure: str
    version: str
    encoding: str
    lane: str
    sha256: bytes = Field(sa_type=LargeBinary)
    state: str
    cause_code: str
    cause: str
    mender: str
    ack_code: str
    received_at: int = Field(sa_type=BigInteger)
    finished_at: int | None = Field(default=None, sa_type=BigInteger)
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    lease_owner: str | None = None
    lease_until: int | None = Field(default=None, sa_type=BigInteger)
    flags: str = Field(default="", sa_column_kwargs={"server_default": text("''")})
    ack_outcome: str = Field(default="", sa_column_kwargs={"server_default": text("''")})
    content: int | None = Field(default=None, sa_type=BigInteger)
    resend_of: int | None = Field(default=None, sa_type=BigInteger)
    batch_id: int | None = Field(default=None, sa_type=BigInteger)
    part_bytes: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})
    mapping: str = Field(default="", sa_column_kwargs={"server_default": text("''")})
    replay_id: int | None = Field(default=None, sa_type=BigInteger)
    ack: bytes | None = Field(default=None, sa_type=LargeBinary)
    raw: bytes = Field(sa_type=LargeBinary)


class MessageAttempt(Table, table=True):
    """The same bytes came again; they were answered with the stored acknowledgement (B14)."""

    __tablename__: ClassVar[Any] = "message_attempt"
    __table_args__: ClassVar[Any] = (Index("ix_message_attempt_message", "message_id"),)

    id: int = Field(sa_type=KEY, primary_key=True)
    message_id: int = Field(sa_type=BigInteger)
    channel: str
    transport: str
    peer: str
    received_at: int = Field(sa_type=BigInteger)


class MessagePart(Table, table=True):
    """A large message byte for byte, in parts of at most 1 MB, numbered from 0."""

    __tablename__: ClassVar[Any] = "message_part"

    message_id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    data: bytes = Field(sa_type=LargeBinary)


class Action(Table, table=True):
    """What a person did with a message: `requeue`, `release`, `split`, `view`, with the reason."""

    __tablename__: ClassVar[Any] = "action"
    __table_args__: ClassVar[Any] = (Index("ix_action_message", "message_id"),)

    id: int = Field(sa_type=KEY, primary_key=True)
    message_id: int = Field(sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger)
    actor: str
    kind: str
    detail: str


class Reply(Table, table=True):
    """An application acknowledgement on its way to the hospital (enhanced mode, HL7 v2.5.1 §2.9.3.2).

    `state` is `waiting`, `delivered` or `failed`; what waits is tried when it is `due_at`.
    """

    __tablename__: ClassVar[Any] = "reply"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("message_id", name="uq_reply_message"),
        Index(
            "ix_reply_due",
            "due_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    id: int = Field(sa_type=KEY, primary_key=True)
    message_id: int = Field(sa_type=BigInteger)
    site: str
    code: str
    control_id: str
    state: str
    attempts: int
    made_at: int = Field(sa_type=BigInteger)
    due_at: int = Field(sa_type=BigInteger)
    finished_at: int | None = Field(default=None, sa_type=BigInteger)
    failure: str
    payload: bytes = Field(sa_type=LargeBinary)


class Link(Table, table=True):
    """The sequence number (MSH-13) that was taken last on a channel of a site (HL7 v2.5.1 §2.10.1)."""

    __tablename__: ClassVar[Any] = "link"

    site: str = Field(primary_key=True)
    channel: str = Field(primary_key=True)
    last: int = Field(sa_type=BigInteger)


class Incident(Table, table=True):
    """Something that is not as it should be: one row from its beginning to its end, however often it happens."""

    __tablename__: ClassVar[Any] = "incident"
    __table_args__: ClassVar[Any] = (
        Index(
            "uq_incident_open",
            *("kind", "site", "channel", "peer"),
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: int = Field(sa_type=KEY, primary_key=True)
    kind: str
    site: str
    channel: str
    peer: str
    started_at: int = Field(sa_type=BigInteger)
    last_at: int = Field(sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    count: int = Field(sa_type=BigInteger)
    detail: str


class ConnectionEvent(Table, table=True):
    """Bytes that were no message: `partial`, `garbage` or `noise`."""

    __tablename__: ClassVar[Any] = "connection_event"

    id: int = Field(sa_type=KEY, primary_key=True)
    kind: str
    channel: str
    transport: str
    peer: str
    received_at: int = Field(sa_type=BigInteger)
    length: int = Field(sa_type=BigInteger)
    sha256: bytes = Field(sa_type=LargeBinary)
    raw: bytes = Field(sa_type=LargeBinary)


class Finding(Table, table=True):
    """What converting accepted messages found, counted: doubts, and (kind `unread`) fields that no rule read."""

    __tablename__: ClassVar[Any] = "finding"

    site: str = Field(primary_key=True)
    structure: str = Field(primary_key=True)
    path: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    text: str = Field(primary_key=True)
    count: int = Field(sa_type=BigInteger)
    example_message_id: int = Field(sa_type=BigInteger)
