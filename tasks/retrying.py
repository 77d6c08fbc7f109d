"""Trying again what failed, or starting again what was canceled: the same jobs, in their place."""

from uuid import UUID

from db import retries
from tasks.service import Service


def retry(service: Service, user_id: UUID, batch_id: UUID, job_id: UUID | None = None) -> int:
    """Put one job, or all failed ones of a batch, back into the queue; returns how many.

    Raises `NotFound`, `Gone` and `TooManyOpenJobs`.
    """
    number = retries.retry(
        service.store, batch_id, user_id, job_id, most_open_jobs=service.limits.open_jobs
    )
    service.queue.nudge(number)
    return number
