"""The resources, their versions, the search index, and who belongs to the study."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Double, Index, LargeBinary, String, UniqueConstraint, text
from sqlmodel import Field

from adapter.store.tables.root import KEY, Table

_Bytewise = String().with_variant(String(collation="C"), "postgresql")  # so that a prefix is a range of the index


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
        Index("ix_resource_message", "message_id"),
    )

    key: int = Field(sa_type=KEY, primary_key=True)
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
    __table_args__: ClassVar[Any] = (Index("ix_resource_history_message", "message_id"),)

    key: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    version: int = Field(primary_key=True)
    last_updated: int = Field(sa_type=BigInteger)
    site: str
    message_id: int = Field(sa_type=BigInteger)
    deleted: bool
    body: bytes = Field(sa_type=LargeBinary)


class Contribution(Table, table=True):
    """Which message says something of which resource, with a digest of what it said (`contributions.py`).

    The primary key begins with the message: rows are written to its end, and replay reads those of a message together.
    """

    __tablename__: ClassVar[Any] = "contribution"
    __table_args__: ClassVar[Any] = (Index("ix_contribution_key", "key", "message_id"), {"sqlite_with_rowid": False})

    message_id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    key: int = Field(sa_type=BigInteger, primary_key=True)
    digest: int = Field(sa_type=BigInteger)


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


class IndexQuantity(_Row, table=True):
    """Search parameters of type quantity, and composites of a code with a quantity or a date.

    `low` and `high` are in base units of UCUM (`fhir/quantities.py`), so that one range finds every unit; `least` and
    `greatest` are as they are written, for a search without a unit. `code` is empty where the parameter has none.
    """

    __tablename__: ClassVar[Any] = "index_quantity"
    __table_args__: ClassVar[Any] = (Index("ix_index_quantity_key", "key", "param"), {"sqlite_with_rowid": False})

    code: str = Field(primary_key=True)
    unit: str = Field(primary_key=True)
    low: float = Field(sa_type=Double, primary_key=True)
    key: int = Field(sa_type=BigInteger, primary_key=True)
    high: float = Field(sa_type=Double, primary_key=True)
    system: str = Field(primary_key=True)
    least: float = Field(sa_type=Double, primary_key=True)
    greatest: float = Field(sa_type=Double, primary_key=True)


class IndexVersion(Table, table=True):
    """By which search parameters the index of a resource type was written (a digest of them)."""

    __tablename__: ClassVar[Any] = "index_version"

    resource_type: str = Field(primary_key=True)
    digest: bytes = Field(sa_type=LargeBinary)


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
