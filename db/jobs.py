"""The life of a job: waiting, leased to a worker, ended.

    queued ──claim_next──► running ──finish──► succeeded
      ▲                      │ └────fail─────► failed     (3rd error of its own, or a hopeless one)
      └──fail, hand_back─────┘ └──end_canceled─► canceled

What becomes of a job that was left alone is in `db/recovery.py`. Knows whose turn it is. Knows
nothing of queues: who is nudged asks here, and finds a job or none.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update
from sqlalchemy.orm import aliased

from db import files
from db.errors import Gone, JobCanceled, LeaseLost
from db.hours import START_WITHIN
from db.outcomes import Failure, count, ended, failed, waiting
from db.people import User
from db.store import Store
from db.work import Batch, File, Job, Kind, Role, State

LEASE = timedelta(seconds=30)
ATTEMPTS = 3
"""Errors of its own after which a job has failed."""


@dataclass(frozen=True)
class Claim:
    """A job that is leased to one worker, with all that it takes to do it."""

    job_id: UUID
    batch_id: UUID
    user_id: UUID
    worker_id: UUID
    original_id: UUID
    """Its original, or, of a conversion, the result that is converted."""
    kind: Kind
    name: str
    model: str
    scale: int | None
    target_width: int | None
    target_height: int | None
    target_long_side: int | None
    options: Mapping[str, Any]
    expires_at: datetime
    """When the original and everything made from it can no longer be read."""


def claim_next(
    store: Store,
    worker_id: UUID,
    loaded: Collection[str] = (),
    kinds: Collection[Kind] = (Kind.UPSCALE,),
) -> Claim | None:
    """Leases one waiting job of these `kinds` to `worker_id` for 30 s, or finds none.

    Users take turns: first who was never served, then whose last claim lies longest back. Within a
    user first attempts come before repeated ones, then the order of submission; among equals, a
    model in `loaded`. However many workers ask at once, a job is leased to one of them.
    """
    with store.writing() as rows:
        now = store.clock.now()
        job = rows.execute(
            update(Job)
            .where(Job.id == _next_in_turn(now, loaded, kinds), Job.state == State.QUEUED)
            .values(
                state=State.RUNNING,
                lease_owner=worker_id,
                lease_until=now + LEASE,
                started_at=now,
                progress_done=0,
                progress_total=0,
            )
            .returning(Job.__table__)
        ).one_or_none()
        if job is None:
            return None
        if job.kind == Kind.UPSCALE:  # what is ahead of the queue costs nobody their turn
            rows.execute(update(User).where(User.id == job.user_id).values(last_claimed_at=now))
        original_id, expires_at = rows.execute(
            select(File.id, File.expires_at).where(*_made_from(job))
        ).one()
    return Claim(
        job_id=job.id,
        batch_id=job.batch_id,
        user_id=job.user_id,
        worker_id=worker_id,
        original_id=original_id,
        kind=Kind(job.kind),
        name=job.name,
        model=job.model,
        scale=job.scale,
        target_width=job.target_width,
        target_height=job.target_height,
        target_long_side=job.target_long_side,
        options=job.options,
        expires_at=expires_at,
    )


def _made_from(job: Any) -> tuple[ColumnElement[bool], ...]:
    """The file that a job works on, whether or not its bytes still exist."""
    if job.source_id is None:
        return File.job_id == job.id, File.role == Role.ORIGINAL
    return File.job_id == job.source_id, File.role == Role.RESULT


def _next_in_turn(now: datetime, loaded: Collection[str], kinds: Collection[Kind]) -> Any:
    # Another name for the table, or the subquery would look at the row that is being updated.
    job = aliased(Job)
    return (
        select(job.id)
        .join(User, User.id == job.user_id)
        .join(Batch, Batch.id == job.batch_id)
        .where(
            job.state == State.QUEUED,
            job.kind.in_(kinds),
            Batch.expires_at > now,
            or_(job.started_at.is_not(None), job.created_at > now - START_WITHIN),
        )
        .order_by(
            User.last_claimed_at.asc().nulls_first(),
            job.attempts + job.interruptions > 0,
            job.created_at,
            job.model.not_in(loaded),
            job.batch_id,
            job.number,
        )
        .limit(1)
        # SQLite has no such locks; there, only one transaction writes at a time.
        .with_for_update(skip_locked=True, of=job)
        .scalar_subquery()
    )


def renew(store: Store, claim: Claim) -> bool:
    """Extends the lease by 30 s from now; True means that the owner wants the job stopped.

    Raises `LeaseLost` when the job is no longer this worker's.
    """
    return _touch(store, claim, {})


def progress(store: Store, claim: Claim, done: int, total: int) -> bool:
    """Like `renew`, and says how far the job is."""
    return _touch(store, claim, {"progress_done": done, "progress_total": total})


def finish(
    store: Store,
    claim: Claim,
    kept: Sequence[files.Kept],
    report: Mapping[str, Any],
    units: int,
) -> None:
    """The job has succeeded and its files exist: both or neither.

    `units` is how much work it was, all of it done now: a quick job ends before its first beat.
    Raises `JobCanceled`, `Gone` or `LeaseLost`; then `kept` is the caller's to discard.
    """
    with store.writing() as rows:
        now = store.clock.now()
        if now >= claim.expires_at:
            raise Gone
        done = rows.execute(
            update(Job)
            .where(_leased(claim), ~Job.cancel_requested)
            .values(
                **ended(State.SUCCEEDED, now),
                report=dict(report),
                progress_done=units,
                progress_total=units,
            )
        ).rowcount
        if not done:
            raise _reason_for_nothing(rows, claim)
        if claim.kind is Kind.CONVERT and _is_hidden(rows, claim.original_id):
            raise Gone  # deleted since: what was made of it goes, too
        for one in kept:
            files.add_row(
                store,
                rows,
                one,
                user_id=claim.user_id,
                job_id=claim.job_id,
                expires_at=claim.expires_at,
            )
        count(rows, now, State.SUCCEEDED, claim.kind)


def fail(store: Store, claim: Claim, failure: Failure, *, again: bool) -> State:
    """The job ended with an error of its own; what it is now is returned.

    With `again` it waits for another attempt, unless this was the third. Without, as for a damaged
    picture, it has failed.
    """
    with store.writing() as rows:
        now = store.clock.now()
        job = rows.execute(
            select(Job.attempts, Job.cancel_requested).where(_leased(claim)).with_for_update()
        ).one_or_none()
        if job is None:
            raise LeaseLost
        attempts = job.attempts + 1
        if job.cancel_requested:
            values = ended(State.CANCELED, now)
        elif again and attempts < ATTEMPTS:
            values = waiting()
        else:
            values = failed(failure, now)
        rows.execute(update(Job).where(_leased(claim)).values(**values, attempts=attempts))
        count(rows, now, values["state"], claim.kind)
    return State(values["state"])


def end_canceled(store: Store, claim: Claim) -> None:
    """The worker has stopped, as the owner asked."""
    with store.writing() as rows:
        now = store.clock.now()
        stopped = rows.execute(
            update(Job)
            .where(_leased(claim), Job.cancel_requested)
            .values(**ended(State.CANCELED, now))
        ).rowcount
        if not stopped:
            raise LeaseLost
        count(rows, now, State.CANCELED, claim.kind)


def hand_back(store: Store, claim: Claim) -> None:
    """The worker is asked to leave: the job waits again, and nothing is held against it.

    Losing the lease in the meantime is no error: then it waits already.
    """
    with store.writing() as rows:
        now = store.clock.now()
        canceled = rows.execute(
            update(Job)
            .where(_leased(claim), Job.cancel_requested)
            .values(**ended(State.CANCELED, now))
        ).rowcount
        if canceled:
            count(rows, now, State.CANCELED, claim.kind)
        rows.execute(update(Job).where(_leased(claim)).values(**waiting()))


def _leased(claim: Claim) -> ColumnElement[bool]:
    return and_(
        Job.id == claim.job_id,
        Job.state == State.RUNNING,
        Job.lease_owner == claim.worker_id,
    )


def _touch(store: Store, claim: Claim, values: Mapping[str, Any]) -> bool:
    with store.writing() as rows:
        stop = rows.execute(
            update(Job)
            .where(_leased(claim))
            .values(lease_until=store.clock.now() + LEASE, **values)
            .returning(Job.cancel_requested)
        ).scalar_one_or_none()
    if stop is None:
        raise LeaseLost
    return bool(stop)


def _is_hidden(rows: Connection, file_id: UUID) -> bool:
    hidden_at = rows.scalar(select(File.hidden_at).where(File.id == file_id))
    return hidden_at is not None


def _reason_for_nothing(rows: Connection, claim: Claim) -> JobCanceled | LeaseLost:
    still_ours = rows.execute(select(Job.id).where(_leased(claim))).first()
    return LeaseLost() if still_ours is None else JobCanceled()
