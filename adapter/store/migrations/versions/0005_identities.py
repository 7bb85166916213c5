"""Merged numbers, the journal of merges, what held messages wait for."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "redirect",
        sa.Column("source_id", sa.String(), nullable=False),
        sa.Column("resource_type", sa.String(), nullable=False),
        sa.Column("moves", sa.Boolean(), nullable=False),
        sa.Column("target_id", sa.String(), nullable=False),
        sa.Column("via_id", sa.String(), nullable=False),
        sa.Column("until", sa.String(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "resource_type", "moves"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_redirect_target", "redirect", ["target_id"], unique=False)
    op.create_table(
        "identity_journal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("resource_type", sa.String(), nullable=False),
        sa.Column("source_id", sa.String(), nullable=False),
        sa.Column("target_id", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_identity_journal_message", "identity_journal", ["message_id"], unique=False)
    op.create_index("ix_identity_journal_source", "identity_journal", ["source_id"], unique=False)
    op.create_table(
        "awaited",
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("resource_type", sa.String(), nullable=False),
        sa.Column("resource_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "what", "resource_type", "resource_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_awaited_resource", "awaited", ["resource_id"], unique=False)
