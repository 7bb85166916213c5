"""Of whom facts are to be derived, and the pseudonymised view to be written."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger
from sqlmodel import Field

from adapter.store.tables.root import Table


class _Due(Table):
    """A number of the study whose resources changed since, and when they changed last."""

    number: str = Field(primary_key=True)
    changed: int = Field(sa_type=BigInteger)


class DerivationDue(_Due, table=True):
    """Since its facts were derived."""

    __tablename__: ClassVar[Any] = "derivation_due"


class ViewDue(_Due, table=True):
    """Since it was written to the pseudonymised view."""

    __tablename__: ClassVar[Any] = "view_due"
