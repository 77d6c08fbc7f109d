"""Batches: one press of Upscale, with its jobs and their originals, all or nothing.

Knows what a batch consists of and what its owner can ask of it. What happens to a job afterwards is
in `db/jobs.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased

from db import counts, files, outcomes, waiting
from db.errors import NotFound, TooManyOpenJobs
from db.hours import KEPT
from db.outcomes import Failure, count, failed
from db.people import User
from db.store import Store
from db.upkeep import Metric
from db.work import Batch, File, Job, Kind, State


@dataclass(frozen=True)
class NewJob:
    """One picture as it was handed in."""

    name: str
    model: str
    original: files.Kept | Failure | None
    """Its bytes, or why they were refused: then the job has failed from the start, alone. None for
    a conversion, which is made of another job's result."""
    scale: int | None = None
    target_width: int | None = None
    target_height: int | None = None
    target_long_side: int | None = None
    """A scale, or sides; exactly one of the two ways."""
    options: Mapping[str, Any] | None = None
    source_id: UUID | None = None
    """Of a conversion: the job whose result is converted."""


@dataclass(frozen=True)
class Created:
    id: UUID
    new: bool
    """False: this user had sent the same idempotency key before, and this is that batch."""


def create(
    store: Store,
    user_id: UUID,
    new_jobs: Sequence[NewJob],
    *,
    options: Mapping[str, Any],
    idempotency_key: str | None = None,
    label: str | None = None,
    most_open_jobs: int | None = None,
    kind: Kind = Kind.UPSCALE,
    expires_at: datetime | None = None,
) -> Created:
    """Promises the batch: once this returns, its originals and jobs survive a crash.

    Everything of it expires 48 h from now, or at `expires_at` if that is earlier: what is made of
    bytes that lie here already goes when those go. With a key that this user has sent before,
    nothing new comes into being and the originals are discarded.

    Raises `TooManyOpenJobs` when the user would have more than `most_open_jobs` unfinished ones,
    `NotFound` for an unknown user; on an error, discarding is the caller's, because after a lost
    connection only the rows know what was kept.
    """
    batch_id = uuid4()
    with store.writing() as rows:
        # On PostgreSQL, two batches of one user wait here for each other, so the limit holds.
        if rows.scalar(select(User.id).where(User.id == user_id).with_for_update()) is None:
            raise NotFound
        now = store.clock.now()
        ends = min(now + KEPT, expires_at or now + KEPT)
        upsert = sqlite.insert if rows.dialect.name == "sqlite" else postgresql.insert
        inserted = rows.execute(
            upsert(Batch)
            .values(
                id=batch_id,
                user_id=user_id,
                kind=kind,
                idempotency_key=idempotency_key,
                label=label,
                options=dict(options),
                created_at=now,
                expires_at=ends,
            )
            .on_conflict_do_nothing(index_elements=["user_id", "idempotency_key"])
        ).rowcount
        if inserted:
            _limit(rows, user_id, kind, new_jobs, most_open_jobs)
            if kind is not Kind.UPSCALE:
                counts.add(rows, now, Metric.FEATURE, kind)
            for number, job in enumerate(new_jobs, start=1):
                _add_job(store, rows, (batch_id, user_id, kind), number, job, now, ends)
    if not inserted:
        files.discard(store, [j.original for j in new_jobs if isinstance(j.original, files.Kept)])
        existing = find_by_key(store, user_id, idempotency_key or "")
        assert existing is not None, "a conflict without a batch to conflict with"
        return Created(existing, new=False)
    return Created(batch_id, new=True)


def find_by_key(store: Store, user_id: UUID, idempotency_key: str) -> UUID | None:
    """The batch that this user made with this key: to ask before keeping 20 originals in vain."""
    with store.reading() as rows:
        return rows.scalar(
            select(Batch.id).where(
                Batch.user_id == user_id, Batch.idempotency_key == idempotency_key
            )
        )


