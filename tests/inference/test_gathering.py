"""Several callers on one device, with a network that a test can hold still."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inference import gathering as gathering_module
from inference.errors import Canceled
from inference.gathering import Gathering, InTurn
from inference.halo import Cutting
from inference.loader import describe
from inference.network import Network, NonFiniteResult
from tests.inference.networks import compact, esrgan, random_weights

Pixels = NDArray[np.uint8]
OnWork = Callable[[float], None]

PATIENCE = 30.0
"""Seconds after which a test fails that would otherwise hang."""


class FakeNetwork:
    """Inverts and doubles; tells what it ran, and stops where it is told to."""

    scale = 2
    dtype = torch.float32
    cutting = Cutting(0, 1)

    def __init__(self) -> None:
        self.ran: list[int] = []
        """How many windows each run had."""
        self.fits = 1 << 40
        self.before: Callable[[Sequence[Pixels]], None] = lambda windows: None
        self.now = 0
        self.most_at_once = 0
        self._counting = threading.Lock()

    def __call__(self, window: Pixels, on_work: OnWork | None = None) -> Pixels:
        return self.batch([window], on_work)[0]

    def batch(self, windows: Sequence[Pixels], on_work: OnWork | None = None) -> list[Pixels]:
        assert len({window.shape for window in windows}) == 1
        with self._counting:
            self.now += 1
            self.most_at_once = max(self.most_at_once, self.now)
        self.ran.append(len(windows))
        try:
            for share in (0.25, 0.75):
                if on_work:
                    on_work(share)
                self.before(windows)
            return [expected(window) for window in windows]
        finally:
            with self._counting:
                self.now -= 1

    def pixels_within(self, available: int) -> int:
        return min(available, self.fits)


def expected(window: Pixels) -> Pixels:
    return (255 - window).repeat(2, 0).repeat(2, 1)


def picture(seed: int, height: int = 4, width: int = 6, channels: int = 3) -> Pixels:
    shape = (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture(autouse=True)
def a_cpu_that_gathers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gathering_module._MOST_PIXELS, "cpu", 1 << 20)


@pytest.fixture
def gathering() -> Gathering:
    return Gathering(torch.device("cpu"))


class Caller:
    """A thread that runs one window."""

    def __init__(self, run: Callable[[], Pixels]) -> None:
        self.result: Pixels | None = None
        self.error: BaseException | None = None
        self._run = run
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.result = self._run()
        except BaseException as error:
            self.error = error

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def join(self) -> "Caller":
        self._thread.join(PATIENCE)
        assert self.is_done, "it hangs"
        return self


class Scene:
    """Callers that queue up behind one that has the device until `goes_on`."""

    def __init__(self, gathering: Gathering) -> None:
        self.gathering = gathering
        self.callers: list[Caller] = []
        self._go_on = threading.Event()
        first = FakeNetwork()
        first.before = lambda windows: until(self._go_on.is_set)
        self._first = Caller(lambda: gathering.run(first, picture(0)))
        until(lambda: gathering._holder is not None)

    def joins(
        self,
        network: FakeNetwork,
        window: Pixels,
        on_work: OnWork | None = None,
        budget: int | None = None,
    ) -> Caller:
        """One more caller, certainly behind those before."""
        waiting = len(self.gathering._waiting)
        caller = Caller(lambda: self.gathering.run(network, window, on_work, budget))
        until(lambda: len(self.gathering._waiting) > waiting or caller.is_done)
        self.callers.append(caller)
        return caller

    def goes_on(self) -> None:
        self._go_on.set()
        self._first.join()

    def ends(self) -> None:
        self.goes_on()
        for caller in self.callers:
            caller.join()
        assert not self.gathering._waiting
        assert self.gathering._holder is None


@pytest.fixture
def scene(gathering: Gathering) -> Iterator[Scene]:
    scene = Scene(gathering)
    yield scene
    scene.ends()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it hangs"
        time.sleep(0.002)


def test_a_caller_alone_makes_a_plain_call(gathering: Gathering) -> None:
    class Plain(FakeNetwork):
        def __call__(self, window: Pixels, on_work: OnWork | None = None) -> Pixels:
            assert on_work is on_its_way
            return expected(window)

        def batch(self, windows: Sequence[Pixels], on_work: OnWork | None = None) -> list[Pixels]:
            pytest.fail("nobody else is there")

    def on_its_way(share: float) -> None: ...

    result = gathering.run(Plain(), picture(1), on_its_way)

    assert np.array_equal(result, expected(picture(1)))


def test_who_waits_for_the_device_is_served_together(scene: Scene) -> None:
    network = FakeNetwork()
    callers = [scene.joins(network, picture(seed)) for seed in range(5)]

    scene.ends()

    assert network.ran == [5]
    for seed, caller in enumerate(callers):
        assert np.array_equal(caller.result, expected(picture(seed)))


def test_only_what_is_alike_goes_together_and_the_oldest_first(scene: Scene) -> None:
    order: list[tuple[int, ...]] = []
    network, other = FakeNetwork(), FakeNetwork()
    network.before = other.before = lambda windows: order.append(
        (len(windows), *windows[0].shape, windows[0].itemsize)
    )
    windows = [
        (network, picture(1)),
        (network, picture(2, height=5)),
        (other, picture(3)),
        (network, picture(4, channels=1)),
        (network, picture(5).astype(np.uint16)),
        (network, picture(6, height=5)),
        (network, picture(7)),
    ]
    callers = [scene.joins(*window) for window in windows]

    scene.ends()

    assert order[::2] == [
        (2, 4, 6, 3, 1),
        (2, 5, 6, 3, 1),
        (1, 4, 6, 3, 1),
        (1, 4, 6, 1, 1),
        (1, 4, 6, 3, 2),
    ]
    for (_, window), caller in zip(windows, callers, strict=True):
        assert np.array_equal(caller.result, expected(window))


@pytest.mark.parametrize(
    ("fits", "budgets", "most", "ran"),
    [
        (24 * 2, [None] * 5, 1 << 20, [2, 2, 1]),
        (1 << 40, [None, 24 * 3, None, None, None], 1 << 20, [3, 2]),
        (1 << 40, [None] * 5, 24 * 4, [4, 1]),
        (1 << 40, [None] * 5, 0, [1] * 5),
        (5, [None] * 5, 1 << 20, [1] * 5),
    ],
    ids=["memory", "a budget", "what fills the device", "a CPU", "not even one"],
)
def test_no_more_go_together_than_there_is_room_for(
    fits: int,
    budgets: list[int | None],
    most: int,
    ran: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(gathering_module._MOST_PIXELS, "cpu", most)
    scene = Scene(Gathering(torch.device("cpu")))
    network = FakeNetwork()
    network.fits = fits
    callers = [scene.joins(network, picture(i), budget=b) for i, b in enumerate(budgets)]

    scene.ends()

    assert network.ran == ran
    assert all(np.array_equal(c.result, expected(picture(i))) for i, c in enumerate(callers))


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("scripted"), NonFiniteResult(), RuntimeError("a bug")],
    ids=lambda error: type(error).__name__,
)
def test_what_fails_together_is_run_one_by_one_and_reaches_whom_it_concerns(
    scene: Scene, error: Exception
) -> None:
    network = FakeNetwork()
    bad = picture(2)

    def fails(windows: Sequence[Pixels]) -> None:
        if any(np.array_equal(window, bad) for window in windows):
            raise error

    network.before = fails
    callers = [scene.joins(network, picture(seed)) for seed in range(4)]

    scene.ends()

    assert network.ran == [4, 1, 1, 1, 1]
    assert callers[2].error is error
    assert callers[2].result is None
    for seed in (0, 1, 3):
        assert callers[seed].error is None
        assert np.array_equal(callers[seed].result, expected(picture(seed)))


def test_memory_that_is_too_small_together_is_enough_one_by_one(scene: Scene) -> None:
    network = FakeNetwork()

    def scarce(windows: Sequence[Pixels]) -> None:
        if len(windows) > 1:
            raise torch.OutOfMemoryError("scripted")

    network.before = scarce
    callers = [scene.joins(network, picture(seed)) for seed in range(3)]

    scene.ends()

    assert all(np.array_equal(c.result, expected(picture(i))) for i, c in enumerate(callers))


def stopping_when(event: threading.Event) -> OnWork:
    def on_work(share: float) -> None:
        if event.is_set():
            raise Canceled

    return on_work


def test_who_waits_may_leave_at_once(scene: Scene) -> None:
    network, stop = FakeNetwork(), threading.Event()
    staying = scene.joins(network, picture(1))
    leaving = scene.joins(network, picture(2), stopping_when(stop))
    stop.set()

    leaving.join()

    assert isinstance(leaving.error, Canceled)
    assert not staying.is_done
    scene.ends()
    assert network.ran == [1]
    assert np.array_equal(staying.result, expected(picture(1)))


@pytest.mark.parametrize("who", [0, 1, 2], ids=["who runs them", "another", "the last"])
def test_one_who_leaves_while_they_run_together_ends_nobody_elses(scene: Scene, who: int) -> None:
    network, stop, go_on = FakeNetwork(), threading.Event(), threading.Event()
    network.before = lambda windows: until(go_on.is_set)
    callers = [
        scene.joins(network, picture(i), stopping_when(stop if i == who else threading.Event()))
        for i in range(3)
    ]
    scene.goes_on()
    until(lambda: network.ran == [3])
    stop.set()
    if who != 0:
        callers[who].join()  # at once: the others' windows are not done
    go_on.set()

    scene.ends()

    assert isinstance(callers[who].error, Canceled)
    assert network.ran == [3]
    for seed in {0, 1, 2} - {who}:
        assert callers[seed].error is None
        assert np.array_equal(callers[seed].result, expected(picture(seed)))


def test_when_all_have_left_their_run_ends(scene: Scene) -> None:
    network, stop, go_on = FakeNetwork(), threading.Event(), threading.Event()
    looks: list[int] = []

    def before(windows: Sequence[Pixels]) -> None:
        looks.append(len(windows))
        until(go_on.is_set)

    network.before = before
    callers = [scene.joins(network, picture(seed), stopping_when(stop)) for seed in range(3)]
    scene.goes_on()
    until(lambda: looks == [3])
    stop.set()
    for caller in callers[1:]:
        caller.join()
    go_on.set()

    scene.ends()

    assert looks == [3]  # and not a second time, for the second half
    assert all(isinstance(caller.error, Canceled) for caller in callers)


def test_one_who_leaves_from_a_run_that_fails_is_not_run_again(scene: Scene) -> None:
    network, stop = FakeNetwork(), threading.Event()
    leaving: list[Caller] = []

    def fails(windows: Sequence[Pixels]) -> None:
        if len(windows) > 1:
            stop.set()
            leaving[0].join()
            raise torch.OutOfMemoryError("scripted")

    network.before = fails
    first = scene.joins(network, picture(1))
    leaving.append(scene.joins(network, picture(2), stopping_when(stop)))
    last = scene.joins(network, picture(3))

    scene.ends()

    assert network.ran == [3, 1, 1]
    assert isinstance(leaving[0].error, Canceled)
    assert np.array_equal(first.result, expected(picture(1)))
    assert np.array_equal(last.result, expected(picture(3)))


def test_everybody_is_told_of_progress_in_their_own_thread(scene: Scene) -> None:
    network, go_on = FakeNetwork(), threading.Event()
    network.before = lambda windows: until(go_on.is_set)
    told: list[list[tuple[int, float]]] = [[], [], []]
    callers = [
        scene.joins(
            network,
            picture(seed),
            lambda share, mine=told[seed]: mine.append((threading.get_ident(), share)),
        )
        for seed in range(3)
    ]
    scene.goes_on()
    until(lambda: all(any(share == 0.25 for _, share in mine) for mine in told))
    go_on.set()
    scene.ends()

    assert all(caller.result is not None for caller in callers)
    for mine in told:
        shares = [share for _, share in mine]
        assert shares == sorted(shares)
        assert len({thread for thread, _ in mine}) == 1
    assert len({mine[0][0] for mine in told}) == 3


def test_who_has_the_device_alone_shares_it_with_nobody(gathering: Gathering) -> None:
    network = FakeNetwork()
    with gathering.alone():
        caller = Caller(lambda: gathering.run(network, picture(1)))
        until(lambda: len(gathering._waiting) == 1)
        assert network.ran == []
    assert np.array_equal(caller.join().result, expected(picture(1)))

    with pytest.raises(ZeroDivisionError), gathering.alone():
        raise ZeroDivisionError
    assert np.array_equal(gathering.run(network, picture(2)), expected(picture(2)))


def test_who_waits_to_be_alone_may_leave(scene: Scene) -> None:
    def stop() -> None:
        raise Canceled

    with pytest.raises(Canceled), scene.gathering.alone(stop):
        pytest.fail("somebody else has the device")

    assert not scene.gathering._waiting


def test_how_a_picture_may_be_cut_is_asked_when_nobody_else_is_on_the_device(
    gathering: Gathering,
) -> None:
    taken: list[bool] = []

    class Measured(FakeNetwork):
        @property
        def cutting(self) -> Cutting:
            taken.append(gathering._holder is not None)
            return Cutting(3, 2)

    network = InTurn(gathering, Measured())

    assert network.cutting == network.cutting == Cutting(3, 2)
    assert taken == [True]
    assert (network.scale, network.dtype) == (2, torch.float32)
    assert np.array_equal(network(picture(1)), expected(picture(1)))


@pytest.mark.parametrize("seed", range(3))
def test_eight_callers_with_twenty_pictures_each_get_theirs_or_their_own_error(seed: int) -> None:
    gathering = Gathering(torch.device("cpu"))
    networks = [FakeNetwork(), FakeNetwork()]
    chance = random.Random(seed)

    def unreliable(windows: Sequence[Pixels]) -> None:
        time.sleep(chance.choice([0, 0, 0.0005]))
        if len(windows) > 1 and chance.random() < 0.1:
            raise torch.OutOfMemoryError("scripted")
        if any(int(window[0, 0, 0]) % 23 == 0 for window in windows):
            raise NonFiniteResult

    for network in networks:
        network.before = unreliable
    before = threading.active_count()

    def works(number: int) -> Callable[[], Pixels]:
        own = random.Random(100 * seed + number)

        def work() -> Pixels:
            for turn in range(20):
                window = picture(1000 * number + turn, height=own.choice([3, 4]))
                cancels = own.random() < 0.15
                looks = 0

                def on_work(share: float, cancels: bool = cancels) -> None:
                    nonlocal looks
                    looks += 1
                    if cancels and looks > 1:
                        raise Canceled

                bad = int(window[0, 0, 0]) % 23 == 0
                try:
                    result = gathering.run(own.choice(networks), window, on_work)
                except NonFiniteResult:
                    assert bad
                except Canceled:
                    assert cancels
                else:
                    assert not bad
                    assert np.array_equal(result, expected(window))
            return window

        return work

    callers = [Caller(works(number)) for number in range(8)]
    for caller in callers:
        caller.join()

    assert [caller.error for caller in callers] == [None] * 8
    assert networks[0].most_at_once == networks[1].most_at_once == 1
    assert max(networks[0].ran + networks[1].ran) > 1
    assert not gathering._waiting
    assert gathering._holder is None
    assert threading.active_count() <= before


@pytest.mark.parametrize("make", [compact, esrgan], ids=["whole", "in strips"])
def test_a_real_network_gives_together_what_it_gives_alone(scene: Scene, make: object) -> None:
    network = Network(describe(random_weights(make())), torch.device("cpu"), torch.float32)
    windows = [picture(seed, 21, 30) for seed in range(4)]
    runs: list[int] = []
    really = network.batch
    network.batch = lambda windows, on_work=None: (
        runs.append(len(windows)) or really(windows, on_work)
    )
    callers = [scene.joins(network, window) for window in windows]

    scene.ends()

    assert runs == [4]
    for window, caller in zip(windows, callers, strict=True):
        apart = np.abs(caller.result.astype(int) - really([window])[0])
        assert apart.max() <= 1
