"""Who may ask: tokens, of which only the digest stands here; and the secrets of the installation."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, LargeBinary
from sqlmodel import Field

from adapter.store.tables.root import Table


class AccessToken(Table, table=True):
    """A token that was given out, by its SHA-256; `sites` are codes with blanks between them, `*` for all."""

    __tablename__: ClassVar[Any] = "access_token"

    digest: bytes = Field(sa_type=LargeBinary, primary_key=True)
    client: str = Field(index=True)
    role: str
    sites: str
    scope: str
    expires: int = Field(sa_type=BigInteger)


class Secret(Table, table=True):
    """A secret that is made once, such as the key that seals cursors."""

    __tablename__: ClassVar[Any] = "secret"

    name: str = Field(primary_key=True)
    value: bytes = Field(sa_type=LargeBinary)
