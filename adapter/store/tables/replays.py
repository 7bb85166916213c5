"""Replays: what was converted again, how far it is, and what became of the resources."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger
from sqlmodel import Field

from adapter.store.tables.root import KEY, Table


class Replay(Table, table=True):
    """One replay; it may be stopped and go on.

    `asked` is its filter as JSON. `up_to` is the last message that counts, `last` the last that was done. `state` is
    `open` or `done`. `tally` counts messages by what became of them, as JSON.
    """

    __tablename__: ClassVar[Any] = "replay"

    id: int = Field(sa_type=KEY, primary_key=True)
    asked: str
    mapping: str
    actor: str
    reason: str
    state: str
    up_to: int = Field(sa_type=BigInteger)
    last: int = Field(sa_type=BigInteger)
    started_at: int = Field(sa_type=BigInteger)
    finished_at: int | None = Field(default=None, sa_type=BigInteger)
    tally: str


class ReplayChange(Table, table=True):
    """A resource that a replay changed: `new`, `changed` or `removed`, and the newest version that it made."""

    __tablename__: ClassVar[Any] = "replay_change"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    replay_id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    key: int = Field(sa_type=BigInteger, primary_key=True)
    kind: str
    version: int
