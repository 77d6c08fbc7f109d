"""How often somebody may guess: failures of the last minutes, counted per network and in all.

Kept in memory and bounded by itself: once the limit of all is reached, nothing more is counted.
Knows nothing of what is being guessed.
"""

import time
from collections import deque
from collections.abc import Callable
from math import ceil

WITHIN = 15 * 60
"""Seconds that a failure counts."""

EACH = 5
"""Failures that one network has."""

ALL = 50
"""Failures that the whole world has: who can change networks is stopped here."""


class Failures:
    """One per secret that may be guessed."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        """`seconds` counts up, from anywhere."""
        self._seconds = seconds
        self._noted: deque[tuple[float, str | None]] = deque()

    def wait(self, who: str | None) -> int:
        """Seconds until `who` may guess again; 0 for now."""
        now = self._seconds()
        while self._noted and self._noted[0][0] <= now - WITHIN:
            self._noted.popleft()
        own = [at for at, whose in self._noted if whose == who]
        waits = [0.0]
        if len(own) >= EACH:
            waits.append(own[-EACH] + WITHIN - now)
        if len(self._noted) >= ALL:
            waits.append(self._noted[-ALL][0] + WITHIN - now)
        return ceil(max(waits))

    def note(self, who: str | None) -> None:
        """`who`, of whom `wait` said 0, has guessed wrong."""
        self._noted.append((self._seconds(), who))
