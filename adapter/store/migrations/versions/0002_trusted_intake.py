"""Flags, outcomes and parts of messages; application acknowledgements; sequence numbers; incidents; actions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NEW = (
    sa.Column("flags", sa.String(), server_default=sa.text("''"), nullable=False),
    sa.Column("ack_outcome", sa.String(), server_default=sa.text("''"), nullable=False),
    sa.Column("content", sa.BigInteger(), nullable=True),
    sa.Column("resend_of", sa.BigInteger(), nullable=True),
    sa.Column("batch_id", sa.BigInteger(), nullable=True),
    sa.Column("part_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
)


def upgrade() -> None:
    _widen_message()
    _browse()
    op.create_index("ix_message_content", "message", ["content"], unique=False)
    op.create_table(
        "message_part",
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "number"),
    )
    op.create_table(
        "action",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_action_message", "action", ["message_id"], unique=False)
    op.create_table(
        "reply",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("control_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("failure", sa.String(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message_id", name="uq_reply_message"),
    )
    op.create_index(
        "ix_reply_due",
        "reply",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "link",
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "channel"),
    )
    op.create_table(
        "incident",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "uq_incident_open",
        "incident",
        ["kind", "site", "channel", "peer"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _browse() -> None:
    """What operators ask for: groups of messages by time, causes, flags, what belongs to a message."""
    op.drop_index("ix_message_state", table_name="message")
    group = ["site", "state", "message_type", "event", "received_at"]
    op.create_index("ix_message_state", "message", group, unique=False)
    for name, columns, where in (
        ("ix_message_cause", ["cause_code", "received_at"], "cause_code <> ''"),
        ("ix_message_flags", ["flags", "received_at"], "flags <> ''"),
        ("ix_message_resend", ["resend_of"], "resend_of IS NOT NULL"),
        ("ix_message_batch", ["batch_id"], "batch_id IS NOT NULL"),
    ):
        some = sa.text(where)
        op.create_index(name, "message", columns, unique=False, sqlite_where=some, postgresql_where=some)
    op.create_index("ix_resource_message", "resource", ["message_id"], unique=False)
    op.create_index("ix_resource_history_message", "resource_history", ["message_id"], unique=False)


def _widen_message() -> None:
    if op.get_context().dialect.name != "sqlite":
        for column in _NEW:
            op.add_column("message", column)
        return
    # Small columns stand before large ones, so that SQLite reads them alone: the table is written anew.
    kept = {"sqlite_autoincrement": True}
    with op.batch_alter_table("message", recreate="always", table_kwargs=kept) as message:
        for column in _NEW:
            message.add_column(column, insert_before="ack")
