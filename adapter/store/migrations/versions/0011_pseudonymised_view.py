"""The pseudonymised view: its resources, their versions, its search index, and what waits to be written to it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_DOUBLE: sa.Double[float] = sa.Double()
_BYTEWISE = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_BIG = sa.BigInteger()
_TEXT = sa.String()
_INDEXES: dict[str, list[tuple[str, Any]]] = {
    "token": [("code", _TEXT), ("key", _BIG), ("system", _TEXT)],
    "reference": [("target_id", _TEXT), ("key", _BIG), ("target_type", _TEXT)],
    "date": [("low", _BIG), ("key", _BIG), ("high", _BIG)],
    "string": [("value_normalised", _BYTEWISE), ("key", _BIG), ("value", _TEXT)],
    "quantity": [
        ("code", _TEXT),
        ("unit", _TEXT),
        ("low", _DOUBLE),
        ("key", _BIG),
        ("high", _DOUBLE),
        ("system", _TEXT),
        ("least", _DOUBLE),
        ("greatest", _DOUBLE),
    ],
}
_BY_KEY = ("date", "string", "quantity")


def upgrade() -> None:
    _resources()
    for kind, columns in _INDEXES.items():
        name = f"view_index_{kind}"
        every = [("param", _BIG), *columns]
        made = [sa.Column(column, of, nullable=False, autoincrement=False) for column, of in every]
        key = sa.PrimaryKeyConstraint(*(column.name for column in made))
        op.create_table(name, *made, key, sqlite_with_rowid=False)
        if kind in _BY_KEY:
            op.create_index(f"ix_{name}_key", name, ["key", "param"], unique=False)
    op.create_table(
        "view_due",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )


def _resources() -> None:
    op.create_table(
        "view_resource",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("resource_type", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_updated", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("patient_id", sa.String(), nullable=True),
        sa.Column("source_version", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("id", "resource_type", name="uq_view_resource_id"),
    )
    op.create_index(
        "ix_view_resource_current",
        "view_resource",
        ["resource_type", "key"],
        unique=False,
        sqlite_where=sa.text("NOT deleted"),
        postgresql_where=sa.text("NOT deleted"),
    )
    op.create_index("ix_view_resource_patient", "view_resource", ["patient_id"], unique=False)
    op.create_index("ix_view_resource_updated", "view_resource", ["resource_type", "last_updated", "key"], unique=False)
    op.create_table(
        "view_resource_history",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_updated", sa.BigInteger(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", "version"),
    )
