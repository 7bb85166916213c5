"""Which numbers are of one record, what was done to make it so, and what held messages wait for."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from adapter.store.tables.root import KEY, Table


class Redirect(Table, table=True):
    """A resource that was merged into another (`until` is empty), or of which something was moved to a patient.

    `target_id` is the last of a chain, `via_id` what the message itself named. What was said of a moved resource
    before `until` is of the Patient `target_id`; merges last for ever.
    """

    __tablename__: ClassVar[Any] = "redirect"
    __table_args__: ClassVar[Any] = (Index("ix_redirect_target", "target_id"), {"sqlite_with_rowid": False})

    source_id: str = Field(primary_key=True)
    resource_type: str = Field(primary_key=True)
    moves: bool = Field(primary_key=True)
    target_id: str
    via_id: str
    until: str
    message_id: int = Field(sa_type=BigInteger)


class IdentityJournal(Table, table=True):
    """What merges, changes and moves did; rows are only ever added.

    `action`: `applied`, `again` (there was nothing to do), `went` (a later message of the retired number) or
    `reversed`. `detail` is JSON: the resources that were re-pointed, and the survivor as it was before.
    """

    __tablename__: ClassVar[Any] = "identity_journal"
    __table_args__: ClassVar[Any] = (
        Index("ix_identity_journal_message", "message_id"),
        Index("ix_identity_journal_source", "source_id"),
    )

    id: int = Field(sa_type=KEY, primary_key=True)
    at: int = Field(sa_type=BigInteger)
    message_id: int = Field(sa_type=BigInteger)
    action: str
    kind: str
    resource_type: str
    source_id: str
    target_id: str
    detail: str


class Awaited(Table, table=True):
    """What releases a held message by itself: that a resource is `stored`, or that a patient is `enrolled`."""

    __tablename__: ClassVar[Any] = "awaited"
    __table_args__: ClassVar[Any] = (Index("ix_awaited_resource", "resource_id"), {"sqlite_with_rowid": False})

    message_id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    what: str = Field(primary_key=True)
    resource_type: str = Field(primary_key=True)
    resource_id: str = Field(primary_key=True)
