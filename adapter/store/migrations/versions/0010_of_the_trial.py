"""What was derived from several hospitals' messages, and the accounts of replays, are for readers of all hospitals."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    made = "SELECT key FROM resource WHERE site = '' AND (patient_id IS NOT NULL OR resource_type = 'Provenance')"
    op.execute(f"UPDATE resource_history SET site = '*' WHERE site = '' AND key IN ({made})")
    op.execute(f"UPDATE resource SET site = '*' WHERE key IN ({made})")
