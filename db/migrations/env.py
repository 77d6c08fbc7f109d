"""Runs revisions on the connection that `db/migrate.py` hands in, inside its transaction."""

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeDecorator


def plain_types(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Types of ours are written as what they are made of: a revision does not import the models."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


config = context.config
context.configure(
    connection=config.attributes["connection"],
    target_metadata=config.attributes["metadata"],
    # SQLite cannot alter a column: the table is written anew under its own name.
    render_as_batch=True,
    transactional_ddl=True,
    render_item=plain_types,
)
with context.begin_transaction():
    context.run_migrations()
