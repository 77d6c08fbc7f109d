"""How long the queue is, as seen from one user's place in it.

Users take turns, so what lies before a job is not all that was submitted earlier: of everybody
else's jobs, only as many as there are rounds until this one. Knows numbers of jobs and pixels; how
many seconds they take is for those to say who know the machine.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, bindparam, case, func, select

from db import workers
from db.people import User
from db.store import Store
from db.work import File, Job, Kind, Role, State

_RECENT = 200


@dataclass(frozen=True)
class Backlog:
    """What is done before a batch's last job is begun."""

    jobs: int
    pixels: Mapping[str, float]
    """Pixels that their networks take in, by model. A scale of 8 or 16 takes two passes, of which
    the second is counted as by a network that enlarges four times: most do."""


@dataclass(frozen=True)
class _Queue:
    user_id: UUID
    length: int


# Tries and conversions are ahead of the queue: nobody waits for them, and they wait for nobody.
_IN_TURN = Job.kind == Kind.UPSCALE
_REPEATED = Job.attempts + Job.interruptions > 0

# Built once, because every open page asks every second.
_OWN = (
    select(Job.id)
    .where(
        Job.user_id == bindparam("user_id"),
        Job.finished_at.is_(None),  # says nothing new, but there is an index for it
        Job.state == State.QUEUED,
        _IN_TURN,
    )
    .order_by(_REPEATED, Job.created_at, Job.batch_id, Job.number)
)
_FIRSTS = (
    select(
        Job.user_id,
        User.last_claimed_at,
        _REPEATED.label("repeated"),
        func.min(Job.created_at).label("first"),
        func.count().label("length"),
    )
    .join(User, User.id == Job.user_id)
    .where(Job.state == State.QUEUED, _IN_TURN)
    .group_by(Job.user_id, User.last_claimed_at, _REPEATED)
)


def positions(rows: Connection, user_id: UUID) -> dict[UUID, int]:
    """For each waiting job of the user, its place among all that wait; 1 is next.

    As the queue stands: who comes later with a first job may be served before.
    """
    own = rows.scalars(_OWN, {"user_id": user_id}).all()
    if not own:
        return {}
    queues = _in_turn(rows)
    turn = [queue.user_id for queue in queues].index(user_id)
    return {
        job_id: 1
        + served
        + sum(
            min(queue.length, served + (place < turn))
            for place, queue in enumerate(queues)
            if place != turn
        )
        for served, job_id in enumerate(own)
    }


def open_jobs(store: Store, user_id: UUID) -> int:
    """The user's unfinished pictures."""
    with store.reading() as rows:
        return unfinished(rows, user_id)


def unfinished(rows: Connection, user_id: UUID, kind: Kind = Kind.UPSCALE) -> int:
    """The user's jobs of this kind that wait or run: what limits are for."""
    return (
        rows.scalar(
            select(func.count()).where(
                Job.user_id == user_id,
                Job.kind == kind,
                Job.state.in_([State.QUEUED, State.RUNNING]),
            )
        )
        or 0
    )


def queued_jobs(store: Store) -> int:
    """All waiting pictures: how many nudges are certainly enough."""
    with store.reading() as rows:
        return rows.scalar(select(func.count()).where(Job.state == State.QUEUED, _IN_TURN)) or 0


_ONE_OF = (
    select(Job.id)
    .where(Job.state == State.QUEUED, Job.kind.in_(bindparam("kinds", expanding=True)))
    .limit(1)
)


def is_any_queued(store: Store, kinds: Collection[Kind]) -> bool:
    """Whether a job of these kinds waits. Asked a few times a second: one look into an index."""
    with store.reading() as rows:
        return rows.scalar(_ONE_OF, {"kinds": list(kinds)}) is not None


def backlog(store: Store, user_id: UUID, new_jobs: int) -> Backlog:
    """What would lie before the last of `new_jobs` jobs, were this user to submit them now.

    Never less than what will really be done before; what runs already counts in full.
    """
    with store.reading() as rows:
        loads = rows.execute(
            select(
                Job.user_id,
                Job.state,
                Job.model,
                func.count().label("jobs"),
                func.sum(
                    func.coalesce(File.width, 0)
                    * func.coalesce(File.height, 0)
                    * case((Job.scale > 4, 1 + 4**2), else_=1)
                ).label("pixels"),
            )
            .join(File, and_(File.job_id == Job.id, File.role == Role.ORIGINAL))
            .where(_IN_TURN, Job.state.in_([State.QUEUED, State.RUNNING]))
            .group_by(Job.user_id, Job.state, Job.model)
        ).all()
    waiting: dict[UUID, int] = {}
    for load in loads:
        if load.state == State.QUEUED:
            waiting[load.user_id] = waiting.get(load.user_id, 0) + load.jobs
    rounds = waiting.get(user_id, 0) + new_jobs
    jobs, pixels = new_jobs - 1, dict[str, float]()
    for load in loads:
        share = 1.0
        if load.state == State.QUEUED:
            length = waiting[load.user_id]
            share = min(length, rounds) / length
        jobs += round(load.jobs * share)
        pixels[load.model] = pixels.get(load.model, 0) + float(load.pixels) * share
    return Backlog(jobs, pixels)


def pace(store: Store) -> Mapping[str, float]:
    """Pixels that a network took in per second of one worker, by model, over the latest 200
    results. Of a picture that went through it once, those are the original's.

    A model that has no result yet is in it only if a worker that is alive has measured it.
    """
    measured = workers.measured_pace(store)
    with store.reading() as rows:
        done = rows.execute(
            select(Job.model, Job.started_at, Job.finished_at, Job.report, File.width, File.height)
            .join(File, and_(File.job_id == Job.id, File.role == Role.ORIGINAL))
            .where(_IN_TURN, Job.state == State.SUCCEEDED, File.width.is_not(None))
            .order_by(Job.finished_at.desc())
            .limit(_RECENT)
        ).all()
    pixels: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for job in done:
        taken_in = job.width * job.height * _passes(job.report or {})
        pixels[job.model] = pixels.get(job.model, 0) + taken_in
        took = (job.finished_at - job.started_at).total_seconds()
        seconds[job.model] = seconds.get(job.model, 0) + took
    done_here = {model: pixels[model] / seconds[model] for model in pixels if seconds[model] > 0}
    return measured | done_here


def _passes(report: Mapping[str, Any]) -> int:
    """How many times the original's pixels went through the network: each pass has more."""
    enlarged = int(report.get("network_scale") or 1) ** 2
    return sum(enlarged**number for number in range(int(report.get("passes") or 1)))


def _in_turn(rows: Connection) -> list[_Queue]:
    """Everybody who waits, in the order in which `jobs.claim_next` serves them."""
    found = rows.execute(_FIRSTS).all()
    never = datetime.min.replace(tzinfo=UTC)
    heads: dict[UUID, tuple[datetime, bool, datetime]] = {}
    lengths: dict[UUID, int] = {}
    for row in found:
        head = (row.last_claimed_at or never, bool(row.repeated), row.first)
        heads[row.user_id] = min(head, heads.get(row.user_id, head))
        lengths[row.user_id] = lengths.get(row.user_id, 0) + row.length
    return [_Queue(user_id, lengths[user_id]) for user_id in sorted(heads, key=heads.__getitem__)]
