"""Tries, conversions, what is remembered and what admins do.

Batches and jobs say what they are for; a conversion names the job whose result it converts. Tokens
may be for reading only. More choices are remembered, sign-ins are counted by the day, and deeds of
admins are written down.

On SQLite the tables are written anew, which keeps their rows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KINDS = "kind IN ('upscale', 'try', 'convert')"


def _kind() -> sa.Column[str]:
    return sa.Column("kind", sa.String(length=16), server_default="upscale", nullable=False)


def upgrade() -> None:
    with op.batch_alter_table("batch") as batch_op:
        batch_op.add_column(_kind())
        batch_op.create_check_constraint(op.f("ck_batch_kind"), _KINDS)
    with op.batch_alter_table("job") as batch_op:
        batch_op.add_column(_kind())
        batch_op.add_column(sa.Column("source_id", sa.Uuid(), nullable=True))
        batch_op.create_check_constraint(op.f("ck_job_kind"), _KINDS)
        batch_op.create_check_constraint(
            op.f("ck_job_source"), "(kind = 'convert') = (source_id IS NOT NULL)"
        )
        batch_op.create_foreign_key(
            op.f("fk_job_source_id_job"), "job", ["source_id"], ["id"], ondelete="CASCADE"
        )
        batch_op.create_index(batch_op.f("ix_job_source_id"), ["source_id"], unique=False)
    with op.batch_alter_table("token") as batch_op:
        batch_op.add_column(
            sa.Column("scope", sa.String(length=8), server_default="write", nullable=False)
        )
        batch_op.create_check_constraint(op.f("ck_token_scope"), "scope IN ('read', 'write')")
    with op.batch_alter_table("preference") as batch_op:
        batch_op.drop_constraint(op.f("ck_preference_key"), type_="check")
        batch_op.create_check_constraint(
            op.f("ck_preference_key"),
            "key IN ('theme', 'model', 'scale', 'width', 'height', 'long_side', "
            "'output_format', 'quality', 'lossless', 'bits', 'metadata', 'mark', 'suffix', "
            "'denoise', 'precision', 'notify', 'result_mail')",
        )
    with op.batch_alter_table("daily_count") as batch_op:
        batch_op.drop_constraint(op.f("ck_daily_count_dimension"), type_="check")
        batch_op.create_check_constraint(
            op.f("ck_daily_count_dimension"),
            "dimension IN ('all', 'original', 'result', 'preview', 'export', 'x2', "
            "'x3', 'x4', 'x8', 'x16', 'target', 'png', 'jpg', 'webp', 'page', 'api', "
            "'history', 'viewer', 'try', 'convert')",
        )
        batch_op.drop_constraint(op.f("ck_daily_count_metric"), type_="check")
        batch_op.create_check_constraint(
            op.f("ck_daily_count_metric"),
            "metric IN ('submitted', 'succeeded', 'failed', 'canceled', 'deleted', "
            "'downloaded', 'feature', 'signed_in')",
        )
    op.create_table(
        "admin_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("deed", sa.String(length=16), nullable=False),
        sa.Column("concerned", sa.String(length=120), nullable=False),
        sa.CheckConstraint(
            "deed IN ('model_pulled', 'model_added', 'model_removed', 'model_checked')",
            name=op.f("ck_admin_event_deed"),
        ),
        sa.ForeignKeyConstraint(
            ["actor_id"],
            ["user.id"],
            name=op.f("fk_admin_event_actor_id_user"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admin_event")),
    )
    op.create_index(op.f("ix_admin_event_at"), "admin_event", ["at"], unique=False)
    op.create_index(op.f("ix_admin_event_actor_id"), "admin_event", ["actor_id"], unique=False)
