"""The express lane: one thread beside the queue, for tries and conversions.

They take seconds and must not wait behind a picture that takes hours. So they are not nudged for:
the thread looks into the rows itself, a few times a second, and claims under the same rules as
everybody else.
"""

import logging
import threading
from collections.abc import Callable

from db import waiting
from db.errors import StoreError
from db.store import Store
from db.work import Kind

KINDS = (Kind.TRY, Kind.CONVERT)
"""What is ahead of the queue."""

_LOOK_EVERY = 0.25

log = logging.getLogger(__name__)


class Express:
    """A thread that does `next_job` while there is one. `leave` ends it."""

    def __init__(self, store: Store, next_job: Callable[[], bool]) -> None:
        """`next_job()` does one job of `KINDS`, and is false when there is none."""
        self._store = store
        self._next_job = next_job
        self._at_first: Callable[[], None] | None = None
        self._leaving = threading.Event()
        # A daemon: what does not come back in time must not keep the process.
        self._thread = threading.Thread(target=self._run, name="express", daemon=True)

    def start(self, at_first: Callable[[], None] | None = None) -> None:
        """`at_first()` is called once, before all jobs, and raises nothing."""
        self._at_first = at_first
        self._thread.start()

    def leave(self, within: float) -> None:
        """Begin nothing more, and wait up to `within` seconds for what was begun."""
        self._leaving.set()
        if self._thread.ident is not None:
            self._thread.join(max(0.0, within))

    def _run(self) -> None:
        if self._at_first:
            self._at_first()
        while not self._leaving.wait(_LOOK_EVERY):
            try:
                # Asked first, because claiming takes the lock that everybody writes under.
                while not self._leaving.is_set() and waiting.is_any_queued(self._store, KINDS):
                    if not self._next_job():
                        break
            except StoreError as error:
                log.warning("express_not_served", extra={"code": error.code})
            except Exception:
                log.exception("express_failed")
