"""Of whom facts are to be derived."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger
from sqlmodel import Field

from adapter.store.tables.root import Table


class DerivationDue(Table, table=True):
    """A number of the study whose resources changed since its facts were derived, and when they changed last."""

    __tablename__: ClassVar[Any] = "derivation_due"

    number: str = Field(primary_key=True)
    changed: int = Field(sa_type=BigInteger)
