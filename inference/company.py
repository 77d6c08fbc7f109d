"""Calls at the same time, which take memory from each other.

What does not fit beside others may fit when one of them has ended. Knows counts and threads only.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ASK_EVERY = 0.05  # seconds between two questions whether to go on waiting


class Company:
    """Who is here. Safe to share between threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._here = 0
        self._waiting = 0
        self._gone = 0

    @contextmanager
    def entered(self) -> Iterator[None]:
        """One more is here, until the block ends."""
        with self._changed:
            self._here += 1
        try:
            yield
        finally:
            with self._changed:
                self._here -= 1
                self._gone += 1
                self._changed.notify_all()

    @property
    def is_empty(self) -> bool:
        """Whether nobody is here."""
        return not self._here

    def has_thinned(self, check: Callable[[], None]) -> bool:
        """Wait until somebody else has left; false, at once, where nobody else is here or all
        others wait like this. To be called by who has entered.

        So there is always one who does not wait, and nobody waits for ever. `check` is called many
        times a second; what it raises ends the waiting.
        """
        with self._changed:
            if self._here - self._waiting <= 1:
                return False
            gone = self._gone
            self._waiting += 1
        try:
            while self._gone == gone:
                check()
                with self._changed:
                    self._changed.wait_for(lambda: self._gone != gone, _ASK_EVERY)
            return True
        finally:
            with self._changed:
                self._waiting -= 1
