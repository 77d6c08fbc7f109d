"""What a batch looks like to its owner: for pages, the API and the history.

Knows nobody's batch but the one whose owner asks. Outlives the files: rows stay as history.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from db.errors import NotFound
from db.outcomes import Failure
from db.store import Store
from db.waiting import positions
from db.work import Batch, File, Job, Kind, Role, State


@dataclass(frozen=True)
class FileView:
    id: UUID
    role: Role
    pictures: Role | None
    format: str
    width: int | None
    height: int | None
    size: int
    expires_at: datetime
    readable: bool
    """False from `expires_at` on, and from the moment its owner deletes it."""
    deleted_at: datetime | None
    receipt_id: UUID | None
    """Proof that its bytes are gone."""


@dataclass(frozen=True)
class JobView:
    id: UUID
    name: str
    state: State
    model: str
    scale: int | None
    target_width: int | None
    target_height: int | None
    target_long_side: int | None
    options: Mapping[str, Any]
    report: Mapping[str, Any] | None
    failure: Failure | None
    progress_done: int
    progress_total: int
    position: int | None
    """1 is next; None when it does not wait, or is ahead of the queue."""
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    files: tuple[FileView, ...]


@dataclass(frozen=True)
class BatchView:
    id: UUID
    kind: Kind
    state: State
    label: str | None
    options: Mapping[str, Any]
    created_at: datetime
    expires_at: datetime
    jobs: tuple[JobView, ...]


# Built once: every open page asks every second, and building took longer than asking.
OWN_BATCHES = (
    select(Batch.__table__)
    .where(Batch.user_id == bindparam("user_id"))
    .order_by(Batch.created_at.desc(), Batch.id.desc())
)
"""Rows of `batch` as `views_of` takes them, of the user `user_id`, the newest first."""

_ONE = OWN_BATCHES.where(Batch.id == bindparam("batch_id"))
_OF_THESE = Job.batch_id.in_(bindparam("batch_ids", expanding=True))
_JOBS = select(Job.__table__).where(_OF_THESE).order_by(Job.number)
_FILES = select(File.__table__).join(Job, Job.id == File.job_id).where(_OF_THESE)


def show(store: Store, batch_id: UUID, user_id: UUID) -> BatchView:
    """All that its owner may know about a batch; outlives its files. Raises `NotFound`."""
    with store.reading() as rows:
        found = rows.execute(_ONE, {"user_id": user_id, "batch_id": batch_id}).all()
        views = views_of(rows, user_id, found, store.clock.now())
    if not views:
        raise NotFound
    return views[0]


def views_of(
    rows: Connection, user_id: UUID, batches: Sequence[Any], now: datetime
) -> tuple[BatchView, ...]:
    """What the user sees of these rows of `batch`, all of them theirs, in the same order.

    However many they are, the number of queries is the same.
    """
    if not batches:
        return ()
    these = {"batch_ids": [batch.id for batch in batches]}
    jobs = rows.execute(_JOBS, these).all()
    files = rows.execute(_FILES, these).all()
    waits = any(job.state == State.QUEUED and job.kind == Kind.UPSCALE for job in jobs)
    places = positions(rows, user_id) if waits else {}
    files_of: dict[UUID, list[FileView]] = defaultdict(list)
    for file in files:
        files_of[file.job_id].append(_file_view(file, now))
    jobs_of: dict[UUID, list[JobView]] = defaultdict(list)
    for job in jobs:
        view = _job_view(job, places.get(job.id), tuple(files_of[job.id]))
        jobs_of[job.batch_id].append(view)
    return tuple(_batch_view(batch, tuple(jobs_of[batch.id])) for batch in batches)


def state_of(states: Sequence[State]) -> State:
    """What a batch of jobs in these states is in.

    Queued until a first job has left the queue, running while any is unfinished, then succeeded if
    anything came of it.
    """
    if set(states) == {State.QUEUED}:
        return State.QUEUED
    if {State.QUEUED, State.RUNNING} & set(states):
        return State.RUNNING
    best_first = (State.SUCCEEDED, State.FAILED, State.CANCELED)
    return next((state for state in best_first if state in states), State.CANCELED)


def _batch_view(batch: Any, jobs: tuple[JobView, ...]) -> BatchView:
    return BatchView(
        id=batch.id,
        kind=Kind(batch.kind),
        state=state_of([job.state for job in jobs]),
        label=batch.label,
        options=batch.options,
        created_at=batch.created_at,
        expires_at=batch.expires_at,
        jobs=jobs,
    )


def _job_view(job: Any, position: int | None, its_files: tuple[FileView, ...]) -> JobView:
    failure = None
    if job.error_code is not None:
        failure = Failure(job.error_code, job.error_message, job.error_hint)
    return JobView(
        id=job.id,
        name=job.name,
        state=State(job.state),
        model=job.model,
        scale=job.scale,
        target_width=job.target_width,
        target_height=job.target_height,
        target_long_side=job.target_long_side,
        options=job.options,
        report=job.report,
        failure=failure,
        progress_done=job.progress_done,
        progress_total=job.progress_total,
        position=position,
        cancel_requested=job.cancel_requested,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        files=its_files,
    )


def _file_view(file: Any, now: datetime) -> FileView:
    return FileView(
        id=file.id,
        role=Role(file.role),
        pictures=file.pictures and Role(file.pictures),
        format=file.format,
        width=file.width,
        height=file.height,
        size=file.size,
        expires_at=file.expires_at,
        readable=file.hidden_at is None and now < file.expires_at,
        deleted_at=file.deleted_at,
        receipt_id=file.receipt_id,
    )
