"""The tab History: a row for each batch, also of those whose files are gone.

Knows nothing of the look: `static/history.js` draws what is answered here.
"""

from uuid import UUID

import gradio as gr
from pydantic import BaseModel

from pages import own_batches, shapes
from pages.asking import Json, answers, part
from pages.models import labels
from pages.visitor import Visitor
from tasks.deletion import delete_batch
from tasks.service import Service


class Place(BaseModel):
    """Where a page of the history begins, and how long it is."""

    cursor: str | None = None
    limit: int = 20


class Which(BaseModel):
    """One batch."""

    batch: UUID


def place_history(service: Service) -> None:
    """Place the tab's part, and let it work."""
    with gr.Column(elem_id="past"):
        rows = part("history", models=labels(service))
    answers(
        rows,
        {
            "page": lambda visitor, what: page(service, visitor, what),
            "delete": lambda visitor, what: delete(service, visitor, what),
        },
    )


def page(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{items, next_cursor, now}`. Raises `InvalidCursor`."""
    place = Place.model_validate(what)
    found = own_batches.page(service, visitor, place.limit, place.cursor)
    return found | {"now": shapes.iso(service.store.clock.now())}


def delete(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{batch}` without its files, with their receipts. Raises `NotFound`."""
    asked = Which.model_validate(what)
    delete_batch(service, asked.batch, visitor.user_id)
    return {"batch": own_batches.show(service, visitor, asked.batch)}
