"""The tab Upscale: the light table on the left, the few choices on the right.

What lies on the table is the browser's until the button is pressed: `static/upscale.js`. Here is
what the press sets off. Knows nothing of how a batch is done: the page follows it through `/live`.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal
from uuid import UUID

import gradio as gr
from pydantic import BaseModel, StringConstraints

from app.settings import Settings
from db import batches, waiting
from inference.encoders import LONGEST_SIDE
from inference.options import DEFAULT_MODEL, DEFAULT_SCALE, SCALES, Options
from pages.asking import EVENT, Json, answers, part
from pages.models import labels
from pages.own_batches import show
from pages.uploads import own_uploads
from pages.visitor import Visitor
from tasks.limits import Limits
from tasks.service import Service
from tasks.submissions import submit_batch

SAME: Final = "same"
"""The choice of a format that keeps each picture's own."""

FORMATS = [("Same as original", SAME), ("PNG", "png"), ("JPEG", "jpg"), ("WebP", "webp")]

# What is chosen is told to the scripts of the page; the server learns it with the press.
_CHOSEN = """(model, scale, format) => {
  document.dispatchEvent(new CustomEvent("iu:order", { detail: { model, scale, format } }));
}"""


class Sent(BaseModel):
    """A picture whose bytes have arrived."""

    path: str
    orig_name: str


class Press(BaseModel):
    """One press of the button."""

    files: list[Sent]
    model: str
    scale: int
    format: Literal["same", "png", "jpg", "webp"]
    key: Annotated[str, StringConstraints(min_length=16, max_length=64)]
    """Made by the browser, the same when a press is repeated because its answer was lost."""


class Cancel(BaseModel):
    """One picture, or all of a batch that are not done."""

    batch: UUID
    job: UUID | None = None


@dataclass(frozen=True)
class UpscaleTab:
    """What is brought up to date when the page is opened."""

    model: gr.Radio
    deed: gr.HTML


def place_upscale(service: Service, settings: Settings) -> UpscaleTab:
    """Place the tab's parts, and let them work."""
    known = labels(service)
    with gr.Row(elem_id="bench"):
        with gr.Column(scale=7, min_width=300, elem_id="table"):
            table = part("upscale", limits=limits(settings), models=known)
        with gr.Column(scale=3, min_width=280, elem_id="rail"):
            with gr.Column(elem_id="choices"):
                model = model_choice(service)
                scale = gr.Radio(
                    [(f"{scale}×", scale) for scale in SCALES],
                    value=DEFAULT_SCALE,
                    label="Scale",
                    elem_id="scale",
                )
                kind = gr.Radio(FORMATS, value=SAME, label="Format", elem_id="format")
            order = {"model": model.value, "scale": DEFAULT_SCALE, "format": SAME}
            deed = part("deed", order=order, models=known, pace={})
    gr.on(
        [model.change, scale.change, kind.change], None, [model, scale, kind], js=_CHOSEN, **EVENT
    )
    answers(
        table,
        {
            "submit": lambda visitor, what: submit(service, visitor, what),
            "cancel": lambda visitor, what: cancel(service, visitor, what),
        },
    )
    return UpscaleTab(model, deed)


def on_load(service: Service) -> tuple[gr.Radio, gr.HTML]:
    """The tab's parts, brought up to date: models come and go while the service runs."""
    pace = dict(waiting.pace(service.store))
    return model_choice(service), gr.HTML(models=labels(service), pace=pace)


def submit(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{batch}`: the batch that this press made, or made before. Raises what is refused."""
    press = Press.model_validate(what)
    options = Options(
        model=press.model,
        scale=press.scale,
        output_format=None if press.format == SAME else press.format,
    )
    # Asked before the uploads are looked for: after a press that was answered into the void they
    # are gone, and the batch is there.
    batch_id = batches.find_by_key(service.store, visitor.user_id, press.key)
    if batch_id is None:
        uploads = own_uploads(service, visitor, [file.model_dump() for file in press.files])
        batch_id = submit_batch(service, visitor.user_id, uploads, options, press.key)
    return {"batch": show(service, visitor, batch_id)}


def cancel(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{batch}` as it is afterwards. Raises `NotFound`."""
    asked = Cancel.model_validate(what)
    batches.cancel(service.store, asked.batch, visitor.user_id, asked.job)
    return {"batch": show(service, visitor, asked.batch)}


def model_choice(service: Service) -> gr.Radio:
    """The choice of a model, with what is installed now."""
    installed = {name: label for name, label in labels(service).items() if label["installed"]}
    return gr.Radio(
        [(label["label"], name) for name, label in installed.items()],
        value=DEFAULT_MODEL if DEFAULT_MODEL in installed else next(iter(installed), None),
        label="Model",
        elem_id="model",
    )


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
