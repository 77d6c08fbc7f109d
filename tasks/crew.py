"""Hands: threads that work beside each other, each on one thing at a time, while there is any.

Knows threads and calls; nothing of jobs. A hand that finds nothing to do ends its thread, so one
who waits costs nothing.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

Hand = Callable[[], bool]
"""Does the next thing; false when there is none. Called by one thread at a time."""

log = logging.getLogger(__name__)


class Crew:
    """Some hands, at rest until they are called. `call` may be called from any thread."""

    def __init__(self, hands: Sequence[Hand]) -> None:
        self._changed = threading.Condition()
        self._resting = list(hands)
        self._size = len(hands)
        self._calls = 0
        self._is_leaving = False

    def call(self) -> None:
        """There may be something to do: one hand more looks, where one rests.

        Where none does, whichever is done first looks again, so no call is lost.
        """
        with self._changed:
            self._calls += 1
            if self._is_leaving or not self._resting:
                return
            hand = self._resting.pop(0)
        # Daemons: a hand that does not come back in time must not keep the process.
        threading.Thread(target=self._work, args=(hand,), name="hand", daemon=True).start()

    def leave(self, within: float) -> bool:
        """Begin nothing more, and wait up to `within` seconds for what was begun; whether all is
        done."""
        until = time.monotonic() + within
        with self._changed:
            self._is_leaving = True
            return self._changed.wait_for(
                lambda: len(self._resting) == self._size, max(0.0, until - time.monotonic())
            )

    def _work(self, hand: Hand) -> None:
        while True:
            calls = self._calls
            try:
                while not self._is_leaving and hand():
                    pass
            except Exception:
                # As when the rows can't be reached; whoever calls next sends it to look again.
                log.exception("hand_failed")
            with self._changed:
                if self._is_leaving or self._calls == calls:
                    self._resting.append(hand)
                    self._changed.notify_all()
                    return
