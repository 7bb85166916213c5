"""What all tables share."""

from sqlalchemy import BigInteger, Integer, MetaData
from sqlmodel import SQLModel

METADATA = MetaData()
KEY = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER is SQLite's own row id


class Table(SQLModel):
    """Root of the tables, with a catalogue of their own."""

    metadata = METADATA
