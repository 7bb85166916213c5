"""The index of quantities, and by which search parameters the index was written."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_DOUBLE: sa.Double[float] = sa.Double()


def upgrade() -> None:
    op.create_table(
        "index_quantity",
        sa.Column("param", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("low", _DOUBLE, nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("high", _DOUBLE, nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("least", _DOUBLE, nullable=False),
        sa.Column("greatest", _DOUBLE, nullable=False),
        sa.PrimaryKeyConstraint("param", "code", "unit", "low", "key", "high", "system", "least", "greatest"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_index_quantity_key", "index_quantity", ["key", "param"], unique=False)
    op.create_table(
        "index_version",
        sa.Column("resource_type", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("resource_type"),
    )
