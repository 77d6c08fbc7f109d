"""Work that goes on beside its caller: one thing after another, in a thread of its own.

Knows a function and a thread; nothing of pixels.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, Self, TypeVar

T = TypeVar("T")

_ASK_EVERY = 0.05  # seconds between two questions whether to go on waiting


class Stage(Generic[T]):
    """Calls `work` for each thing that is pushed, in order, in one background thread.

    Nothing queues: a thing is taken over when the one before is done. So where things are large,
    two are alive at most, the one being worked on and the one that the caller makes meanwhile.
    For a `with` statement; when that has ended, so has the thread, whatever happened.
    """

    def __init__(self, work: Callable[[T], None], check: Callable[[], None]) -> None:
        """`check` is called many times a second, in the caller's thread, while the caller waits;
        what it raises leaves the call that waits.
        """
        self._work = work
        self._check = check
        self._pool = ThreadPoolExecutor(1, "stage")
        self._running: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for what is being worked on. What it raises from now on is lost."""
        self._pool.shutdown()
        # An exception's traceback holds the frames that worked, and these what they worked on.
        self._running = None

    def push(self, thing: T) -> None:
        """Hand over the next thing as soon as the one before is done.

        Raises what the work raised for the one before; then this one is not taken over.
        """
        self.drain()
        self._running = self._pool.submit(self._work, thing)

    def drain(self) -> None:
        """Wait until all that was pushed is done. Raises what the work raised for the last."""
        if self._running is None:
            return
        while not wait((self._running,), _ASK_EVERY).done:
            self._check()
        ended, self._running = self._running, None
        ended.result()
