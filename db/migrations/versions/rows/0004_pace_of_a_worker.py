"""How fast a worker's machine is, measured as it began: the first estimates come of it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("worker") as batch_op:
        batch_op.add_column(sa.Column("paced_model", sa.String(length=120), nullable=True))
        batch_op.add_column(sa.Column("pace", sa.Float(precision=53), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("worker") as batch_op:
        batch_op.drop_column("pace")
        batch_op.drop_column("paced_model")
