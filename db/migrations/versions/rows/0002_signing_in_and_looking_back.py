"""Signing in, and looking back.

A table for sign-ins that have begun; indexes in the order in which a user's batches, jobs and
acknowledgements are asked for, in place of those on the user alone; and no `csrf_hash` any more:
requests from other sites are refused by their origin.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in",
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("secret_hash", name=op.f("pk_sign_in")),
    )
    op.create_index(op.f("ix_sign_in_expires_at"), "sign_in", ["expires_at"], unique=False)

    # Both databases can do this without writing the table anew.
    op.drop_column("session", "csrf_hash")

    for table, then in (
        ("acknowledgement", ["at"]),
        ("batch", ["created_at", "id"]),
        ("job", ["finished_at"]),
    ):
        columns = ["user_id", *then]
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns, unique=False)
        op.drop_index(op.f(f"ix_{table}_user_id"), table)
