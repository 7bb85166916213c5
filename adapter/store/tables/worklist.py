"""What analysts have to settle: codes without a row, and the messages that wait for one."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from adapter.store.tables.root import Table


class OpenCode(Table, table=True):
    """A code, unit or name of a coding system as one site sends it, without a row in `table_name`.

    `key` is a digest of site, kind, table and code. It is open while a row of `waiting` names it.
    """

    __tablename__: ClassVar[Any] = "open_code"

    key: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    site: str
    kind: str
    table_name: str
    path: str
    code: str
    display: str


class Waiting(Table, table=True):
    """A message that would say more if a code had a row, and how often it holds the code."""

    __tablename__: ClassVar[Any] = "waiting"
    __table_args__: ClassVar[Any] = (Index("ix_waiting_key", "key", "message_id"),)

    message_id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    key: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    times: int
