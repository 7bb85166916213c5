"""Which message says what of which resource; the mappings' version of a message; replays."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NEW = (
    sa.Column("mapping", sa.String(), server_default=sa.text("''"), nullable=False),
    sa.Column("replay_id", sa.BigInteger(), nullable=True),
)


def upgrade() -> None:
    _widen_message()
    op.create_table(
        "contribution",
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_contribution_key", "contribution", ["key", "message_id"], unique=False)
    # What was written before says which message made which version; what it said is not known (UNKNOWN).
    op.execute(
        """INSERT INTO contribution (message_id, key, digest)
        SELECT message_id, key, 0 FROM resource UNION SELECT message_id, key, 0 FROM resource_history"""
    )
    op.create_table(
        "replay",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("asked", sa.String(), nullable=False),
        sa.Column("mapping", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("up_to", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("tally", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "replay_change",
        sa.Column("replay_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("replay_id", "key"),
        sqlite_with_rowid=False,
    )


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
