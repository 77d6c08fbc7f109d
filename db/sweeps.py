"""Sweeps: when the timekeeper last did what, and what came of it.

Knows numbers and error codes. A run that was killed stays without an end.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import insert, select, update

from db.errors import StorageFull, StoreError
from db.retention import oldest_live_age
from db.store import Store
from db.upkeep import Sweep, SweepKind


@dataclass
class Tally:
    """What a run has done so far; filled in by whoever runs it."""

    scanned: int = 0
    deleted: int = 0


@dataclass(frozen=True)
class Past:
    started_at: datetime
    finished_at: datetime | None
    scanned: int
    deleted: int
    error_code: str | None


@contextmanager
def recorded(store: Store, kind: SweepKind) -> Iterator[Tally]:
    """Records one run: its begin, its tally, its end, and the code of the error that ended it."""
    begin = {"id": uuid4(), "kind": kind, "started_at": store.clock.now()}
    # Where there is no room for this row, the run is what makes some: then its end writes both.
    with suppress(StorageFull), store.writing() as rows:
        rows.execute(insert(Sweep).values(**begin))
    tally = Tally()
    error_code = None
    try:
        yield tally
    except Exception as error:
        error_code = error.code if isinstance(error, StoreError) else "INTERNAL"
        raise
    finally:
        oldest = oldest_live_age(store)
        end = {
            "finished_at": store.clock.now(),
            "scanned": tally.scanned,
            "deleted": tally.deleted,
            "oldest_age_s": None if oldest is None else round(oldest.total_seconds()),
            "error_code": error_code,
        }
        with store.writing() as rows:
            begun = rows.execute(update(Sweep).where(Sweep.id == begin["id"]).values(**end))
            if not begun.rowcount:
                rows.execute(insert(Sweep).values(**begin, **end))


def last(store: Store, kind: SweepKind) -> Past | None:
    """The latest run of this kind that came to an end, in order or not."""
    with store.reading() as rows:
        row = rows.execute(
            select(
                Sweep.started_at,
                Sweep.finished_at,
                Sweep.scanned,
                Sweep.deleted,
                Sweep.error_code,
            )
            .where(Sweep.kind == kind, Sweep.finished_at.is_not(None))
            .order_by(Sweep.started_at.desc())
            .limit(1)
        ).one_or_none()
    return None if row is None else Past(*row)
