"""Of whom facts are to be derived: at first of everybody who is in the study already."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "derivation_due",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.execute("INSERT INTO derivation_due (number, changed) SELECT DISTINCT number, 0 FROM study_member")
