"""What an admin sees of the service: numbers, moments, and words that the service itself chose.

No name of a picture, no person, no address, and no id: nothing that is told here leads to anybody
or opens anything. What admins did is in `db/deeds.py`.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import quantiles
from typing import Any

from sqlalchemy import and_, case, func, select

from db.holds import held
from db.retention import PERIOD
from db.store import Store
from db.upkeep import DailyCount, Metric, Worker
from db.work import File, Job, Kind, Role, State
from db.workers import MISSED_AFTER

AGES = (12, 24, 48, 60)
"""Hours at which one bucket of ages ends and the next begins."""

SIZES = (1_000_000, 4_000_000, 12_000_000)
"""Pixels of an original at which one class of sizes ends and the next begins."""

_RESULTS = 5_000


@dataclass(frozen=True)
class Running:
    """A job that a worker has; nothing of whose it is and what it shows."""

    kind: Kind
    model: str
    done: int
    total: int
    since: timedelta


@dataclass(frozen=True)
class Alive:
    """A worker that was seen within the last minute."""

    device: str
    model: str | None
    """The one that it used last."""
    since: timedelta


@dataclass(frozen=True)
class Now:
    waiting: int
    oldest_waiting: timedelta | None
    running: tuple[Running, ...]
    workers: tuple[Alive, ...]


@dataclass(frozen=True)
class Speed:
    """How long one megapixel of an original took, of one model and one class of sizes."""

    model: str
    size: int
    """Counted from 0: below the first of `SIZES`, then from there to the next."""
    pictures: int
    median: float
    """Seconds."""
    p90: float
    """Seconds: nine of ten took no longer."""


@dataclass(frozen=True)
class Stored:
    """Bytes that are there, of one role and one bucket of ages."""

    role: Role
    age: int | None
    """Counted from 0: younger than the first of `AGES`, then from there to the next. None for what
    is held."""
    files: int
    size: int


def now(store: Store) -> Now:
    """What waits and who works. Of what runs, the longest first."""
    at = store.clock.now()
    with store.reading() as rows:
        waiting, first = rows.execute(
            select(func.count(), func.min(Job.created_at)).where(Job.state == State.QUEUED)
        ).one()
        running = rows.execute(
            select(Job.kind, Job.model, Job.progress_done, Job.progress_total, Job.started_at)
            .where(Job.state == State.RUNNING)
            .order_by(Job.started_at, Job.id)
        ).all()
        workers = rows.execute(
            select(Worker.device, Worker.model, Worker.started_at)
            .where(Worker.seen_at > at - MISSED_AFTER)
            .order_by(Worker.started_at, Worker.id)
        ).all()
    return Now(
        waiting=waiting,
        oldest_waiting=None if first is None else at - first,
        running=tuple(
            Running(Kind(job.kind), job.model, job.progress_done, job.progress_total, at - begun)
            for job in running
            if (begun := job.started_at) is not None
        ),
        workers=tuple(Alive(each.device, each.model, at - each.started_at) for each in workers),
    )


def by_day(
    store: Store, days: int, metrics: Collection[Metric]
) -> Mapping[tuple[Metric, str], Sequence[int]]:
    """Counts of the last `days` days, the oldest first and today last, by metric and dimension.

    What was never counted in these days is not in it.
    """
    today = store.clock.now().date()
    first = today - timedelta(days=days - 1)
    with store.reading() as rows:
        found = rows.execute(
            select(DailyCount.metric, DailyCount.dimension, DailyCount.day, DailyCount.value).where(
                DailyCount.metric.in_(metrics), DailyCount.day.between(first, today)
            )
        ).all()
    counted: dict[tuple[Metric, str], list[int]] = defaultdict(lambda: [0] * days)
    for row in found:
        counted[Metric(row.metric), row.dimension][(row.day - first).days] = row.value
    return dict(counted)


def days_ending(today: date, days: int) -> list[date]:
    """The days that `by_day` counts."""
    return [today - timedelta(days=days - 1 - number) for number in range(days)]


def speeds(store: Store) -> list[Speed]:
    """By model and size, over the newest 5,000 results of the last 12 months.

    Of the attempt that succeeded, with all that it took: reading, network, writing, previews.
    """
    since = store.clock.now() - PERIOD["R2"]
    with store.reading() as rows:
        found = rows.execute(
            select(Job.model, Job.started_at, Job.finished_at, File.width, File.height)
            .join(File, and_(File.job_id == Job.id, File.role == Role.ORIGINAL))
            .where(
                Job.state == State.SUCCEEDED,
                Job.kind == Kind.UPSCALE,
                Job.finished_at > since,
                File.width * File.height > 0,
            )
            .order_by(Job.finished_at.desc())
            .limit(_RESULTS)
        ).all()
    groups: dict[tuple[str, int], list[float]] = defaultdict(list)
    for job in found:
        pixels = job.width * job.height
        took = (job.finished_at - job.started_at).total_seconds()
        groups[job.model, sum(pixels >= size for size in SIZES)].append(took / pixels * 1e6)
    return [
        Speed(model, size, len(each), *_median_and_p90(each))
        for (model, size), each in sorted(groups.items())
    ]


def failures(store: Store, days: int) -> Mapping[str, int]:
    """Jobs that failed in the last `days` times 24 hours, by code, the most frequent first."""
    since = store.clock.now() - timedelta(days=days)
    number = func.count().label("number")
    with store.reading() as rows:
        found = rows.execute(
            select(Job.error_code, number)
            .where(Job.state == State.FAILED, Job.finished_at > since)
            .group_by(Job.error_code)
            .order_by(number.desc(), Job.error_code)
        ).all()
    return {row.error_code: row.number for row in found if row.error_code}


def storage(store: Store) -> list[Stored]:
    """Every byte that is there, by role and age; what is held apart from the rest."""
    at = store.clock.now()
    with store.reading() as rows:
        found = rows.execute(
            select(File.role, _bucket(at).label("age"), func.count(), func.sum(File.size))
            .where(File.deleted_at.is_(None))
            .group_by(File.role, "age")
        ).all()
    return sorted(
        (
            Stored(Role(role), None if age < 0 else age, files, int(size))
            for role, age, files, size in found
        ),
        key=lambda stored: (stored.age is None, stored.age or 0, stored.role),
    )


def needed(store: Store) -> Mapping[str, int]:
    """How many jobs that wait or run need each model; those that none needs are not in it."""
    with store.reading() as rows:
        found = rows.execute(
            select(Job.model, func.count().label("number"))
            .where(Job.state.in_([State.QUEUED, State.RUNNING]), Job.kind != Kind.CONVERT)
            .group_by(Job.model)
        )
        return {row.model: row.number for row in found}


def _bucket(at: datetime) -> Any:
    whens = [
        (File.created_at > at - timedelta(hours=hours), number) for number, hours in enumerate(AGES)
    ]
    return case((held(at), -1), *whens, else_=len(AGES))


def _median_and_p90(values: Sequence[float]) -> tuple[float, float]:
    if len(values) == 1:
        return values[0], values[0]
    tenths = quantiles(values, n=10, method="inclusive")
    return tenths[4], tenths[8]
