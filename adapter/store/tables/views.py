"""The pseudonymised view: resources as it shows them, their versions, and a search index of its own."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.sql import quoted_name
from sqlmodel import Field

from adapter.store.tables.root import METADATA, Table

PREFIX = "view_"

_INDEXES = ("index_token", "index_reference", "index_date", "index_string", "index_quantity")


class ViewResource(Table, table=True):
    """A resource as the view shows it, under an id of the view; `key` is that of the resource.

    One that the view does not show stands here as deleted. `source_version` says of which version it was made.
    """

    __tablename__: ClassVar[Any] = "view_resource"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("id", "resource_type", name="uq_view_resource_id"),
        Index(
            "ix_view_resource_current",
            "resource_type",
            "key",
            sqlite_where=text("NOT deleted"),
            postgresql_where=text("NOT deleted"),
        ),
        Index("ix_view_resource_patient", "patient_id"),
        Index("ix_view_resource_updated", "resource_type", "last_updated", "key"),
    )

    key: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    resource_type: str
    id: str
    version: int
    last_updated: int = Field(sa_type=BigInteger)
    digest: bytes = Field(sa_type=LargeBinary)
    site: str
    patient_id: str | None = None
    source_version: int
    deleted: bool
    body: bytes = Field(sa_type=LargeBinary)


class ViewResourceHistory(Table, table=True):
    """The older versions of what the view shows."""

    __tablename__: ClassVar[Any] = "view_resource_history"

    key: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    version: int = Field(primary_key=True)
    last_updated: int = Field(sa_type=BigInteger)
    site: str
    deleted: bool
    body: bytes = Field(sa_type=LargeBinary)


def _copy(name: str) -> None:
    """The same table for the view; names of indexes are one space for all tables."""
    made = METADATA.tables[name].to_metadata(METADATA, name=f"{PREFIX}{name}")
    for index in made.indexes:
        index.name = quoted_name(f"ix_{PREFIX}{str(index.name).removeprefix('ix_')}", quote=None)


for _name in _INDEXES:
    _copy(_name)
