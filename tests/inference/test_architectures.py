"""Every architecture that spandrel knows for super-resolution goes from pixels to pixels."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inference.loader import describe
from inference.network import Network
from inference.spandrel_import import spandrel
from tests.inference.architectures import ARCHITECTURES, NAMINGS, weights_of
from tests.inference.networks import esrgan, random_weights

CPU = torch.device("cpu")
# What each of these draws at random must be drawn alike for both.
SEED = 11


@cache
def network_of(name: str, dtype: torch.dtype = torch.float32) -> Network:
    return Network(describe(weights_of(name)), CPU, dtype)


def photo_like(height: int, width: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (height // 4 + 2, width // 4 + 2, 3)).repeat(4, 0).repeat(4, 1)
    fine = rng.normal(0, 12, (height, width, 3))
    return (coarse[:height, :width] + fine).clip(0, 255).astype(np.uint8)


def plain(descriptor: Any, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What spandrel's own call gives for the whole picture in fp32, as floats of 0 to 255."""
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    torch.manual_seed(SEED)
    with torch.inference_mode():
        return descriptor(image)[0].permute(1, 2, 0).numpy() * 255


def test_none_is_forgotten() -> None:
    """Of what spandrel registers, all but those that do not enlarge pictures of any kind."""
    other = {"GFPGAN", "RestoreFormer", "LaMa", "SCUNet", "FBCNN", "Uformer", "KBNet"}
    other |= {"SAFMNBCIE", "FFTformer", "NAFNet", "MixDehazeNet", "DRUNet", "DnCNN"}
    other |= {"RetinexFormer", "HVICIDNet"}
    registered = {support.architecture.id for support in spandrel.MAIN_REGISTRY.architectures()}

    covered = {describe(weights_of(name)).architecture.id for name in ARCHITECTURES}

    assert covered == registered - other


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_whole_picture_comes_out_as_from_spandrel(name: str) -> None:
    network = network_of(name)
    descriptor = describe(weights_of(name))

    for size in ((1, 1), (33, 41)):
        pixels = photo_like(*size)
        torch.manual_seed(SEED)
        result = network(pixels)
        expected = plain(descriptor, pixels)
        assert result.shape == expected.shape
        assert np.abs(result - np.rint(expected)).max() <= 1
    assert np.ptp(result) > 20, "a network that says nothing"


@pytest.mark.parametrize("naming", NAMINGS)
def test_weights_are_recognised_under_every_naming(naming: str) -> None:
    first = random_weights(esrgan(blocks=2))
    renamed = NAMINGS[naming](first)
    pixels = photo_like(20, 24)

    network = Network(describe(renamed), CPU, torch.float32)

    assert np.array_equal(network(pixels), Network(describe(first), CPU, torch.float32)(pixels))
    assert {"ESRGAN": "model.0.weight", "Real-ESRGAN": "body.1.rdb3.conv5.bias"}.get(
        naming, "RRDB_trunk.1.RDB3.conv5.bias"
    ) in renamed


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_bf16_works_where_spandrel_says_so(name: str) -> None:
    descriptor = describe(weights_of(name))
    if not descriptor.supports_bfloat16:
        assert name == "AuraSR"
        return
    pixels = photo_like(24, 40)

    result = network_of(name, torch.bfloat16)(pixels)

    expected = network_of(name)(pixels)
    error = np.abs(result.astype(int) - expected)
    assert np.mean(error) < 4
