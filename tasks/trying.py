"""A try: a spot of a picture, by several models, ahead of the queue, before a long run.

Knows what may be tried. Done by a worker like any job; its files live and go like all others.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from db import batches, files
from db.errors import StoreError
from db.work import Kind
from inference import catalog, image_io
from inference.errors import EngineError
from inference.image_io import Header
from inference.installed import InstalledModel, ModelFolder
from inference.options import SCALES, Options
from inference.scaling import plan_scaling
from tasks import inbox, limits, orders
from tasks.errors import NothingToTry, SpotTooLarge
from tasks.service import Service
from tasks.submissions import Upload, new_job

LARGEST_SPOT = 160
"""Pixels of a spot's sides, at most."""


def submit_try(
    service: Service,
    user_id: UUID,
    upload: Upload,
    models: Sequence[str] | None = None,
    options: Options | None = None,
) -> UUID:
    """Promise to render the spot by each of `models`, and return the batch's id.

    None means all that are installed. Each enlarges as its network does, whatever scale `options`
    name; one that can't is left out. The quick ones come first, so that something is seen at once.
    The upload is removed once the try is promised, and the user's earlier tries, if unfinished,
    are canceled: nobody looks at them any more.

    Raises `tasks.errors.Refused`, `db.errors.StoreError`, and the engine's errors about the spot;
    then nothing was kept, and the upload is still there.
    """
    store = service.store
    limits.check_uploads_open(store)
    header = _look(service, upload)
    able = _able(service, header, models, options or Options())
    if not able:
        raise NothingToTry("No installed model can enlarge this spot.", "Ask the operator for one.")
    new_jobs: list[batches.NewJob] = []
    try:
        for each in able:
            new_jobs.append(new_job(store, upload, header, each, orders.kept_options(each)))
        created = batches.create(
            store,
            user_id,
            new_jobs,
            options={},
            most_open_jobs=service.limits.open_jobs,
            kind=Kind.TRY,
        )
    except StoreError:
        files.discard(store, [j.original for j in new_jobs if isinstance(j.original, files.Kept)])
        raise
    inbox.remove(upload.path)
    for earlier in batches.unfinished(store, user_id, Kind.TRY):
        if earlier != created.id:
            batches.cancel(store, earlier, user_id)
    return created.id


def _look(service: Service, upload: Upload) -> Header:
    service.limits.check_bytes(upload.path.stat().st_size)
    with upload.path.open("rb") as stream:
        header = image_io.read_header(stream, service.limits.input_pixels)
    if max(header.size) > LARGEST_SPOT:
        raise SpotTooLarge(
            f"The spot is {header.size}; {LARGEST_SPOT} × {LARGEST_SPOT} is the most.",
            "Choose a smaller one.",
        )
    return header


def _able(
    service: Service, header: Header, wanted: Sequence[str] | None, options: Options
) -> list[Options]:
    """An order for each model that can take the spot, by the size of its network."""
    installed = sorted(
        ModelFolder(service.folders.models).installed(), key=lambda model: model.size
    )
    found = []
    for model in installed:
        if (wanted is None or model.name in wanted) and model.scale in SCALES:
            order = _order(model, options)
            try:
                scaling = plan_scaling(header.size, model.scale, order)
                service.limits.check_output(header, scaling, order)
            except EngineError:
                continue  # as for a picture of this size
            found.append(order)
    return found


def _order(model: InstalledModel, options: Options) -> Options:
    listed = catalog.find(model.name)
    return replace(
        options,
        model=model.name,
        scale=model.scale,
        width=None,
        height=None,
        long_side=None,
        # Compared side by side, so nothing may be lost, and a browser must show it.
        output_format="png",
        bits=8,
        denoise=options.denoise if listed and listed.weaker else None,
    )
