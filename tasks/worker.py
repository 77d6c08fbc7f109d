"""The worker process: huey's consumer around the engine. The one place that wires the two.

On a GPU several jobs are done beside each other, each in a thread of its own. Asked to leave, it
takes no further job, gives the current ones some seconds to finish, then hands them back. Torch is
imported here and nowhere else in the service.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable

from app.settings import Settings
from db import waiting, workers
from db.clock import Readers
from db.errors import StoreError
from db.store import Store
from db.work import Kind
from inference.errors import Canceled, EngineError
from inference.installed import ModelFolder
from tasks import pacing
from tasks.crew import Crew
from tasks.express import KINDS, Express
from tasks.service import Service

FINISH_WITHIN = 10.0
"""Seconds that a job gets to finish once the worker was asked to leave."""

_STOP_WITHIN = FINISH_WITHIN + 4.0
_WARM_AHEAD = 200_000_000
"""Bytes of weights that the express lane keeps loaded: a try uses all models in turn."""
_LOOK_EVERY = 0.5
_SEEN_EVERY = 20.0

log = logging.getLogger(__name__)


def run(settings: Settings, readers: Readers | None = None) -> int:
    """Work until SIGTERM or SIGINT. The exit status is 1 when the queue's file was deleted."""
    worker = _Worker(settings)
    with Service.open(settings, worker.work_on, readers) as service:
        return worker.run(service)


class _Worker:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._leaving = threading.Event()
        self._leave_at = float("inf")
        self._crew: Crew | None = None

    def work_on(self, store: Store) -> Callable[[], None]:
        """What a nudge sets off: everything that can be done, one job after the other, or as many
        beside each other as the device takes."""
        # Here, and not above: neither the web process nor the scheduler may import torch.
        from inference.allocator import keep_freed_memory
        from inference.company import Company
        from inference.engine import Engine
        from inference.threads import keep_to_own_cores
        from inference.weights import ModelStore
        from tasks.conversion import Room
        from tasks.upscaling import Upscaler

        keep_freed_memory()
        keep_to_own_cores()
        megabytes = self._settings.memory_megabytes
        budget = None if megabytes is None else round(megabytes * 1e6)
        most_pixels = round(self._settings.max_output_megapixels * 1e6)

        def new_engine(warm_bytes: int) -> Engine:
            return Engine(
                ModelStore(self._settings.models_dir),
                self._settings.device,
                max_input_pixels=round(self._settings.max_input_megapixels * 1e6),
                max_output_pixels=most_pixels,
                warm_bytes=warm_bytes,
                memory_budget=budget,
            )

        warm_bytes = round(self._settings.warm_models_megabytes * 1e6)
        engine = new_engine(warm_bytes)
        at_once = self._settings.pictures_at_once or engine.at_once
        self._ids = [workers.register(store, str(engine.device)) for _ in range(at_once)]
        # Where pictures take turns on the device anyway, one engine is enough. On a CPU a turn may
        # be a whole picture, so what is ahead of the queue has an engine of its own.
        company = Company()
        light = engine if engine.at_once > 1 else new_engine(min(warm_bytes, _WARM_AHEAD))
        ahead = Upscaler(
            store,
            light,
            self._ids[0],
            lambda: time.monotonic() > self._leave_at,
            KINDS,
            conversions=Room(most_pixels, budget),
            company=company,
        )
        self._express = Express(store, ahead.upscale_next)
        self._light = light

        upscalers = [
            Upscaler(
                store,
                engine,
                worker_id,
                lambda: time.monotonic() > self._leave_at,
                company=company,
            )
            for worker_id in self._ids
        ]
        if at_once > 1:
            self._crew = Crew([upscaler.upscale_next for upscaler in upscalers])
            return self._crew.call
        (upscaler,) = upscalers

        def work() -> None:
            while not self._leaving.is_set() and upscaler.upscale_next():
                pass

        return work

    def run(self, service: Service) -> int:
        consumer = service.queue.consumer(_STOP_WITHIN)
        # Where results tell, or will soon, it would only be in somebody's way.
        is_idle = not waiting.is_any_queued(service.store, tuple(Kind))
        must_measure = is_idle and pacing.lightest(waiting.pace(service.store)) is None
        consumer.start()
        self._express.start((lambda: self._measure(service.store)) if must_measure else None)
        # After `start`, which installs huey's: those would drop the running task.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._leave)
        log.info("worker_ready", extra={"worker": str(self._ids[0]), "at_once": len(self._ids)})
        # What waited while no worker was there: its nudges may be gone.
        service.queue.nudge(max(1, waiting.queued_jobs(service.store)))
        seen_at = time.monotonic()
        deleted = False
        while not self._leaving.wait(_LOOK_EVERY):
            if service.queue.was_deleted:
                # The consumer would look into a file that nobody writes to any more.
                deleted = True
                log.error("queue_deleted")
                self._leave()
            consumer.check_worker_health()
            if time.monotonic() - seen_at > _SEEN_EVERY:
                seen_at = time.monotonic()
                self._be_seen(service.store)
        if self._crew:  # first, so that none of them takes a further job
            self._crew.leave(self._leave_at + _STOP_WITHIN - FINISH_WITHIN - time.monotonic())
        consumer.stop(graceful=True)
        self._express.leave(self._leave_at + _STOP_WITHIN - FINISH_WITHIN - time.monotonic())
        for worker_id in self._ids:
            workers.sign_off(service.store, worker_id)
        log.info("worker_left", extra={"worker": str(self._ids[0])})
        return 1 if deleted else 0

    def _measure(self, store: Store) -> None:
        """See how fast this machine is."""
        try:
            model = pacing.lightest(ModelFolder(self._settings.models_dir).names())
            if model is None:
                return
            pace = pacing.measure(self._light, model, self._leaving.is_set)
            for worker_id in self._ids:
                workers.paced(store, worker_id, model.name, pace)
            log.info("worker_paced", extra={"model": model.name, "pixels_per_second": round(pace)})
        except Canceled:
            pass  # asked to leave
        except (EngineError, StoreError) as error:
            log.warning("worker_not_paced", extra={"code": error.code})
        except Exception:
            log.exception("worker_not_paced")

    def _leave(self, *_: object) -> None:
        self._leave_at = min(self._leave_at, time.monotonic() + FINISH_WITHIN)
        self._leaving.set()

    def _be_seen(self, store: Store) -> None:
        try:
            for worker_id in self._ids:
                workers.seen(store, worker_id)
        except StoreError as error:
            log.warning("worker_not_recorded", extra={"code": error.code})