def cancel(
    store: Store,
    batch_id: UUID,
    user_id: UUID,
    job_id: UUID | None = None,
    *,
    conversions: bool = False,
) -> int:
    """Ends what waits and asks what runs to stop; returns how many jobs that concerns.

    From now on no job of the batch can succeed; with `job_id`, only this one cannot. With
    `conversions`, what is being made of its results cannot either. Raises `NotFound`, for a job of
    another batch too.
    """
    concerned: ColumnElement[bool] = Job.batch_id == batch_id
    if job_id is not None:
        concerned = and_(concerned, Job.id == job_id)
    if conversions:
        concerned = or_(concerned, _made_of(batch_id))
    with store.writing() as rows:
        _check_owner(rows, batch_id, user_id)
        if job_id is not None and rows.scalar(select(Job.id).where(concerned)) is None:
            raise NotFound
        now = store.clock.now()
        queued = rows.scalars(
            update(Job)
            .where(concerned, Job.state == State.QUEUED)
            .values(state=State.CANCELED, finished_at=now)
            .returning(Job.kind)
        ).all()
        for kind in queued:
            count(rows, now, State.CANCELED, kind)
        running = rows.execute(
            update(Job).where(concerned, Job.state == State.RUNNING).values(cancel_requested=True)
        ).rowcount
    return len(queued) + running


def live_files(
    store: Store, batch_id: UUID, user_id: UUID, *, conversions: bool = False
) -> list[UUID]:
    """The batch's files that still have bytes; with `conversions`, instead, those that were made of
    its results. Raises `NotFound`.

    After `cancel`, no other will come: deleting a batch is to cancel it, then to erase these.
    """
    whose = _made_of(batch_id) if conversions else Job.batch_id == batch_id
    with store.reading() as rows:
        _check_owner(rows, batch_id, user_id)
        found = rows.scalars(
            select(File.id).join(Job, Job.id == File.job_id).where(whose, File.deleted_at.is_(None))
        )
        return list(found)


def unfinished(store: Store, user_id: UUID, kind: Kind) -> list[UUID]:
    """The user's batches of this kind with a job that waits or runs."""
    with store.reading() as rows:
        return list(
            rows.scalars(
                select(Job.batch_id)
                .where(Job.user_id == user_id, Job.finished_at.is_(None), Job.kind == kind)
                .distinct()
            )
        )


def _made_of(batch_id: UUID) -> ColumnElement[bool]:
    """Jobs that convert a result of this batch."""
    source = aliased(Job)
    return Job.source_id.in_(select(source.id).where(source.batch_id == batch_id))


def _limit(
    rows: Connection, user_id: UUID, kind: Kind, new_jobs: Sequence[NewJob], most: int | None
) -> None:
    if most is None:
        return
    more = sum(not isinstance(job.original, Failure) for job in new_jobs)
    if waiting.unfinished(rows, user_id, kind) + more > most:
        raise TooManyOpenJobs


def _add_job(
    store: Store,
    rows: Connection,
    of: tuple[UUID, UUID, Kind],
    number: int,
    job: NewJob,
    now: datetime,
    ends: datetime,
) -> None:
    batch_id, user_id, kind = of
    job_id = uuid4()
    outcome = failed(job.original, now) if isinstance(job.original, Failure) else outcomes.waiting()
    rows.execute(
        insert(Job).values(
            id=job_id,
            batch_id=batch_id,
            user_id=user_id,
            kind=kind,
            source_id=job.source_id,
            number=number,
            name=job.name,
            model=job.model,
            scale=job.scale,
            target_width=job.target_width,
            target_height=job.target_height,
            target_long_side=job.target_long_side,
            options=dict(job.options or {}),
            created_at=now,
            **outcome,
        )
    )
    if kind is Kind.UPSCALE:
        counts.add(rows, now, Metric.SUBMITTED)
    if isinstance(job.original, files.Kept):
        files.add_row(store, rows, job.original, user_id=user_id, job_id=job_id, expires_at=ends)
    elif isinstance(job.original, Failure):
        count(rows, now, State.FAILED, kind)


def _check_owner(rows: Connection, batch_id: UUID, user_id: UUID) -> None:
    owned = select(Batch.id).where(Batch.id == batch_id, Batch.user_id == user_id)
    if rows.scalar(owned) is None:
        raise NotFound
