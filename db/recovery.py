"""Takes care of jobs that were left alone: by a worker that died, or by all of them.

Knows leases and hours. Does not know why a worker died, and asks none whether it still lives.
"""

from dataclasses import dataclass

from sqlalchemy import and_, select, update

from db.hours import START_WITHIN
from db.outcomes import Failure, count, ended, failed, waiting
from db.store import Store
from db.work import Batch, Job, State

INTERRUPTIONS = 5
"""Workers lost under a job after which it has failed."""

INTERRUPTED = Failure(
    "INTERRUPTED",
    "The server was interrupted again and again while it worked on this picture.",
    "Try a smaller picture or another model, or tell the operator.",
)
NOT_STARTED = Failure(
    "NOT_STARTED_IN_TIME",
    "This picture waited for 20 hours without being started.",
    "The server has more work than it can do. Upload the picture again later.",
)
EXPIRED = Failure(
    "EXPIRED",
    "The picture's time was over before a result was finished.",
    "Upload the picture again.",
)


@dataclass(frozen=True)
class Recovered:
    """What became of jobs whose workers had left them."""

    queued: int
    failed: int
    canceled: int


def recover(store: Store) -> Recovered:
    """Takes back the jobs whose lease ran out: their workers were killed, or sleep."""
    with store.writing() as rows:
        now = store.clock.now()
        left = rows.execute(
            select(Job.id, Job.kind, Job.interruptions, Job.cancel_requested)
            .where(Job.state == State.RUNNING, Job.lease_until < now)
            .with_for_update(skip_locked=True)
        ).all()
        states = []
        for job in left:
            interruptions = job.interruptions + 1
            if job.cancel_requested:
                values = ended(State.CANCELED, now)
            elif interruptions < INTERRUPTIONS:
                values = waiting()
            else:
                values = failed(INTERRUPTED, now)
            rows.execute(
                update(Job).where(Job.id == job.id).values(**values, interruptions=interruptions)
            )
            count(rows, now, values["state"], job.kind)
            states.append(values["state"])
    return Recovered(*(states.count(s) for s in (State.QUEUED, State.FAILED, State.CANCELED)))


def fail_overdue(store: Store) -> int:
    """Fails the jobs that were not started in 20 hours, or whose original has expired."""
    with store.writing() as rows:
        now = store.clock.now()
        never = and_(Job.started_at.is_(None), Job.created_at <= now - START_WITHIN)
        expired = Job.batch_id.in_(select(Batch.id).where(Batch.expires_at <= now))
        number = 0
        for condition, reason in ((expired, EXPIRED), (never, NOT_STARTED)):
            kinds = rows.scalars(
                update(Job)
                .where(Job.state == State.QUEUED, condition)
                .values(**failed(reason, now))
                .returning(Job.kind)
            ).all()
            for kind in kinds:
                count(rows, now, State.FAILED, kind)
            number += len(kinds)
    return number
