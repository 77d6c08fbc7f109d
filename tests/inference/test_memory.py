"""What is counted of memory, against what was certainly allocated."""

import numpy as np
import pytest
import torch
from torch import nn

from inference.loader import describe
from inference.memory import LiveBytes
from inference.network import Network
from tests.inference.architectures import weights_of
from tests.inference.networks import compact, esrgan, ready, swinir


def test_counts_what_lives_at_the_same_time() -> None:
    before = torch.ones(1000)

    with torch.no_grad(), LiveBytes() as live:
        first = before + 1  # 4000 bytes
        second = first * 2  # 4000 more
        del first
        third = second + 1  # in the first one's place
        third.add_(1)
        third.view(10, 100).transpose(0, 1)

    assert live.peak == 8000


def test_counts_what_composed_operations_take_within() -> None:
    """A bias makes the product's sum a second tensor; a list of parts comes back from a split."""
    with torch.no_grad(), LiveBytes() as live:
        parts = torch.ones(4, 250).split(1)
        joined = torch.cat(parts)

    assert joined.numel() == 1000
    assert live.peak == 8000


@pytest.mark.parametrize(
    "network", [compact(), swinir(), compact(scale=2)], ids=["compact 4x", "swinir", "compact 2x"]
)
def test_a_larger_window_needs_what_the_sample_foretold(network: nn.Module) -> None:
    ours = ready(network)
    pixels = np.zeros((96, 96, 3), np.uint8)

    with LiveBytes() as live:
        ours(pixels)

    foretold = ours.bytes_per_pixel * 96 * 96
    assert live.peak <= foretold <= 2 * live.peak


@pytest.mark.parametrize("name", ["DAT", "HAT", "SwinIR"])
@pytest.mark.parametrize("size", [(16, 17), (33, 33), (41, 65)], ids=str)
def test_a_window_that_attention_fills_up_needs_what_the_filled_up_one_does(
    name: str, size: tuple[int, int]
) -> None:
    ours = Network(describe(weights_of(name)), torch.device("cpu"), torch.float32)

    with LiveBytes() as live:
        ours(np.zeros((*size, 3), np.uint8))

    foretold = ours.bytes_per_pixel * ours.padded(*size)
    assert live.peak <= foretold <= 2 * live.peak


def test_windows_are_filled_up_to_whole_attention_windows_and_others_are_not() -> None:
    attending, other = ready(swinir()), ready(compact())

    assert [attending.padded(*size) for size in ((8, 16), (9, 16), (1, 50))] == [128, 256, 448]
    assert other.padded(9, 17) == 153


def test_an_rrdbnet_of_any_size_needs_its_tail_only_for_strips() -> None:
    ours = ready(esrgan())

    small, large = ours.pixels_within(10_000_000), ours.pixels_within(1_000_000_000)

    assert small == int(10_000_000 / (ours.bytes_per_pixel + ours.bytes_per_strip_pixel))
    assert large > 100 * small
