"""The figures of the proof page: whether what is promised about deletion holds, now.

Numbers and moments only; names nobody and no file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from db import holds, receipts, retention, sweeps
from db.store import Store
from db.upkeep import SweepKind
from db.work import Cause, File


@dataclass(frozen=True)
class Figures:
    oldest_stored: timedelta | None
    """Age of the oldest bytes of a file, holds excepted; None when there are none."""
    live_files: int
    """Files that have bytes, held ones too."""
    last_sweep: datetime | None
    """When the last sweep ended; None before the first."""
    last_sweep_failed: bool
    deleted: Mapping[str, int]
    """Receipts of the last three years, by cause: every cause, in the order of `Cause`."""
    open_holds: int
    now: datetime


def figures(store: Store) -> Figures:
    with store.reading() as rows:
        live = rows.scalar(select(func.count()).where(File.deleted_at.is_(None))) or 0
    sweep = sweeps.last(store, SweepKind.RETENTION)
    deleted = receipts.count(store)
    return Figures(
        oldest_stored=retention.oldest_live_age(store),
        live_files=live,
        last_sweep=None if sweep is None else sweep.finished_at,
        last_sweep_failed=sweep is not None and sweep.error_code is not None,
        deleted={cause.value: deleted.get(cause, 0) for cause in Cause},
        open_holds=holds.count_open(store),
        now=store.clock.now(),
    )
