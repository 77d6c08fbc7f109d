"""The queue: huey, carrying nothing.

A message says that there may be something to do; what there is to do, the rows say. So a message
may be lost, doubled or late, and the file that holds them may be deleted at any time.
"""

import json
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huey import SqliteHuey
from huey.consumer import Consumer
from huey.registry import Message
from huey.serializer import Serializer

# A job waits this long at most for an idle worker to look into the queue.
_LOOK_EVERY = 0.25


NUDGE = f"{__name__}.upscale_next"
"""The only name that a message has."""

# Locked for longer than huey waits, no room, or no queue at all.
_UNUSABLE = (sqlite3.Error, OSError)

log = logging.getLogger(__name__)


class Plain(Serializer):  # type: ignore[misc]
    """Messages as JSON. Huey's own are pickles, and whoever can write one runs code."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(list(data)).encode()

    def _deserialize(self, data: bytes) -> Any:
        return Message(*json.loads(data))


class Queue:
    """One end of the queue. `work` is what a nudge sets off; only a worker has it."""

    def __init__(self, path: Path, work: Callable[[], None] | None = None) -> None:
        self._path = path
        self._work = work
        self._huey: SqliteHuey | None = None
        self._inode = 0
        try:
            self._open()
        except _UNUSABLE as error:
            # Who only nudges can do all else without it, and tries again with the next nudge.
            if work is not None:
                raise
            log.warning("queue_not_opened", extra={"error": type(error).__name__})

    def nudge(self, times: int = 1) -> None:
        """Say that there is something to do, `times` times over.

        What is to be done was promised before, so a queue that is full or busy is no error: the
        next recovery nudges again.
        """
        try:
            if self.was_deleted:
                self.close()
                self._open()
            for _ in range(times):
                self._upscale_next()
        except _UNUSABLE as error:
            log.warning("nudge_lost", extra={"error": type(error).__name__})

    @property
    def was_deleted(self) -> bool:
        """Whether the file that this end writes to or reads from is no longer the queue."""
        try:
            return self._path.stat().st_ino != self._inode
        except FileNotFoundError:
            return True

    def consumer(self, stop_within: float) -> Consumer:
        """Huey's consumer with one thread. Stopping waits up to `stop_within` seconds for it.

        A thread, not a process: when the consumer is killed, a process would live on as an orphan
        and keep its job.
        """
        assert self._huey is not None, "only a worker consumes"
        return self._huey.create_consumer(
            workers=1,
            worker_type="thread",
            periodic=False,
            initial_delay=0.1,
            max_delay=_LOOK_EVERY,
            shutdown_timeout=stop_within,
            check_worker_health=True,
            health_check_interval=1,
        )

    def close(self) -> None:
        if self._huey is not None:
            self._huey.storage.close()

    def _open(self) -> None:
        self._path.touch(mode=0o600)
        # No results: huey would keep tracebacks there, with the names of files in them.
        self._huey = SqliteHuey(
            "images", filename=str(self._path), results=False, serializer=Plain()
        )
        self._upscale_next = self._huey.task(name=NUDGE.rpartition(".")[2])(self._run)
        # Opened now: a number of a file that nobody has open may be given to the next file.
        self._huey.storage.conn  # noqa: B018
        self._inode = self._path.stat().st_ino

    def _run(self) -> None:
        assert self._work is not None, "only a worker consumes"
        self._work()
