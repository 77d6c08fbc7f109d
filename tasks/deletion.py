"""Deleting on request: what its owner no longer wants here, now."""

from uuid import UUID

from db import batches, files
from db.connection import checkpoint_truncate
from db.errors import StorageFull
from db.work import Cause
from tasks.service import Service


def delete_batch(service: Service, batch_id: UUID, user_id: UUID) -> int:
    """End what is unfinished of a batch and erase all its files, and what was converted from them;
    returns how many were erased.

    Its rows stay, as history, with a receipt for each file. A job that is running stops within a
    second, and what it has written is discarded, for it can no longer finish. Safe to repeat.
    Raises `NotFound`.
    """
    erased = 0
    try:
        batches.cancel(service.store, batch_id, user_id, conversions=True)
    except StorageFull:
        # Erasing makes the room that canceling needs. What a job finishes in between goes below.
        erased = _erase_live(service, batch_id, user_id)
        batches.cancel(service.store, batch_id, user_id, conversions=True)
    erased += _erase_live(service, batch_id, user_id)
    checkpoint_truncate(service.store.rows)
    return erased


def _erase_live(service: Service, batch_id: UUID, user_id: UUID) -> int:
    erased = 0
    for conversions in (True, False):
        live = batches.live_files(service.store, batch_id, user_id, conversions=conversions)
        erased += files.erase(service.store, live, Cause.USER) if live else 0
    return erased
