"""Handing in: from pictures to a batch that will be done.

Order: what can be refused at once → each picture on its own (size, content, limits, kept encrypted)
→ rows, committed → the uploads removed → one nudge per job. Killed anywhere before the commit,
there is no batch and nothing is kept; anywhere after it, the batch will be done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from uuid import UUID

from db import batches, files
from db.errors import DamagedFile, StoreError
from db.outcomes import Failure
from db.store import Store
from db.work import Role
from inference import image_io
from inference.errors import EngineError
from inference.installed import ModelFolder
from inference.options import Options
from inference.scaling import plan_scaling
from tasks import inbox, limits, names, orders
from tasks.service import Service


class Source(Protocol):
    """A picture to be upscaled, wherever it lies."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    def size(self) -> int:
        """Bytes."""

    def open(self) -> BinaryIO:
        """Its bytes, seekable. They may turn out to be `DamagedFile`."""


@dataclass(frozen=True)
class Upload:
    """A file that arrived, lying where only this service can read it."""

    path: Path
    name: str
    """What the user calls it."""

    def size(self) -> int:
        return self.path.stat().st_size

    def open(self) -> BinaryIO:
        return self.path.open("rb")


def submit_batch(
    service: Service,
    user_id: UUID,
    uploads: Sequence[Upload],
    options: Options,
    idempotency_key: str | None = None,
    *,
    suffix: bool = True,
) -> UUID:
    """Promise to upscale the uploads, and return the batch's id.

    A file that cannot be accepted becomes a failed job with its reason; the others are done. With
    an idempotency key that this user has used before, that batch's id is returned and nothing new
    happens. The uploads are removed once the batch is promised. Without `suffix` the results are
    called what the pictures are called.

    Raises `tasks.errors.Refused`, `db.errors.StoreError`, and the engine's errors about the model;
    then nothing was kept, and the uploads are still there.
    """
    if idempotency_key is not None:
        existing = batches.find_by_key(service.store, user_id, idempotency_key)
        if existing is not None:
            _remove(uploads)
            return existing
    batch_id = promise(service, user_id, uploads, options, idempotency_key, suffix=suffix)
    _remove(uploads)
    return batch_id


def promise(
    service: Service,
    user_id: UUID,
    sources: Sequence[Source],
    options: Options,
    idempotency_key: str | None = None,
    expires_at: datetime | None = None,
    *,
    suffix: bool = True,
) -> UUID:
    """Promise to upscale these pictures, of which a copy is kept under a key of its own.

    With `expires_at`, everything of the batch goes then if that is before its 48 hours are over.
    Otherwise as `submit_batch`; what becomes of the sources is the caller's.
    """
    store = service.store
    service.limits.check_count(len(sources))
    limits.check_uploads_open(store)
    network_scale = ModelFolder(service.folders.models).describe(options.model).scale
    looked_at = [_look(service.limits, source, options, network_scale) for source in sources]
    good = [
        plan_scaling(seen.size, network_scale, options).taken_in
        for seen in looked_at
        if isinstance(seen, image_io.Header)
    ]
    if good:
        limits.check_wait(store, user_id, good, options.model, expires_at)
    kept = orders.kept_options(options, suffix=suffix)
    new_jobs: list[batches.NewJob] = []
    try:
        for source, seen in zip(sources, looked_at, strict=True):
            new_jobs.append(new_job(store, source, seen, options, kept))
        created = batches.create(
            store,
            user_id,
            new_jobs,
            options=kept,
            idempotency_key=idempotency_key,
            most_open_jobs=service.limits.open_jobs,
            expires_at=expires_at,
        )
    except StoreError:
        files.discard(store, _originals(new_jobs))
        raise
    if created.new:
        service.queue.nudge(len(_originals(new_jobs)))
    return created.id


def _look(
    allowed: limits.Limits, source: Source, options: Options, network_scale: int
) -> image_io.Header | Failure:
    """The header of a picture that will be accepted, or why it will not."""
    try:
        allowed.check_bytes(source.size())
        with source.open() as stream:
            header = image_io.read_header(stream, allowed.input_pixels)
        allowed.check_output(header, plan_scaling(header.size, network_scale, options), options)
    except (EngineError, DamagedFile) as error:
        return Failure(error.code, error.message, error.hint)
    return header


def new_job(
    store: Store,
    source: Source,
    seen: image_io.Header | Failure,
    options: Options,
    kept: Mapping[str, Any],
) -> batches.NewJob:
    """A job for a picture, of which a copy is kept where it was `seen` to be one. `kept` are the
    options as rows have them. Raises `StoreError`."""
    return batches.NewJob(
        name=names.clean(source.name),
        model=options.model,
        original=seen if isinstance(seen, Failure) else _keep(store, source, seen),
        options=kept,
        **orders.kept_size(options),
    )


def _keep(store: Store, source: Source, seen: image_io.Header) -> files.Kept | Failure:
    size = seen.size
    try:
        with source.open() as stream:
            return files.keep(
                store,
                stream,
                Role.ORIGINAL,
                format=seen.format,
                width=size.width,
                height=size.height,
            )
    except DamagedFile as error:
        return Failure(error.code, error.message, error.hint)


def _originals(new_jobs: Sequence[batches.NewJob]) -> list[files.Kept]:
    return [job.original for job in new_jobs if isinstance(job.original, files.Kept)]


def _remove(uploads: Sequence[Upload]) -> None:
    for upload in uploads:
        inbox.remove(upload.path)
