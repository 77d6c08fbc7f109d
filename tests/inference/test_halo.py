"""How networks say they may be cut, against networks of which the answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from inference.canvas import Canvas
from inference.halo import cutting, demanding, grid
from inference.loader import describe
from inference.network import Network
from inference.spandrel_import import spandrel
from tests.inference.architectures import weights_of
from tests.inference.networks import compact, esrgan, random_weights

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("network", "halo"),
    [
        (esrgan(blocks=7), 80),
        (esrgan(blocks=6), 48),
        (esrgan(blocks=6, scale=4, shuffle=2), 96),
        (compact(convolutions=16), 16),
        (compact(convolutions=32), 34),
    ],
    ids=str,
)
def test_the_published_families_are_known(network: torch.nn.Module, halo: int) -> None:
    how = cutting(describe(random_weights(network)), CPU)

    assert (how.halo, how.blend, how.whole, how.error) == (halo, 0, False, None)


def test_a_network_that_cuts_by_itself_is_never_cut() -> None:
    descriptor = describe(random_weights(compact()))
    descriptor.tiling = spandrel.ModelTiling.INTERNAL

    assert cutting(descriptor, CPU).whole


def test_a_network_that_draws_at_random_is_never_cut() -> None:
    assert cutting(describe(weights_of("AuraSR")), CPU).whole


@pytest.mark.parametrize("name", ["SPAN", "PLKSR", "DAT", "SwinIR", "SAFMN"])
def test_what_was_measured_to_be_exact_is_so_on_another_picture(name: str) -> None:
    network = Network(describe(weights_of(name)), CPU, torch.float32)
    how = network.cutting
    pixels = np.random.default_rng(8).integers(0, 256, (24, 150, 3), np.uint8)

    whole = network(pixels).astype(int)
    cut = np.concatenate(list(Canvas(network, pixels, max(40, how.align)).rows()))

    assert how.blend == 0
    assert how.error is not None
    assert how.error <= 0.5
    assert np.abs(cut - whole).max() <= 1


@pytest.mark.parametrize("name", ["RCAN", "OmniSR"])
def test_networks_that_see_the_whole_picture_are_to_be_mixed(name: str) -> None:
    how = cutting(describe(weights_of(name)), CPU)

    assert how.blend >= 32
    assert how.error is not None
    assert how.error > 0.05


@pytest.mark.parametrize("name", ["RCAN", "OmniSR"])
def test_mixing_softens_the_edge_at_a_cut_of_a_network_that_sees_the_whole_picture(
    name: str,
) -> None:
    """A ramp, of which the two tiles see the dark and the bright half, in 16 bits."""
    network = Network(describe(weights_of(name)), CPU, torch.float32)
    ramp = np.linspace(5_000, 60_000, 256).round().astype(np.uint16)
    pixels = np.broadcast_to(ramp[None, :, None], (16, 256, 3)).copy()
    whole = network(pixels).astype(float)
    last = 128 * network.scale - 1

    def edge() -> float:
        """By how much the error changes from the last column of one tile to the other's first."""
        rows = np.concatenate(list(Canvas(network, pixels, 128).rows()))
        error = (rows - whole).mean(axis=(0, 2))
        return float(abs(error[last + 1] - error[last]))

    mixed = edge()
    network.cutting = replace(network.cutting, blend=0)

    assert mixed < 0.6 * edge()


@pytest.mark.parametrize(
    ("name", "multiple"), [("SwinIR", 8), ("CRAFT", 16), ("DITN", 8), ("SPAN", 16)]
)
def test_the_grid_is_that_of_the_windows(name: str, multiple: int) -> None:
    assert grid(describe(weights_of(name))) == multiple


def test_the_sample_is_always_the_same_and_uses_the_whole_range() -> None:
    sample = demanding(32, 64, 3)

    assert torch.equal(sample, demanding(32, 64, 3))
    assert sample.shape == (1, 3, 32, 64)
    assert (float(sample.min()), float(sample.max())) == pytest.approx((0.05, 0.95), abs=0.06)
