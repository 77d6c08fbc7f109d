"""The timekeeper's process: APScheduler, and who watches it.

Every job runs at once when the process starts, is never skipped for being late, and is safe to run
beside itself, so two schedulers do no harm.
"""

import logging
import signal
import threading
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler

from app.settings import Settings
from db.clock import MACHINE, Readers
from tasks.recovery import recover
from tasks.retention import reconcile_leftovers, sweep
from tasks.service import Service

RETENTION_EVERY = timedelta(minutes=10)
RECONCILE_EVERY = timedelta(minutes=10)
RECOVERY_EVERY = timedelta(minutes=1)

_LOOK_EVERY = 5.0
_JUMP = timedelta(minutes=1)

log = logging.getLogger(__name__)


def run(settings: Settings, readers: Readers | None = None) -> int:
    """Keep time until SIGTERM or SIGINT. The exit status is 1 when the wall clock was moved."""
    leaving = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: leaving.set())
    with Service.open(settings, readers=readers) as service:
        scheduler = _scheduler(service)
        scheduler.start()
        log.info("scheduler_ready")
        drift = service.store.clock.drift()
        jumped = False
        while not leaving.wait(_LOOK_EVERY) and not jumped:
            # APScheduler waits for times of day: set the clock back by a month, and it would sleep
            # for a month. Who starts this process again finds everything due.
            jumped = abs(service.store.clock.drift() - drift) > _JUMP
        if jumped:
            log.error("wall_clock_moved")
        scheduler.shutdown(wait=True)
    return 1 if jumped else 0


def _scheduler(service: Service) -> BackgroundScheduler:
    scheduler = BackgroundScheduler(
        timezone=UTC,
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
    )
    jobs = (
        ("retention", RETENTION_EVERY, lambda: sweep(service)),
        ("reconcile", RECONCILE_EVERY, lambda: reconcile_leftovers(service.store)),
        ("recovery", RECOVERY_EVERY, lambda: recover(service)),
    )
    for name, every, job in jobs:
        scheduler.add_job(
            job,
            "interval",
            seconds=every.total_seconds(),
            id=name,
            # An interval job would first run an interval from now; this is APScheduler's own now.
            next_run_time=datetime.fromtimestamp(MACHINE.wall(), UTC),
        )
    scheduler.add_listener(_report, EVENT_JOB_ERROR)
    return scheduler


def _report(event: JobExecutionEvent) -> None:
    log.error("scheduled_job_failed", extra={"job": event.job_id}, exc_info=event.exception)
