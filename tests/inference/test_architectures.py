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
SEED = 11


# Those whose windows, masks or statistics are computed beside the weights.
ATTENTION = ("ATD", "CRAFT", "DAT", "DRCT", "HAT", "IPT", "OmniSR", "RGT", "Swin2SR", "SwinIR")


@cache
def described(name: str) -> Any:
    return describe(weights_of(name))


@cache
def network_of(name: str) -> Network:
    return Network(described(name), CPU, torch.float32)


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

    covered = {described(name).architecture.id for name in ARCHITECTURES}

    assert covered == registered - other


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_whole_picture_comes_out_as_from_spandrel(name: str) -> None:
    network = network_of(name)
    # Noise, and drawn in the order of memory.
    allowed = 4 if name == "AuraSR" else 1

    for size in ((1, 1), (33, 41)):
        pixels = photo_like(*size)
        torch.manual_seed(SEED)
        result = network(pixels)
        expected = plain(described(name), pixels)
        assert result.shape == expected.shape
        assert np.abs(result - np.rint(expected)).max() <= allowed
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


@pytest.mark.parametrize("name", ATTENTION)
def test_bf16_works_at_sizes_that_the_network_was_not_made_for(name: str) -> None:
    network = Network(describe(weights_of(name)), CPU, torch.bfloat16)
    pixels = photo_like(24, 40)

    error = np.abs(network(pixels).astype(int) - network_of(name)(pixels))

    assert described(name).supports_bfloat16
    assert np.mean(error) < 4
