"""Another beginning for jobs that ended without a result, in their place.

    failed, canceled ──retry──► queued

Knows what a job needs to be begun again: its original, and enough of its time. Knows nothing of
why it ended.
"""

from uuid import UUID

from sqlalchemy import and_, or_, select, update

from db import counts, outcomes, waiting
from db.errors import Gone, NotFound, TooManyOpenJobs
from db.hours import START_WITHIN
from db.store import Store
from db.upkeep import Metric
from db.work import Batch, File, Job, Role, State


def retry(
    store: Store,
    batch_id: UUID,
    user_id: UUID,
    job_id: UUID | None = None,
    *,
    most_open_jobs: int | None = None,
) -> int:
    """Puts jobs back into the queue as if they had never been tried; returns how many.

    With `job_id` that one, failed or canceled; without, the failed ones of the batch whose
    originals can be read. What waits, runs or has succeeded stays as it is.

    Raises `NotFound` for what is not this user's, `Gone` where no original can be read any more or
    the time in which a job must be begun is over, `TooManyOpenJobs`; then nothing was changed.
    """
    with store.writing() as rows:
        now = store.clock.now()
        concerned = Job.batch_id == batch_id
        ended = Job.state == State.FAILED
        if job_id is not None:
            concerned = and_(concerned, Job.id == job_id)
            ended = Job.state.in_([State.FAILED, State.CANCELED])
        # On PostgreSQL, two presses wait here for each other.
        found = rows.execute(
            select(Job.id, Job.state).where(concerned, Job.user_id == user_id).with_for_update()
        ).all()
        if not found:
            raise NotFound
        readable = (
            select(File.job_id)
            .join(Job, Job.id == File.job_id)
            .join(Batch, Batch.id == Job.batch_id)
            .where(
                concerned,
                File.role == Role.ORIGINAL,
                File.hidden_at.is_(None),
                File.expires_at > now,
                Batch.expires_at > now,
            )
        )
        ready = list(
            rows.scalars(
                select(Job.id).where(
                    concerned,
                    ended,
                    Job.id.in_(readable),
                    # Or nobody would claim it.
                    or_(Job.started_at.is_not(None), Job.created_at > now - START_WITHIN),
                )
            )
        )
        if not ready:
            if any(job.state in (State.QUEUED, State.RUNNING) for job in found):
                return 0  # pressed twice
            raise Gone
        then = waiting.unfinished(rows, user_id) + len(ready)
        if most_open_jobs is not None and then > most_open_jobs:
            raise TooManyOpenJobs
        rows.execute(
            update(Job)
            .where(Job.id.in_(ready))
            .values(
                **outcomes.waiting(),
                finished_at=None,
                error_code=None,
                error_message=None,
                error_hint=None,
                attempts=0,
                interruptions=0,
                progress_done=0,
                progress_total=0,
                cancel_requested=False,
            )
        )
        # It ended once and was counted; it will end again.
        counts.add(rows, now, Metric.SUBMITTED, number=len(ready))
    return len(ready)
