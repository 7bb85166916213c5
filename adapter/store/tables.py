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


class _Version(Table):
    """What a version of a resource is stored with."""

    resource_type: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    version: int
    last_updated: int = Field(sa_type=BigInteger)
    digest: bytes = Field(sa_type=LargeBinary)
    as_of: str
    site: str
    patient_id: str | None = None
    message_id: int = Field(sa_type=BigInteger)
    deleted: bool
    body: bytes = Field(sa_type=LargeBinary)


class Resource(_Version, table=True):
    """The current version of every resource; `body` is the whole FHIR JSON."""

    __tablename__: ClassVar[Any] = "resource"
    __table_args__: ClassVar[Any] = (
        Index("ix_resource_patient", "patient_id", "resource_type"),
        Index("ix_resource_updated", "resource_type", "last_updated", "id"),
    )


class ResourceHistory(_Version, table=True):
    """The older versions."""

    __tablename__: ClassVar[Any] = "resource_history"

    version: int = Field(primary_key=True)


class IndexToken(Table, table=True):
    """Search parameters of type token."""

    __tablename__: ClassVar[Any] = "index_token"
    __table_args__: ClassVar[Any] = (
        Index("ix_index_token_resource", "resource_type", "resource_id"),
        {"sqlite_with_rowid": False},
    )

    resource_type: str = Field(primary_key=True)
    param: str = Field(primary_key=True)
    code: str = Field(primary_key=True)
    system: str = Field(primary_key=True)
    resource_id: str = Field(primary_key=True)


class IndexReference(Table, table=True):
    """Search parameters of type reference."""

    __tablename__: ClassVar[Any] = "index_reference"
    __table_args__: ClassVar[Any] = (
        Index("ix_index_reference_resource", "resource_type", "resource_id"),
        {"sqlite_with_rowid": False},
    )

    resource_type: str = Field(primary_key=True)
    param: str = Field(primary_key=True)
    target_id: str = Field(primary_key=True)
    target_type: str = Field(primary_key=True)
    resource_id: str = Field(primary_key=True)


class IndexDate(Table, table=True):
    """Search parameters of type date: the first and the last microsecond that the value may mean."""

    __tablename__: ClassVar[Any] = "index_date"
    __table_args__: ClassVar[Any] = (
        Index("ix_index_date_resource", "resource_type", "resource_id"),
        {"sqlite_with_rowid": False},
    )

    resource_type: str = Field(primary_key=True)
    param: str = Field(primary_key=True)
    low: int = Field(sa_type=BigInteger, primary_key=True)
    high: int = Field(sa_type=BigInteger, primary_key=True)
    resource_id: str = Field(primary_key=True)


class IndexString(Table, table=True):
    """Search parameters of type string."""

    __tablename__: ClassVar[Any] = "index_string"
    __table_args__: ClassVar[Any] = (
        Index("ix_index_string_resource", "resource_type", "resource_id"),
        {"sqlite_with_rowid": False},
    )

    resource_type: str = Field(primary_key=True)
    param: str = Field(primary_key=True)
    value_normalised: str = Field(sa_type=_Bytewise, primary_key=True)
    value: str = Field(primary_key=True)
    resource_id: str = Field(primary_key=True)


class Unmapped(Table, table=True):
    """Populated fields that no rule read, counted."""

    __tablename__: ClassVar[Any] = "unmapped"

    site: str = Field(primary_key=True)
    structure: str = Field(primary_key=True)
    path: str = Field(primary_key=True)
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
