"""${message}

Read before you commit it: a revision runs once, on databases that cannot be replaced. It must not
import the models (they will have moved on), must not delete what the retention has to delete with
a receipt, and must run on SQLite and on PostgreSQL.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
