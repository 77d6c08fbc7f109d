"""Convolutions with their activation in them, against torch's own layers."""

import copy

import pytest
import torch
from torch import nn

from inference import fused
from inference.fused import FusedConv, fuse
from inference.loader import describe
from tests.inference.networks import compact, esrgan, random_weights

CPU = torch.device("cpu")

pytestmark = pytest.mark.skipif(
    not torch._C._has_mkldnn, reason="this torch was built without oneDNN"
)


def image(height: int, width: int, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    noise = torch.rand(1, channels, height, width, generator=generator)
    return noise.contiguous(memory_format=torch.channels_last)


def pair(layers: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The same layers twice, the second time fused."""
    plain = layers.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    other = copy.deepcopy(plain)
    fuse(other)
    return plain, other


@pytest.mark.parametrize("activation", [nn.LeakyReLU(0.2), nn.LeakyReLU(0.05), nn.ReLU()], ids=str)
@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(3, 16, 3, padding=1),
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.Conv2d(3, 7, 5, stride=2),
        nn.Conv2d(3, 6, 3, padding=2, dilation=2, groups=3),
    ],
    ids=str,
)
def test_a_fused_layer_is_the_convolution_and_the_activation(
    convolution: nn.Conv2d, activation: nn.Module
) -> None:
    plain, fast = pair(nn.Sequential(copy.deepcopy(convolution), activation))

    with torch.inference_mode():
        for size in ((1, 9), (40, 30), (65, 300)):
            picture = image(max(size[0], 5), size[1])
            assert torch.allclose(fast(picture), plain(picture), atol=1e-5)

    assert isinstance(fast[0], FusedConv)


@pytest.mark.parametrize("shuffle", [None, 2])
def test_a_fused_rrdbnet_is_bit_close_in_fp32_whatever_the_picture_s_shape(
    shuffle: int | None,
) -> None:
    plain, fast = pair(describe(random_weights(esrgan(shuffle=shuffle))).model)

    with torch.inference_mode():
        for size in ((2, 2), (16, 50), (66, 34)):
            assert (fast(image(*size)) - plain(image(*size))).abs().max() <= 1e-4

    # Five convolutions of each of three dense blocks, less the last; and those of the tail.
    replaced = sum(isinstance(module, FusedConv) for module in fast.modules())
    assert replaced == 3 * 4 + 3


def test_bf16_is_no_further_from_fp32_when_fused() -> None:
    exact = describe(random_weights(esrgan())).model
    plain, fast = pair(copy.deepcopy(exact).bfloat16())
    picture = image(64, 64)

    with torch.inference_mode():
        truth = exact(picture)
        errors = [
            float((network(picture.bfloat16()).float() - truth).square().mean())
            for network in (plain, fast)
        ]

    assert errors[1] <= 1.1 * errors[0]


def test_what_has_no_such_pairs_is_left_alone() -> None:
    network = describe(random_weights(compact())).model

    assert not fused.available(network, CPU, torch.float32)
    assert fused.available(esrgan(), CPU, torch.float32)
    assert not fused.available(esrgan(), CPU, torch.float16)
    assert not fused.available(esrgan(), torch.device("cuda"), torch.float32)


def test_layers_that_only_look_like_a_convolution_are_not_replaced() -> None:
    class Standardised(nn.Conv2d):
        """Computes its weights at every call."""

    layers = nn.Sequential(
        Standardised(3, 3, 3),
        nn.ReLU(),
        nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"),
        nn.ReLU(),
        nn.Conv2d(3, 3, 3),
        nn.PReLU(3),
    )

    fuse(layers)

    assert not any(isinstance(module, FusedConv) for module in layers)


def test_hooks_still_see_every_layer_and_its_weights() -> None:
    _, fast = pair(describe(random_weights(esrgan())).model)
    seen = []
    for module in fast.modules():
        if isinstance(module, FusedConv):
            module.register_forward_hook(lambda module, *_: seen.append(tuple(module.weight.shape)))

    with torch.inference_mode():
        fast(image(8, 8))

    assert len(seen) == 15
    assert seen[:4] == [(32, 16 + 32 * taken, 3, 3) for taken in range(4)]
