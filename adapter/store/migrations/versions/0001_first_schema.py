"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "connection_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("transport", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "index_date",
        sa.Column("param", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("param", "low", "key", "high"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_index_date_key", "index_date", ["key", "param"], unique=False)
    op.create_table(
        "index_reference",
        sa.Column("param", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("target_id", sa.String(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("target_type", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("param", "target_id", "key", "target_type"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "index_string",
        sa.Column("param", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value_normalised", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("param", "value_normalised", "key", "value"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_index_string_key", "index_string", ["key", "param"], unique=False)
    op.create_table(
        "index_token",
        sa.Column("param", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("param", "code", "key", "system"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "message",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("transport", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("control_id", sa.String(), nullable=False),
        sa.Column("message_type", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("structure", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("encoding", sa.String(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("cause_code", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("mender", sa.String(), nullable=False),
        sa.Column("ack_code", sa.String(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("ack", sa.LargeBinary(), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("site", "control_id", "sha256", name="uq_message_duplicate"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_message_held",
        "message",
        ["lane", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_index(
        "ix_message_leased",
        "message",
        ["lane"],
        unique=False,
        sqlite_where=sa.text("lease_owner IS NOT NULL"),
        postgresql_where=sa.text("lease_owner IS NOT NULL"),
    )
    op.create_index(
        "ix_message_ready",
        "message",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'received'"),
        postgresql_where=sa.text("state = 'received'"),
    )
    op.create_index("ix_message_state", "message", ["site", "state", "message_type", "event"], unique=False)
    op.create_table(
        "message_attempt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("transport", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_message_attempt_message", "message_attempt", ["message_id"], unique=False)
    op.create_table(
        "patient_link",
        sa.Column("patient_id", sa.String(), nullable=False),
        sa.Column("other_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("patient_id", "other_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "resource",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("resource_type", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_updated", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("as_of", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("patient_id", sa.String(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("id", "resource_type", name="uq_resource_id"),
    )
    op.create_index(
        "ix_resource_current",
        "resource",
        ["resource_type", "key"],
        unique=False,
        sqlite_where=sa.text("NOT deleted"),
        postgresql_where=sa.text("NOT deleted"),
    )
    op.create_index("ix_resource_patient", "resource", ["patient_id", "resource_type"], unique=False)
    op.create_index("ix_resource_updated", "resource", ["resource_type", "last_updated", "key"], unique=False)
    op.create_table(
        "resource_history",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_updated", sa.BigInteger(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", "version"),
    )
    op.create_table(
        "study_member",
        sa.Column("patient_id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("patient_id"),
    )
    op.create_table(
        "finding",
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("structure", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("example_message_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "structure", "path", "kind", "text"),
    )


def downgrade() -> None:
    op.drop_table("finding")
    op.drop_table("study_member")
    op.drop_table("resource_history")
    op.drop_index("ix_resource_updated", table_name="resource")
    op.drop_index("ix_resource_patient", table_name="resource")
    op.drop_index("ix_resource_current", table_name="resource")
    op.drop_table("resource")
    op.drop_table("patient_link")
    op.drop_index("ix_message_attempt_message", table_name="message_attempt")
    op.drop_table("message_attempt")
    op.drop_index("ix_message_state", table_name="message")
    op.drop_index("ix_message_ready", table_name="message")
    op.drop_index("ix_message_leased", table_name="message")
    op.drop_index("ix_message_held", table_name="message")
    op.drop_table("message")
    op.drop_table("index_token")
    op.drop_index("ix_index_string_key", table_name="index_string")
    op.drop_table("index_string")
    op.drop_table("index_reference")
    op.drop_index("ix_index_date_key", table_name="index_date")
    op.drop_table("index_date")
    op.drop_table("connection_event")
