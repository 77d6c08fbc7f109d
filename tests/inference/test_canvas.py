"""The tile loop against fakes: one that sees how far it looks, one that runs out of memory.

The fakes enlarge by repeating pixels after mixing each pixel with its neighbourhood, so a halo that
is too narrow, a slip of one row or a stale tile changes the result.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inference.canvas import Canvas
from inference.errors import InvalidWeights, OutOfMemory
from inference.halo import Cutting
from inference.network import NonFiniteResult

Pixels = NDArray[np.uint8]


class FakeNetwork:
    """Each result pixel is the maximum of a square of 2 * halo + 1 input pixels."""

    def __init__(self, scale: int = 2, halo: int = 3, align: int = 1) -> None:
        self.scale, self.halo = scale, halo
        self.cutting = Cutting(halo, align)
        self.dtype = torch.float16
        self.before: Callable[[int], None] = lambda call: None
        self.calls = 0
        self.windows: list[tuple[int, int]] = []

    def __call__(self, window: Pixels, on_work: Callable[[float], None] | None = None) -> Pixels:
        self.calls += 1
        self.windows.append(window.shape[:2])
        self.before(self.calls)
        padded = np.pad(window, ((self.halo,) * 2, (self.halo,) * 2, (0, 0)), "edge")
        views = np.lib.stride_tricks.sliding_window_view(padded, (2 * self.halo + 1,) * 2, (0, 1))
        if on_work:
            on_work(0.5)
        return views.max((-1, -2)).repeat(self.scale, 0).repeat(self.scale, 1)


def noise(height: int, width: int, channels: int = 3) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)


def fail_on(calls: set[int], error: Exception) -> Callable[[int], None]:
    def before(call: int) -> None:
        if call in calls:
            raise error

    return before


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    tile=st.one_of(st.none(), st.integers(16, 60)),
    scale=st.integers(1, 4),
    channels=st.integers(1, 4),
)
def test_tiles_give_exactly_what_the_whole_picture_gives(
    height: int, width: int, tile: int | None, scale: int, channels: int
) -> None:
    pixels = noise(height, width, channels)

    rows = list(Canvas(FakeNetwork(scale), pixels, tile).rows())

    assert np.array_equal(np.concatenate(rows), FakeNetwork(scale)(pixels))


def test_this_fake_would_notice_a_halo_that_is_one_pixel_short() -> None:
    class Nearsighted(FakeNetwork):
        """Looks one pixel further than it says."""

        def __call__(self, window: Pixels, on_work: object = None) -> Pixels:
            self.halo += 1
            result = super().__call__(window)
            self.halo -= 1
            return result

    pixels = noise(64, 64)

    rows = list(Canvas(Nearsighted(), pixels, 32).rows())

    assert not np.array_equal(np.concatenate(rows), Nearsighted()(pixels))


@pytest.mark.parametrize("call", range(1, 5))
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("scripted"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 12 bytes"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_running_out_of_memory_on_any_call_leaves_no_wrong_pixel(
    call: int, error: Exception
) -> None:
    pixels = noise(128, 128)
    network = FakeNetwork()
    network.before = fail_on({call}, error)
    canvas = Canvas(network, pixels, 64)

    rows = list(canvas.rows())

    assert np.array_equal(np.concatenate(rows), FakeNetwork()(pixels))
    assert (canvas.restarts, canvas.tile) == (1, 32)


def test_rows_that_were_finished_before_memory_ran_out_are_not_made_twice() -> None:
    pixels = noise(128, 64)
    network = FakeNetwork()
    network.before = fail_on({2}, torch.OutOfMemoryError("scripted"))
    canvas = Canvas(network, pixels, 64)

    rows = [len(band) for band in canvas.rows()]

    assert rows == [128, 64, 64]
    assert canvas.tiles_done == 1 + 4


def test_memory_may_run_out_again_and_again_until_the_pieces_fit() -> None:
    pixels = noise(100, 100)
    network = FakeNetwork()

    def only_small_windows(_call: int) -> None:
        if max(network.windows[-1]) > 45:
            raise torch.OutOfMemoryError("scripted")

    network.before = only_small_windows
    canvas = Canvas(network, pixels, None)

    rows = list(canvas.rows())

    assert np.array_equal(np.concatenate(rows), FakeNetwork()(pixels))
    assert (canvas.restarts, canvas.tile) == (2, 32)


def test_memory_that_never_suffices_ends_in_a_typed_error() -> None:
    network = FakeNetwork()
    network.before = fail_on(set(range(99)), torch.OutOfMemoryError("scripted"))

    with pytest.raises(OutOfMemory, match="32 × 32"):
        list(Canvas(network, noise(100, 100), None).rows())

    assert network.calls == 3


def test_another_fault_of_the_device_is_not_taken_for_a_lack_of_memory() -> None:
    network = FakeNetwork()
    network.before = fail_on({1}, RuntimeError("CUDA error: illegal memory access to allocate"))

    with pytest.raises(RuntimeError, match="illegal"):
        list(Canvas(network, noise(40, 40), None).rows())

    assert network.calls == 1


def test_a_result_that_is_no_number_is_made_again_in_full_precision() -> None:
    pixels = noise(64, 64)
    half, full = FakeNetwork(), FakeNetwork()
    full.dtype = torch.float32
    half.before = fail_on({3}, NonFiniteResult())
    canvas = Canvas(half, pixels, 32, in_full_precision=lambda: full)

    rows = list(canvas.rows())

    assert np.array_equal(np.concatenate(rows), FakeNetwork()(pixels))
    assert canvas.fell_back
    assert (half.calls, full.calls) == (3, 2)


def test_weights_that_give_no_numbers_even_in_full_precision_are_refused() -> None:
    network = FakeNetwork()
    network.dtype = torch.float32
    network.before = fail_on({1}, NonFiniteResult())

    with pytest.raises(InvalidWeights, match="NaN"):
        list(Canvas(network, noise(40, 40), None, in_full_precision=lambda: network).rows())


def test_progress_never_goes_back_and_ends_at_its_total() -> None:
    seen: list[tuple[float, int]] = []
    network = FakeNetwork()
    network.before = fail_on({6}, torch.OutOfMemoryError("scripted"))

    list(Canvas(network, noise(128, 128), 64, lambda *now: seen.append(now)).rows())
    finished = [done for done, _ in seen]
    ahead = [done / total for done, total in seen]

    assert finished == sorted(finished)
    assert all(0 <= share <= 1 for share in ahead)
    assert seen[-1][0] == seen[-1][1]


class Opinionated(FakeNetwork):
    """Adds to every window a brightness of its own, as statistics of a whole picture would."""

    def __init__(self, blend: int = 16, halo: int = 3) -> None:
        super().__init__(halo=halo)
        self.cutting = Cutting(halo, 1, blend)

    def __call__(self, window: Pixels, on_work: Callable[[float], None] | None = None) -> Pixels:
        result = super().__call__(window, on_work)
        return result // 4 + np.uint8(100 + 20 * (self.calls % 2))


@pytest.mark.parametrize("failing", [set(), {1}, {2}, {3}, {5}], ids=str)
def test_neighbours_that_disagree_are_mixed_without_an_edge(failing: set[int]) -> None:
    """Running out of memory in between changes where the cuts are, not what a cut looks like."""
    network = Opinionated()
    network.before = fail_on(failing, torch.OutOfMemoryError("scripted"))
    flat = np.full((130, 120, 3), 40, np.uint8)

    result = np.concatenate(list(Canvas(network, flat, 64).rows())).astype(int)

    assert result.shape == (260, 240, 3)
    assert np.ptp(result) >= 10, "the fake does not disagree with itself"
    # Without mixing the step at a cut is 20.
    assert np.abs(np.diff(result, axis=0)).max() <= 4
    assert np.abs(np.diff(result, axis=1)).max() <= 4


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    tile=st.integers(16, 60),
    blend=st.integers(0, 48),
    fail=st.integers(1, 6),
)
def test_mixing_changes_nothing_where_neighbours_agree(
    height: int, width: int, tile: int, blend: int, fail: int
) -> None:
    pixels = noise(height, width)
    network = FakeNetwork()
    network.cutting = Cutting(network.halo, 1, blend)
    if max(height, width) > 32:  # else there is nothing left to cut
        network.before = fail_on({fail}, torch.OutOfMemoryError("scripted"))

    try:
        rows = list(Canvas(network, pixels, tile).rows())
    except OutOfMemory:
        return

    assert np.array_equal(np.concatenate(rows), FakeNetwork()(pixels))


def test_rows_that_are_to_be_mixed_wait_for_the_next_band() -> None:
    network = Opinionated(blend=16)

    rows = [len(band) for band in Canvas(network, noise(128, 64), 64).rows()]

    assert rows == [128 - 16, 128 + 16]


def test_a_network_for_whole_pictures_is_never_given_a_piece() -> None:
    network = FakeNetwork()
    network.cutting = Cutting(0, 1, whole=True)

    list(Canvas(network, noise(100, 90), 32).rows())

    assert network.windows == [(100, 90)]
    network.before = fail_on({2}, torch.OutOfMemoryError("scripted"))
    with pytest.raises(OutOfMemory, match="whole pictures only"):
        list(Canvas(network, noise(100, 90), 32).rows())
