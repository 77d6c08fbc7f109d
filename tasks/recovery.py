"""Jobs that were left alone get another worker, or an honest end."""

import logging

from db import recovery, waiting
from tasks.service import Service

_NUDGES_AT_MOST = 50

log = logging.getLogger(__name__)


def recover(service: Service) -> int:
    """Take back what lost its worker, fail what waited too long, and nudge for what waits.

    Returns how many jobs wait. A nudge too many does no harm: who follows it finds nothing.
    """
    recovered = recovery.recover(service.store)
    overdue = recovery.fail_overdue(service.store)
    if overdue or any(vars(recovered).values()):
        log.warning("recovered", extra={**vars(recovered), "overdue": overdue})
    queued = waiting.queued_jobs(service.store)
    service.queue.nudge(min(queued, _NUDGES_AT_MOST))
    return queued
