"""A visitor's batches as JSON, for the tabs and the API alike.

Knows whose they are and nothing of who asks how: `pages.shapes` has the form.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from db import history, views
from db.work import State
from pages import shapes
from pages.visitor import Visitor
from tasks.service import Service

Json = dict[str, Any]


def show(service: Service, visitor: Visitor, batch_id: UUID) -> Json:
    """One batch. Raises `NotFound`, also for somebody else's."""
    view = views.show(service.store, batch_id, visitor.user_id)
    return shapes.batch(view, service.store.clock.now())


def page(
    service: Service,
    visitor: Visitor,
    limit: int,
    cursor: str | None,
    *,
    states: Collection[State] = (),
    model: str | None = None,
    search: str = "",
) -> Json:
    """`{items, next_cursor}`, the newest first, as `db.history.page` finds them. Raises
    `InvalidCursor`."""
    found = history.page(
        service.store,
        visitor.user_id,
        limit=limit,
        cursor=cursor,
        states=states,
        model=model,
        search=search,
    )
    now = service.store.clock.now()
    return {
        "items": [shapes.batch(view, now) for view in found.items],
        "next_cursor": found.next_cursor,
    }
