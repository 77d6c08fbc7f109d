"""The tab Upscale: the light table on the left, the few choices on the right.

What lies on the table is the browser's until the button is pressed: `static/upscale.js`. Here is
what the press sets off. Knows nothing of how a batch is done: the page follows it through `/live`.
"""

from dataclasses import asdict, dataclass
from typing import Annotated
from uuid import UUID

import gradio as gr
from pydantic import BaseModel, Field, StringConstraints

from app.settings import Settings
from db import batches
from inference.encoders import LONGEST_SIDE
from inference.options import DEFAULT_MODEL, Options
from pages.asking import Json, answers, part
from pages.choices import LONGEST_TARGET, Choices
from pages.models import labels
from pages.own_batches import show
from pages.uploads import own_uploads
from pages.visitor import Visitor
from tasks.estimates import forecast
from tasks.limits import Limits
from tasks.retrying import retry
from tasks.service import Service
from tasks.submissions import submit_batch


class Sent(BaseModel):
    """A picture whose bytes have arrived."""

    path: str
    orig_name: str


class Press(BaseModel):
    """One press of the button."""

    files: list[Sent]
    order: Choices
    key: Annotated[str, StringConstraints(min_length=16, max_length=64)]
    """Made by the browser, the same when a press is repeated because its answer was lost."""


class Which(BaseModel):
    """One picture, or those of a batch that are concerned."""

    batch: UUID
    job: UUID | None = None


class Ahead(BaseModel):
    """How many pictures may be handed in."""

    pictures: Annotated[int, Field(ge=1, le=1000)]


class Remember(BaseModel):
    """Choices that changed; null forgets one."""

    choices: Choices


@dataclass(frozen=True)
class UpscaleTab:
    """What is brought up to date when the page is opened."""

    choices: gr.HTML


def place_upscale(service: Service, settings: Settings) -> UpscaleTab:
    """Place the tab's parts, and let them work."""
    with gr.Row(elem_id="bench"):
        with gr.Column(scale=7, min_width=300, elem_id="table"):
            table = part("upscale", limits=limits(settings), models=labels(service))
        with gr.Column(scale=3, min_width=280, elem_id="rail"):
            choices = part(
                "choices",
                models=labels(service),
                defaults=defaults(),
                longest=LONGEST_TARGET,
                remembered={},
                forecast={},
            )
            part("deed")
    answers(
        table,
        {
            "submit": lambda visitor, what: submit(service, visitor, what),
            "cancel": lambda visitor, what: cancel(service, visitor, what),
            "retry": lambda visitor, what: try_again(service, visitor, what),
            "forecast": lambda visitor, what: foresee(service, visitor, what),
            "remember": lambda visitor, what: remember(service, visitor, what),
        },
    )
    return UpscaleTab(choices)


def on_load(service: Service, visitor: Visitor) -> gr.HTML:
    """The choices, brought up to date: models come and go while the service runs."""
    return gr.HTML(
        models=labels(service),
        remembered=Choices.remembered(service, visitor.user_id).model_dump(exclude_none=True),
        forecast=foresee(service, visitor, {"pictures": 1}),
    )


def submit(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{batch}`: the batch that this press made, or made before. Raises what is refused."""
    press = Press.model_validate(what)
    options = press.order.options()
    # Asked before the uploads are looked for: after a press that was answered into the void they
    # are gone, and the batch is there.
    batch_id = batches.find_by_key(service.store, visitor.user_id, press.key)
    if batch_id is None:
        uploads = own_uploads(service, visitor, [file.model_dump() for file in press.files])
        suffix = press.order.suffix is not False
        batch_id = submit_batch(
            service, visitor.user_id, uploads, options, press.key, suffix=suffix
        )
    return {"batch": show(service, visitor, batch_id)}


def cancel(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{batch}` as it is afterwards. Raises `NotFound`."""
    asked = Which.model_validate(what)
    batches.cancel(service.store, asked.batch, visitor.user_id, asked.job)
    return {"batch": show(service, visitor, asked.batch)}


def try_again(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{batch}`, in which one picture, or all that failed, wait again. Raises what `retry` does."""
    asked = Which.model_validate(what)
    retry(service, visitor.user_id, asked.batch, asked.job)
    return {"batch": show(service, visitor, asked.batch)}


def foresee(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{rates: {model: {pixels, measured}}, ahead, workers}`, see `tasks.estimates`."""
    pictures = Ahead.model_validate(what).pictures
    return asdict(forecast(service, visitor.user_id, pictures))


def remember(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{}`: the choices are kept."""
    Remember.model_validate(what).choices.remember(service, visitor.user_id)
    return {}


def defaults() -> Json:
    """What holds for who chooses nothing: the engine's own defaults."""
    options = Options()
    return {
        "model": DEFAULT_MODEL,
        "quality": options.quality,
        "metadata": options.metadata,
        "mark": options.mark,
        "suffix": True,
    }


def limits(settings: Settings) -> Json:
    """What the browser refuses by itself, to spare the way: the server refuses the same."""
    allowed = Limits.of(settings)
    return {
        "files": allowed.files,
        "bytes": allowed.file_bytes,
        "input_pixels": allowed.input_pixels,
        "output_pixels": allowed.output_pixels,
        "longest_side": LONGEST_SIDE,
    }
