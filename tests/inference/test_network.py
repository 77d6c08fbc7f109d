"""Several windows at once, and what a network makes of its strips on their way back."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inference import network as network_module
from inference import planes
from inference.loader import describe
from inference.network import Network, NonFiniteResult
from tests.inference.networks import compact, esrgan, random_weights, ready, span, swinir

Pixels = NDArray[np.uint8]

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
        ],
    ),
]

NETWORKS = {
    "esrgan 4x": lambda: esrgan(),
    "esrgan 2x, pixels folded in twos": lambda: esrgan(scale=4, shuffle=2),
    "compact 4x": lambda: compact(),
    "compact for grey": lambda: compact(channels=1),
    "compact for four channels": lambda: compact(channels=4),
    "span 4x": lambda: span(),
    "swinir 2x": lambda: swinir(),
}


def pictures(number: int, height: int, width: int, channels: int) -> list[Pixels]:
    rng = np.random.default_rng(4)
    coarse = rng.integers(0, 256, (number, height // 4 + 1, width // 4 + 1, channels))
    fine = coarse.repeat(4, 1).repeat(4, 2)[:, :height, :width]
    return list(fine.astype(np.uint8))


def apart(ones: list[Pixels], others: list[Pixels]) -> int:
    return max(
        int(np.abs(one.astype(int) - other).max()) for one, other in zip(ones, others, strict=True)
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())
def test_windows_together_give_what_each_gives_alone(
    make: object, channels: int, device: str
) -> None:
    weights = random_weights(make())
    network = Network(describe(weights), torch.device(device), torch.float32)
    windows = pictures(3, 21, 30, channels)

    together = network.batch(windows)

    alone = [network(window) for window in windows]
    assert [result.shape for result in together] == [result.shape for result in alone]
    assert apart(together, alone) <= 1
    assert apart(together[:1], together[1:2]) > 20


def test_fused_windows_together_give_what_plain_ones_give() -> None:
    weights, cpu = random_weights(esrgan()), torch.device("cpu")
    plain = Network(describe(weights), cpu, torch.float32)
    fused = Network(describe(weights), cpu, torch.float32, "onednn-fused")
    windows = pictures(2, 40, 150, 3)

    assert apart(fused.batch(windows), [plain(window) for window in windows]) <= 1


def test_progress_of_windows_together_rises_to_one() -> None:
    seen: list[float] = []

    ready(esrgan()).batch(pictures(3, 40, 40, 4), seen.append)

    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("make", [esrgan, compact], ids=["in strips", "whole"])
def test_one_window_that_leaves_the_number_range_spoils_all_of_them(make: object) -> None:
    weights = random_weights(make())
    convolutions = [name for name, value in weights.items() if value.dim() == 4]
    for name in (convolutions[0], convolutions[-1]):
        weights[name] = weights[name] * 1e30
    for name, value in weights.items():
        if value.dim() == 1 and "bias" in name:
            weights[name] = torch.zeros_like(value)
    network = Network(describe(weights), torch.device("cpu"), torch.float32)
    black, light = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 200, np.uint8)

    assert not network(black).any()
    with pytest.raises(NonFiniteResult):
        network.batch([black, light])


@pytest.mark.parametrize("device", DEVICES)
def test_a_network_in_strips_keeps_their_order(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.split.STRIP_PIXELS", 1)
    network = Network(describe(random_weights(esrgan())), torch.device(device), torch.float32)
    [window] = pictures(1, 100, 20, 3)
    strips = len(list(network._strips(network._image(window, (0, 1, 2)))))

    result = network(window)

    monkeypatch.undo()
    assert strips == 7
    assert apart([result], [network(window)]) <= 1


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ((0, 1, 2), [[10, 20, 30]]),
        ((0, 0, 0), [[20]]),
        ((3, 3, 3), [[20]]),
        ((0, 0, 0, 1), [[20, 255]]),
        ((0, 1, 2, None), [[10, 20, 30]]),
        ((0, 1, 2, 3), [[10, 20, 30, 255]]),
        ((2,), [[10]]),
    ],
    ids=str,
)
def test_planes_become_channels_rounded_and_averaged(
    taken: planes.Taken, expected: list[list[int]]
) -> None:
    values = torch.tensor([10.4, 20.4, 29.6, 900.0])[: len(taken)] / 255
    strip = values[None, :, None, None].repeat(2, 1, 5, 6)

    numbers = planes.samples(strip, taken, 3, 4, 255)

    assert numbers.dtype == torch.uint8
    assert numbers.shape == (2, 3, 4, len(expected[0]))
    assert numbers[1, 2, 3].tolist() == expected[0]
    kept = planes.made(taken)
    assert kept.stop - kept.start == len(expected[0])


def test_sixteen_bits_are_told_apart() -> None:
    strip = torch.tensor([0.0, 1 / 65535, 40000.4 / 65535, 1.5])[None, None, None]

    numbers = planes.samples(strip, (0,), 1, 4, 65535)

    assert numbers.flatten().tolist() == [0, 1, 40000, 65535]


def test_tuning_begins_when_a_shape_comes_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    really = network_module.arithmetic
    monkeypatch.setattr(
        network_module,
        "arithmetic",
        lambda device, tuned: told.append(tuned) or really(device, tuned),
    )
    network = ready(compact())
    small, large = pictures(1, 8, 8, 3), pictures(1, 9, 9, 3)

    for windows in (small, small, large, small, large, small * 2):
        network.batch(windows)

    assert told == [False, False, False, True, False, False]
