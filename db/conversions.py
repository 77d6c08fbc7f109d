"""Results in other formats: what there is to convert, and what was converted before.

Knows whose a result is. Knows nothing of formats.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select

from db.errors import Gone, NotFound
from db.store import Store
from db.work import Batch, File, Job, Kind, Role, State


@dataclass(frozen=True)
class Source:
    """A job that has succeeded, and the result that can be read of it."""

    job_id: UUID
    name: str
    model: str
    scale: int | None
    target_width: int | None
    target_height: int | None
    target_long_side: int | None
    options: Mapping[str, Any]
    format: str
    width: int
    height: int
    expires_at: datetime
    """Of its batch, and of everything that is made of it."""


@dataclass(frozen=True)
class Earlier:
    """A conversion of the same result that was asked for before."""

    batch_id: UUID
    state: State
    options: Mapping[str, Any]


def source(store: Store, job_id: UUID, user_id: UUID) -> Source:
    """Raises `NotFound` where this user has no such result, `Gone` when it cannot be read."""
    with store.reading() as rows:
        row = rows.execute(
            select(
                Job.__table__,
                Batch.expires_at,
                File.format,
                File.width,
                File.height,
                File.hidden_at,
            )
            .join(Batch, Batch.id == Job.batch_id)
            .join(File, and_(File.job_id == Job.id, File.role == Role.RESULT))
            .where(Job.id == job_id, Job.user_id == user_id, Job.kind == Kind.UPSCALE)
        ).one_or_none()
    if row is None:
        raise NotFound
    if row.hidden_at is not None or store.clock.now() >= row.expires_at:
        raise Gone
    return Source(
        job_id=row.id,
        name=row.name,
        model=row.model,
        scale=row.scale,
        target_width=row.target_width,
        target_height=row.target_height,
        target_long_side=row.target_long_side,
        options=row.options,
        format=row.format,
        width=row.width,
        height=row.height,
        expires_at=row.expires_at,
    )


def earlier(store: Store, job_id: UUID, user_id: UUID) -> list[Earlier]:
    """What was converted of this job's result, and is being converted, in any format."""
    with store.reading() as rows:
        found = rows.execute(
            select(Job.batch_id, Job.state, Job.options)
            .where(Job.source_id == job_id, Job.user_id == user_id)
            .order_by(Job.created_at, Job.id)
        ).all()
    return [Earlier(row.batch_id, State(row.state), row.options) for row in found]
