"""Several callers on one device: one at a time, and small windows of one kind together.

A small picture leaves most of a GPU idle. So whoever's turn it is takes along what others hand in
meanwhile, where the windows have the same shape. Nobody waits for others to come: alone, a call is
a plain call.

Being together is a shortcut and changes nothing else. When it fails, for whatever reason, every
window of it is run again by its own caller, so what is raised is that caller's own. One who leaves
leaves the others be. Knows threads and networks' calls; nothing of pictures, files or jobs.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch

from inference import memory
from inference.canvas import PixelNetwork
from inference.halo import Cutting
from inference.meter import OnWork
from inference.samples import Pixels

CALLERS = {"cuda": 8}
"""Callers that keep a device busy, by its type; one elsewhere. While four windows of 256 x 256 are
on the way through x4plus, the results of the four before are encoded."""

# As many pixels as a large picture has, which fills a GPU. With more, all would only wait longer.
# A CPU is no faster with several.
_MOST_PIXELS = {"cuda": 1 << 20}

_ASK_EVERY = 0.05  # seconds between two questions whether to go on waiting


class BatchNetwork(PixelNetwork, Protocol):
    """What is asked of a network: `inference.network.Network`, or a fake."""

    def batch(self, windows: Sequence[Pixels], on_work: OnWork | None = None) -> list[Pixels]: ...

    def pixels_within(self, available: int) -> int: ...


class _Place:
    """In the queue for the device."""


@dataclass(eq=False)
class _Call(_Place):
    """One window's place."""

    network: BatchNetwork
    window: Pixels
    budget: int | None
    result: Pixels | None = None
    share: float = 0.0
    """How much of it is done, where somebody else runs it."""
    alone: bool = False
    """It was run together with others, which failed."""
    left: bool = False
    """Its caller is gone."""

    def goes_with(self, other: "_Call") -> bool:
        return (
            self.network is other.network
            and self.window.shape == other.window.shape
            and self.window.dtype == other.window.dtype
            and not (self.alone or other.alone)
        )


class _AllLeft(Exception):
    """Nobody waits for these windows any more."""


class Gathering:
    """The turns on one device. Safe to share between threads; that is what it is for."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._most_pixels = _MOST_PIXELS.get(device.type, 0)
        self._changed = threading.Condition()
        self._waiting: list[_Place] = []
        """Oldest first, and the first is next."""
        self._holder: _Place | None = None
        """Whose turn it is now."""
        self._group: list[_Call] = []
        """The windows that are run now; the first is the holder's, who runs them all."""

    def run(
        self,
        network: BatchNetwork,
        window: Pixels,
        on_work: OnWork | None = None,
        budget: int | None = None,
    ) -> Pixels:
        """What `network(window, on_work)` gives, as soon as it is this window's turn.

        `on_work` is called in the caller's own thread only, many times a second while it waits. An
        exception that it raises ends the call at once, except where this caller runs others'
        windows together with its own: then when these are done. `budget` is the memory in bytes
        that windows together may take, half of what is free if `None`; alone, a window is not
        measured. Raises what the network raises for this window.
        """
        call = _Call(network, window, budget)
        with self._queued(call):
            while call.result is None:
                if self._has_turn(call):
                    self._lead(call, on_work)
                elif on_work:
                    on_work(call.share)
        return call.result

    @contextmanager
    def alone(self, check: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Have the device to oneself, for anything but a window. Not to be nested.

        `check` is called many times a second while others have their turn; what it raises ends the
        waiting.
        """
        place = _Place()
        with self._queued(place):
            while not self._has_turn(place):
                check()
            yield

    @contextmanager
    def _queued(self, place: _Place) -> Iterator[None]:
        """Whatever ends the block, the place and the turn are given up."""
        with self._changed:
            self._waiting.append(place)
        try:
            yield
        finally:
            with self._changed:
                if isinstance(place, _Call):
                    place.left = True
                if place in self._waiting:
                    self._waiting.remove(place)
                    self._changed.notify_all()
                if self._holder is place:
                    self._end_turn()

    def _has_turn(self, place: _Place) -> bool:
        """Wait a little. If true, the device is the caller's until `_end_turn`."""

        def is_next() -> bool:
            return self._holder is None and bool(self._waiting) and self._waiting[0] is place

        def is_done() -> bool:
            return isinstance(place, _Call) and place.result is not None

        with self._changed:
            self._changed.wait_for(lambda: is_done() or is_next(), _ASK_EVERY)
            if is_done() or not is_next():
                return False
            group = self._alike(place) if isinstance(place, _Call) else []
            self._waiting = [
                other for other in self._waiting if other is not place and other not in group
            ]
            self._group = group
            self._holder = place
            return True

    def _end_turn(self) -> None:
        with self._changed:
            for call in self._group:
                call.alone = True
            self._waiting[:0] = [c for c in self._group if c.result is None and not c.left]
            self._group = []
            self._holder = None
            self._changed.notify_all()

    def _alike(self, call: _Call) -> list[_Call]:
        """The windows that go with this one, itself first, as many as fit."""
        height, width, _ = call.window.shape
        most = self._most_pixels // (height * width)
        alike = [c for c in self._waiting if isinstance(c, _Call) and c.goes_with(call)]
        if most <= 1 or len(alike) <= 1:
            return [call]
        # Nobody else's numbers are on the device now, so what is free is free for these.
        free = memory.available(self._device) // 2
        fitting = call.network.pixels_within(min(c.budget or free for c in alike))
        return alike[: max(1, min(most, fitting // (height * width)))]

    def _lead(self, call: _Call, on_work: OnWork | None) -> None:
        if len(self._group) == 1:
            call.result = call.network(call.window, on_work)
        else:
            self._run_together(self._group, on_work)
        self._end_turn()

    def _run_together(self, group: list[_Call], on_work: OnWork | None) -> None:
        """Give every call its result, or none of them; raise only what the leader's own callback
        raised."""
        leader = group[0]
        stopped: list[BaseException] = []

        def on_shared_work(share: float) -> None:
            for call in group:
                call.share = max(call.share, share)
            if on_work and not stopped:
                try:
                    on_work(share)
                except BaseException as error:  # to be raised when the others have their results
                    stopped.append(error)
                    leader.left = True
            if all(call.left for call in group):
                raise _AllLeft

        ran_out = False
        try:
            results = leader.network.batch([call.window for call in group], on_shared_work)
        except Exception as error:
            ran_out = memory.is_out_of_memory(error)
        else:
            for call, result in zip(group, results, strict=True):
                call.result = result
        if ran_out:
            # Outside the handler: the exception's frames hold the tensors that must go.
            memory.let_go()
        if stopped:
            raise stopped[0]


class InTurn:
    """A network whose calls wait for their turn: what a canvas takes, for one picture."""

    def __init__(
        self,
        gathering: Gathering,
        network: BatchNetwork,
        check: Callable[[], None] = lambda: None,
        budget: int | None = None,
    ) -> None:
        """`check` and `budget` as for `Gathering`."""
        self.scale = network.scale
        self.dtype = network.dtype
        self._gathering = gathering
        self._network = network
        self._check = check
        self._budget = budget
        self._cutting: Cutting | None = None

    @property
    def cutting(self) -> Cutting:
        if self._cutting is None:
            with self._gathering.alone(self._check):  # it may have to be measured
                self._cutting = self._network.cutting
        return self._cutting

    def __call__(self, window: Pixels, on_work: OnWork | None = None) -> Pixels:
        return self._gathering.run(self._network, window, on_work, self._budget)
