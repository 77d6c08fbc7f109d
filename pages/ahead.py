"""What the page asks for that is done ahead of the queue: tries and conversions.

A part without anything to see: whoever needs it imports `static/ahead.js`. Knows nothing of how it
is done; what becomes of it is told by `/live`, like everything else.
"""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

import gradio as gr
from pydantic import BaseModel, Field

from inference.options import Format, Options
from pages.asking import Act, Json, answers, part
from pages.own_batches import show
from pages.uploads import own_uploads
from pages.upscale import Sent, cancel
from pages.visitor import Visitor
from tasks.conversion import submit_conversion
from tasks.service import Service
from tasks.trying import LARGEST_SPOT, submit_try


class Try(BaseModel):
    """A spot, for every installed model, or for those that are named."""

    file: Sent
    models: list[str] | None = None


class Conversion(BaseModel):
    """The result of a job in another format."""

    job: UUID
    format: Format
    quality: Annotated[int, Field(ge=1, le=100)] = Options.quality


def place_ahead(service: Service) -> gr.HTML:
    """Place the part, and let it work."""
    ahead = part("ahead", spot=LARGEST_SPOT)
    answers(ahead, acts(service))
    return ahead


def acts(service: Service) -> Mapping[str, Act]:
    """`try`, `convert` and `stop`."""
    return {
        "try": lambda visitor, what: try_spot(service, visitor, what),
        "convert": lambda visitor, what: convert(service, visitor, what),
        "stop": lambda visitor, what: cancel(service, visitor, what),
    }


def try_spot(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{batch}`: a job for each model. Raises what is refused."""
    asked = Try.model_validate(what)
    (upload,) = own_uploads(service, visitor, [asked.file.model_dump()])
    batch_id = submit_try(service, visitor.user_id, upload, asked.models)
    return {"batch": show(service, visitor, batch_id)}


def convert(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{batch}`: one job, whose result is the file. Raises what is refused."""
    asked = Conversion.model_validate(what)
    batch_id = submit_conversion(service, visitor.user_id, asked.job, asked.format, asked.quality)
    return {"batch": show(service, visitor, batch_id)}
