"""Running again: a new batch of pictures that lie here already, as before or otherwise.

The new batch has copies of the originals, each under a key of its own, and ends when the old one
does: "gone 48 to 72 hours after it was handed in" holds for every copy.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import BinaryIO
from uuid import UUID

from db import batches, files, views
from db.errors import Gone, NotFound
from db.files import Stored
from db.store import Store
from db.views import BatchView, JobView
from db.work import Kind, Role
from inference.options import Options
from tasks import orders
from tasks.service import Service
from tasks.submissions import promise


def submit_again(
    service: Service,
    user_id: UUID,
    batch_id: UUID,
    job_ids: Collection[UUID] | None = None,
    options: Options | None = None,
    idempotency_key: str | None = None,
) -> UUID:
    """Promise to upscale a batch's pictures once more, and return the new batch's id.

    `job_ids`: only these pictures of it; otherwise all whose original can still be read. `options`:
    otherwise those that the batch had. It can be read for as long as the old one, and no longer.

    Raises `NotFound`, `Gone` where an original that was asked for is deleted, `TooLateForAll`, and
    what `submit_batch` raises; then nothing was kept.
    """
    store = service.store
    if idempotency_key is not None:
        existing = batches.find_by_key(store, user_id, idempotency_key)
        if existing is not None:
            return existing
    batch = views.show(store, batch_id, user_id)
    if batch.kind is not Kind.UPSCALE:
        raise NotFound
    originals = _originals(store, batch, job_ids, user_id)
    return promise(
        service,
        user_id,
        originals,
        options or orders.options_of(batch.jobs[0]),
        idempotency_key,
        batch.expires_at,
        suffix=batch.options.get("suffix", True),
    )


@dataclass(frozen=True)
class _Original:
    """A picture that lies here encrypted; read without ever lying anywhere in plain."""

    store: Store
    stored: Stored
    name: str

    def size(self) -> int:
        return self.stored.size

    def open(self) -> BinaryIO:
        return files.open(self.store, self.stored)


def _originals(
    store: Store, batch: BatchView, job_ids: Collection[UUID] | None, user_id: UUID
) -> list[_Original]:
    chosen = [job for job in batch.jobs if job_ids is None or job.id in job_ids]
    if job_ids is not None and len(chosen) < len(set(job_ids)):
        raise NotFound
    lying = [(job, _readable_original(job)) for job in chosen]
    kept = [(job, file_id) for job, file_id in lying if file_id is not None]
    if not kept or (job_ids is not None and len(kept) < len(chosen)):
        raise Gone(
            "The originals are not here any more.", "Hand the pictures in again to run them again."
        )
    return [_Original(store, files.find(store, id_, user_id), job.name) for job, id_ in kept]


def _readable_original(job: JobView) -> UUID | None:
    return next((f.id for f in job.files if f.role is Role.ORIGINAL and f.readable), None)
