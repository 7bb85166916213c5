"""The tables. These classes are the schema alone: hot paths speak SQL, and no object of them is ever made there.

Times are microseconds since 1970 in UTC, so that both databases compare and index them alike. Large columns stand
last, so that SQLite reads the small ones without them.
"""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, MetaData, String, UniqueConstraint, text
from sqlmodel import Field, SQLModel

METADATA = MetaData()
_Key = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER is SQLite's own row id
_Bytewise = String().with_variant(String(collation="C"), "postgresql")  # so that a prefix is a range of the index


class Table(SQLModel):
    """Root of the tables, with a catalogue of their own."""

    metadata = METADATA


class Message(Table, table=True):
    """The inbox: every message as it came, its state, the answer it was given. The truth that all else follows."""

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
        Index("ix_message_state", "site", "state", "message_type", "event"),
        # An id is never given twice, even after the newest row was removed (F27).
        {"sqlite_autoincrement": True},
    )

    id: int = Field(sa_type=_Key, primary_key=True)
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
    ack: bytes | None = Field(default=None, sa_type=LargeBinary)
    raw: bytes = Field(sa_type=LargeBinary)


class MessageAttempt(Table, table=True):
    """The same bytes came again; they were answered with the stored acknowledgement (B14)."""

    __tablename__: ClassVar[Any] = "message_attempt"
    __table_args__: ClassVar[Any] = (Index("ix_message_attempt_message", "message_id"),)

    id: int = Field(sa_type=_Key, primary_key=True)
    message_id: int = Field(sa_type=BigInteger)
    channel: str
    transport: str
    peer: str
    received_at: int = Field(sa_type=BigInteger)


class ConnectionEvent(Table, table=True):
    """Bytes that were no message: `partial`, `garbage` or `noise`."""

    __tablename__: ClassVar[Any] = "connection_event"

    id: int = Field(sa_type=_Key, primary_key=True)
    kind: str
    channel: str
    transport: str
    peer: str
    received_at: int = Field(sa_type=BigInteger)
    length: int = Field(sa_type=BigInteger)
    sha256: bytes = Field(sa_type=LargeBinary)
    raw: bytes = Field(sa_type=LargeBinary)


class Resource(Table, table=True):
    """The current version of every resource; `body` is the whole FHIR JSON.

    `key` grows and stays the same over all versions; it stands for type and id wherever a resource is meant. Numbers
    that grow are written to the end of an index; a UUID is written somewhere into it, to a page of its own.
    """

    __tablename__: ClassVar[Any] = "resource"
    __table_args__: ClassVar[Any] = (
        # An id is of one type, hardly ever of two: first in the index, it finds resources of all types at once.
        UniqueConstraint("id", "resource_type", name="uq_resource_id"),
        Index(
            "ix_resource_current",
            "resource_type",
            "key",
            sqlite_where=text("NOT deleted"),
            postgresql_where=text("NOT deleted"),
        ),
        Index("ix_resource_patient", "patient_id", "resource_type"),
        Index("ix_resource_updated", "resource_type", "last_updated", "key"),
    )

    key: int = Field(sa_type=_Key, primary_key=True)
    resource_type: str
    id: str
    version: int
    last_updated: int = Field(sa_type=BigInteger)
    digest: bytes = Field(sa_type=LargeBinary)
    as_of: str
    site: str
    patient_id: str | None = None
    message_id: int = Field(sa_type=BigInteger)
    deleted: bool
    body: bytes = Field(sa_type=LargeBinary)


class ResourceHistory(Table, table=True):
    """The older versions."""

    __tablename__: ClassVar[Any] = "resource_history"

    key: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    version: int = Field(primary_key=True)
    last_updated: int = Field(sa_type=BigInteger)
    site: str
    message_id: int = Field(sa_type=BigInteger)
    deleted: bool
    body: bytes = Field(sa_type=LargeBinary)


class _Row(Table):
    """A row of the search index.

    `param` says for which resource type and search parameter (`parameter_number`), `key` which resource. The primary
    key begins with what is looked for and goes on with `key`: a search is one range, in the order of resources.
    """

    param: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})


class IndexToken(_Row, table=True):
    """Search parameters of type token."""

    __tablename__: ClassVar[Any] = "index_token"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    code: str = Field(primary_key=True)
    key: int = Field(sa_type=BigInteger, primary_key=True)
    system: str = Field(primary_key=True)


class IndexReference(_Row, table=True):
    """Search parameters of type reference."""

    __tablename__: ClassVar[Any] = "index_reference"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    target_id: str = Field(primary_key=True)
    key: int = Field(sa_type=BigInteger, primary_key=True)
    target_type: str = Field(primary_key=True)


class IndexDate(_Row, table=True):
    """Search parameters of type date: the first and the last microsecond that the value may mean.

    A range of dates does not lead to one resource, so that a second index must: it grows at its end.
    """

    __tablename__: ClassVar[Any] = "index_date"
    __table_args__: ClassVar[Any] = (Index("ix_index_date_key", "key", "param"), {"sqlite_with_rowid": False})

    low: int = Field(sa_type=BigInteger, primary_key=True)
    key: int = Field(sa_type=BigInteger, primary_key=True)
    high: int = Field(sa_type=BigInteger, primary_key=True)


class IndexString(_Row, table=True):
    """Search parameters of type string; a second index for the same reason as with dates."""

    __tablename__: ClassVar[Any] = "index_string"
    __table_args__: ClassVar[Any] = (Index("ix_index_string_key", "key", "param"), {"sqlite_with_rowid": False})

    value_normalised: str = Field(sa_type=_Bytewise, primary_key=True)
    key: int = Field(sa_type=BigInteger, primary_key=True)
    value: str = Field(primary_key=True)


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


class StudyMember(Table, table=True):
    """Patients of the trial. `number` is the Patient's own subject or donor number, else that of a linked one."""

    __tablename__: ClassVar[Any] = "study_member"

    patient_id: str = Field(primary_key=True)
    number: str
    own: bool


class PatientLink(Table, table=True):
    """Patient.link, in both directions, so that membership is found from either end."""

    __tablename__: ClassVar[Any] = "patient_link"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    patient_id: str = Field(primary_key=True)
    other_id: str = Field(primary_key=True)
