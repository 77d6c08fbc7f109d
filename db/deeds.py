"""What admins did in office: written down when it was done, and kept for three years.

Knows the admin's id, a word for the deed, and the name of the model that it concerned.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select

from db.store import Store
from db.upkeep import AdminEvent, Deed

_SHOWN = 50


@dataclass(frozen=True)
class Done:
    at: datetime
    actor_id: UUID | None
    """None once they have left."""
    deed: Deed
    concerned: str


def record(store: Store, actor_id: UUID, deed: Deed, concerned: str) -> None:
    """The deed is done."""
    with store.writing() as rows:
        rows.execute(
            insert(AdminEvent).values(
                at=store.clock.now(), actor_id=actor_id, deed=deed, concerned=concerned[:120]
            )
        )


def latest(store: Store, limit: int = _SHOWN) -> list[Done]:
    """The newest first."""
    with store.reading() as rows:
        found = rows.execute(
            select(AdminEvent.at, AdminEvent.actor_id, AdminEvent.deed, AdminEvent.concerned)
            .order_by(AdminEvent.at.desc(), AdminEvent.id)
            .limit(limit)
        ).all()
    return [Done(row.at, row.actor_id, Deed(row.deed), row.concerned) for row in found]
