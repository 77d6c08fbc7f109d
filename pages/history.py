"""The tab History: a row for each batch, also of those whose files are gone.

Knows nothing of the look: `static/history.js` draws what is answered here.
"""

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

import gradio as gr
from pydantic import BaseModel, StringConstraints

from db import history, views
from db.work import State
from inference.options import FORMATS, SCALES, Options
from pages import own_batches, shapes
from pages.asking import Json, answers, part
from pages.models import labels
from pages.visitor import Visitor
from tasks import names, orders
from tasks.again import submit_again
from tasks.deletion import delete_batch
from tasks.service import Service

STATES: dict[str, tuple[State, ...]] = {
    "": (),
    "open": (State.QUEUED, State.RUNNING),
    "succeeded": (State.SUCCEEDED,),
    "failed": (State.FAILED,),
    "canceled": (State.CANCELED,),
}
"""What the history can be asked for: batches with a picture in one of these states."""


class Place(BaseModel):
    """What is looked for in the history, where a page of it begins, and how long it is."""

    cursor: str | None = None
    limit: int = 20
    state: Literal["", "open", "succeeded", "failed", "canceled"] = ""
    model: Annotated[str, StringConstraints(max_length=120)] = ""
    search: Annotated[str, StringConstraints(max_length=200)] = ""


class Which(BaseModel):
    """One batch."""

    batch: UUID


class Settings(BaseModel):
    """What is otherwise when pictures run again. Without scale and long side, the size is as it
    was."""

    model: str
    scale: int | None = None
    long_side: int | None = None
    format: Literal["same", "png", "jpg", "webp"]
    quality: int

    def changed(self, before: Options) -> Options:
        """What the batch had, with these in their places. Raises `InvalidOptions`."""
        sized = before
        if self.scale is not None or self.long_side is not None:
            sized = replace(
                before, scale=self.scale, long_side=self.long_side, width=None, height=None
            )
        output_format = None if self.format == "same" else self.format
        # Who chooses a quality wants it to mean something.
        is_as_before = (output_format, self.quality) == (before.output_format, before.quality)
        return replace(
            sized,
            model=self.model,
            output_format=output_format,
            quality=self.quality,
            lossless=before.lossless and is_as_before,
            # Not every model has it.
            denoise=before.denoise if self.model == before.model else None,
        )


class Again(BaseModel):
    """A batch to run again; without settings as it was."""

    batch: UUID
    settings: Settings | None = None
    key: Annotated[str, StringConstraints(min_length=16, max_length=64)]
    """Made by the browser, the same when a press is repeated because its answer was lost."""


def place_history(service: Service) -> None:
    """Place the tab's part, and let it work."""
    with gr.Column(elem_id="past"):
        rows = part("history", models=labels(service), scales=SCALES, formats=FORMATS)
    answers(
        rows,
        {
            "page": lambda visitor, what: page(service, visitor, what),
            "delete": lambda visitor, what: delete(service, visitor, what),
            "again": lambda visitor, what: again(service, visitor, what),
        },
    )


def page(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{items, next_cursor, now, models, used}`: a page of what is looked for, the models, and the
    names of those that the visitor has batches of. Raises `InvalidCursor`."""
    place = Place.model_validate(what)
    found = own_batches.page(
        service,
        visitor,
        place.limit,
        place.cursor,
        states=STATES[place.state],
        model=place.model or None,
        search=names.one_line(place.search),
    )
    return found | {
        "now": shapes.iso(service.store.clock.now()),
        "models": labels(service),
        "used": history.models(service.store, visitor.user_id),
    }


def delete(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{batch}` without its files, with their receipts. Raises `NotFound`."""
    asked = Which.model_validate(what)
    delete_batch(service, asked.batch, visitor.user_id)
    return {"batch": own_batches.show(service, visitor, asked.batch)}


def again(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{batch}`: the new one, made of those originals that are still here. Raises what
    `submit_again` raises."""
    asked = Again.model_validate(what)
    options = None
    if asked.settings:
        before = views.show(service.store, asked.batch, visitor.user_id)
        options = asked.settings.changed(orders.options_of(before.jobs[0]))
    batch_id = submit_again(
        service, visitor.user_id, asked.batch, None, options, idempotency_key=asked.key
    )
    return {"batch": own_batches.show(service, visitor, batch_id)}
