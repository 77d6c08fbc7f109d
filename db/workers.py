"""Workers: who does the work, and when each was last seen.

A worker does one job at a time; a process that does several beside each other is as many workers,
so that who waits can reckon with all of them. A worker's row says nothing about its jobs: who has
which is in the leases of the jobs.
"""

from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, delete, func, insert, select, update

from db.store import Store
from db.upkeep import Worker

MISSED_AFTER = timedelta(seconds=60)
"""A worker that was not seen for this long is not counted on."""


def register(store: Store, device: str) -> UUID:
    """A new worker's id, under which it claims jobs; a process that starts again is a new one."""
    worker_id, now = uuid4(), store.clock.now()
    with store.writing() as rows:
        rows.execute(
            insert(Worker).values(id=worker_id, device=device[:80], started_at=now, seen_at=now)
        )
    return worker_id


def seen(store: Store, worker_id: UUID, model: str | None = None) -> None:
    """The worker is alive; `model` is the one that it used last."""
    values = {"seen_at": store.clock.now()} | ({"model": model} if model else {})
    with store.writing() as rows:
        rows.execute(update(Worker).where(Worker.id == worker_id).values(**values))


def paced(store: Store, worker_id: UUID, model: str, pace: float) -> None:
    """The worker has measured how many pixels `model` takes in per second."""
    with store.writing() as rows:
        rows.execute(
            update(Worker).where(Worker.id == worker_id).values(paced_model=model, pace=pace)
        )


def sign_off(store: Store, worker_id: UUID) -> None:
    """The worker has left in order."""
    with store.writing() as rows:
        rows.execute(delete(Worker).where(Worker.id == worker_id))


def count_alive(store: Store) -> int:
    """Workers that were seen within the last minute."""
    with store.reading() as rows:
        return rows.scalar(select(func.count()).where(_is_alive(store))) or 0


def measured_pace(store: Store) -> dict[str, float]:
    """Pixels that a network took in per second as the workers that are alive began, by model."""
    pace = func.min(Worker.pace).label("pace")
    with store.reading() as rows:
        found = rows.execute(
            select(Worker.paced_model, pace)
            .where(_is_alive(store), Worker.paced_model.is_not(None))
            .group_by(Worker.paced_model)
        )
        return {row.paced_model: row.pace for row in found}


def _is_alive(store: Store) -> ColumnElement[bool]:
    return Worker.seen_at > store.clock.now() - MISSED_AFTER
