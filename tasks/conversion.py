"""A finished result in another format, without upscaling again.

Asking for it is `submit_conversion`; a worker does it with `convert`. What is made lives exactly as
long as what it is made of. Imports no torch: what memory there is, the worker says.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from db import batches, conversions, files, jobs
from db.conversions import Source
from db.store import Store
from db.work import Kind, Role, State
from inference import conversion, encoders, image_io
from inference.conversion import Converted
from inference.geometry import Size
from inference.options import Format, Options
from tasks import orders
from tasks.heartbeat import Heartbeat
from tasks.service import Service


@dataclass(frozen=True)
class Room:
    """What a conversion may take."""

    pixels: int = image_io.DEFAULT_MAX_OUTPUT_PIXELS
    bytes_free: int | None = None
    """None: what is free."""


_IN_VAIN = (State.FAILED, State.CANCELED)


def submit_conversion(
    service: Service, user_id: UUID, job_id: UUID, output_format: Format, quality: int
) -> UUID:
    """Promise the result of this job in another format, and return the batch that it is.

    Asked for twice, it is the same batch, unless that came to nothing. `quality` is 1 to 100, and
    without meaning for PNG.

    Raises `NotFound` or `Gone` where there is no such result to read, `TooManyOpenJobs`, and what
    `Options` and `encoders.check` raise: then nothing was kept.
    """
    store = service.store
    source = conversions.source(store, job_id, user_id)
    options = _options(source, output_format, quality)
    encoders.check(output_format, Size(source.width, source.height), has_alpha=False)
    kept = orders.kept_options(options)
    in_vain = 0
    for earlier in conversions.earlier(store, job_id, user_id):
        if dict(earlier.options) == kept:
            if earlier.state not in _IN_VAIN:
                return earlier.batch_id
            in_vain += 1
    new = batches.NewJob(
        name=source.name,
        model=source.model,
        original=None,
        scale=source.scale,
        target_width=source.target_width,
        target_height=source.target_height,
        target_long_side=source.target_long_side,
        options=kept,
        source_id=job_id,
    )
    created = batches.create(
        store,
        user_id,
        [new],
        options=kept,
        # Two who ask at the same time get the same one.
        idempotency_key=f"convert {job_id} {output_format} {options.quality} {in_vain}",
        most_open_jobs=service.limits.open_jobs,
        kind=Kind.CONVERT,
        expires_at=source.expires_at,
    )
    return created.id


def _options(source: Source, output_format: Format, quality: int) -> Options:
    """What was ordered for the result, in another format. Raises `InvalidOptions`."""
    ordered = orders.options_of(source)
    options = replace(ordered, output_format=output_format, quality=quality, bits=None)
    # PNG has no quality, and its conversions differ in nothing.
    return replace(options, quality=Options.quality) if output_format == "png" else options


def convert(
    store: Store,
    claim: jobs.Claim,
    heartbeat: Heartbeat,
    should_stop: Callable[[], bool],
    *,
    max_pixels: int,
    bytes_free: int,
) -> None:
    """Do what `claim` is for, and promise the file. Raises what `conversion.convert` and the
    storage raise; then nothing is left."""
    options = orders.options_of(claim)
    source = files.find(store, claim.original_id, claim.user_id)
    output_format = options.output_format
    assert output_format is not None, "a conversion without a format"
    with ExitStack() as stack:
        stream = stack.enter_context(files.open(store, source))
        writer = stack.enter_context(files.Writer(store, Role.RESULT, format=output_format))
        made = conversion.convert(
            stream,
            writer,
            output_format,
            options,
            max_pixels=max_pixels,
            bytes_free=bytes_free,
            on_progress=heartbeat.show,
            should_stop=should_stop,
        )
        kept: list[files.Kept] = []
        stack.callback(lambda: files.discard(store, kept))
        kept.append(writer.finish(width=made.size.width, height=made.size.height))
        jobs.finish(store, claim, kept, _report(made), heartbeat.units)
        kept.clear()


def _report(made: Converted) -> dict[str, Any]:
    return {
        "output": {"width": made.size.width, "height": made.size.height},
        "output_format": made.output_format,
        "bits": made.bits,
        "notes": list(made.notes),
    }
