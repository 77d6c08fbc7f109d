"""The running account of one call to the engine: progress, stop, time, and what to report.

Knows numbers and callbacks; nothing of pixels. Other threads than the caller's may have a part in
the call: they time what they do and ask whether to go on, but the callbacks are called in the
caller's own thread only, as a database or a progress bar expects.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from inference.canvas import Canvas
from inference.errors import Canceled
from inference.scaling import Scaling

OnProgress = Callable[[int, int], None]
ShouldStop = Callable[[], bool]

_STOP_EVERY = 0.1  # seconds between two questions; asking may cost the caller something


class Run:
    """The running account of one call: progress, stop, time, and what the report will say."""

    def __init__(self, on_progress: OnProgress | None, should_stop: ShouldStop | None) -> None:
        self.seconds: dict[str, float] = {}
        self.tile: int | None = None
        self.tiles = 0
        self.restarts = 0
        self.dtype: str | None = None
        self.notes: list[str] = []
        self._on_progress = on_progress
        self._should_stop = should_stop
        self._started = time.perf_counter()
        self._next_check = self._started
        self._passes_done = 0
        self._pixels_done = 0.0
        self._callers_thread = threading.get_ident()
        self._lock = threading.Lock()
        self._ended = False

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the block's wall time to a phase; in any thread, for phases may overlap."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                now = time.perf_counter()
                self.seconds[phase] = self.seconds.get(phase, 0.0) + now - begin
                self.seconds["total"] = now - self._started

    def check(self) -> None:
        """Raise `Canceled` when the caller wants to stop; asks at most every `_STOP_EVERY`.

        In another thread than the caller's: raise it when the call has already ended.
        """
        if self._ended:
            raise Canceled
        now = time.perf_counter()
        if self._should_stop is None or now < self._next_check:
            return
        if threading.get_ident() != self._callers_thread:
            return
        if self._should_stop():
            raise Canceled
        self._next_check = time.perf_counter() + _STOP_EVERY

    @contextmanager
    def ending_other_threads(self) -> Iterator[None]:
        """Whatever exception leaves the block, `check` raises `Canceled` from then on."""
        try:
            yield
        except BaseException:
            self._ended = True
            raise

    def begin_pass(self, scaling: Scaling) -> Callable[[float, int], None]:
        """The callback for this pass's progress; later passes count by their pixels."""
        self._passes_done += 1
        later = sum(
            (scaling.source * scaling.network_scale**index).pixels
            for index in range(self._passes_done, scaling.passes)
        )
        before = self._pixels_done

        def on_pixels(done: float, total: int) -> None:
            self.check()
            self._pixels_done = before + done
            if self._on_progress:
                self._on_progress(int(self._pixels_done), int(before) + total + later)

        return on_pixels

    def end_pass(self, canvas: Canvas) -> None:
        self.tile = canvas.tile
        self.tiles += canvas.tiles_done
        self.restarts += canvas.restarts
        if canvas.restarts:
            self.notes.append("Memory ran out, so the picture was cut into smaller pieces.")
        if canvas.fell_back:
            self.dtype = "fp32"
            self.notes.append("The network left its number range and was run in full precision.")
