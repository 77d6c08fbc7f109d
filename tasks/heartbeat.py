"""The thread that keeps a job's lease while the engine works.

Writes progress, renews the lease and hears whether the owner wants the job stopped; the engine's
thread only looks at what this one found out.
"""

import logging
import threading
from types import TracebackType
from typing import Self

from db import jobs
from db.errors import LeaseLost, StoreError
from db.store import Store

_EVERY = 0.3  # seconds: with the engine's own delays, a stop is noticed within a second

log = logging.getLogger(__name__)


class Heartbeat:
    """Use as a context around the work on one claim."""

    def __init__(self, store: Store, claim: jobs.Claim) -> None:
        self.canceled = threading.Event()
        """The owner wants the job stopped."""
        self.lost = threading.Event()
        """The job is another worker's now."""
        self._store = store
        self._claim = claim
        self._progress = (0, 0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    @property
    def should_stop(self) -> bool:
        return self.canceled.is_set() or self.lost.is_set()

    @property
    def units(self) -> int:
        """All the work there is, as it was last told."""
        return self._progress[1]

    def show(self, done: int, total: int) -> None:
        """How far the work is; written down with the next beat."""
        self._progress = (done, total)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_EVERY):
            try:
                if jobs.progress(self._store, self._claim, *self._progress):
                    self.canceled.set()
            except LeaseLost:
                self.lost.set()
                return
            except StoreError as error:
                # The database is busy: the lease lasts for many beats, so the next one may do it.
                log.warning("heartbeat_missed", extra={"code": error.code})
