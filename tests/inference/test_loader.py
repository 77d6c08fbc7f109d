"""Networks of every shape, with random weights: what goes in, what comes out, what is reported."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from inference.canvas import Canvas
from inference.errors import InvalidWeights, UnsupportedModel
from inference.loader import describe
from inference.network import Network, NonFiniteResult
from tests.inference.networks import compact, esrgan, random_weights, ready, span, swinir

Pixels = NDArray[np.uint8]


def noise(height: int, width: int, channels: int = 3, seed: int = 3) -> Pixels:
    smooth = np.random.default_rng(seed).integers(
        0, 256, (height // 4 + 2, width // 4 + 2, channels)
    )
    return smooth.repeat(4, 0).repeat(4, 1)[:height, :width].astype(np.uint8)


def plain(network: nn.Module, pixels: Pixels) -> NDArray[np.float32]:
    """What spandrel's own call gives for the whole picture in fp32, as floats of 0 to 255."""
    descriptor = describe(random_weights(network))
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    return descriptor(image)[0].permute(1, 2, 0).numpy() * 255


NETWORKS = {
    "esrgan 4x": lambda: esrgan(),
    "esrgan 2x": lambda: esrgan(scale=2),
    "esrgan 8x": lambda: esrgan(scale=8),
    "esrgan 1x": lambda: esrgan(scale=1),
    "esrgan 2x, pixels folded in twos": lambda: esrgan(scale=4, shuffle=2),
    "esrgan 1x, pixels folded in fours": lambda: esrgan(scale=4, shuffle=4),
    "compact 4x": lambda: compact(),
    "compact 2x": lambda: compact(scale=2),
    "span 4x": lambda: span(),
    "swinir 2x": lambda: swinir(),
}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (37, 61), (64, 48)], ids=str)
def test_a_call_gives_what_spandrel_gives_rounded(make: object, size: tuple[int, int]) -> None:
    network = make()
    pixels = noise(*size)

    result = ready(network)(pixels)

    assert np.abs(result - plain(network, pixels)).max() < 0.51


def test_the_tail_in_strips_is_bit_identical_to_the_whole_network() -> None:
    network = esrgan()
    pixels = noise(100, 700)
    ours = ready(network)
    strips = list(ours._strips(ours._image(pixels, (0, 1, 2))))

    with torch.inference_mode():
        whole = ours._descriptor.model(ours._image(pixels, (0, 1, 2)))

    assert len(strips) > 2
    assert torch.equal(torch.cat([strip for _, strip in strips], dim=2), whole)


# Not SwinIR: window attention has a grid of its own, so no halo makes its tiles exact.
TILEABLE = {
    **{name: make for name, make in NETWORKS.items() if not name.startswith("swinir")},
    "compact of 20 convolutions": lambda: compact(convolutions=20),
}


@pytest.mark.parametrize("make", TILEABLE.values(), ids=TILEABLE.keys())
def test_tiles_differ_from_the_whole_picture_by_one_step_at_most(make: object) -> None:
    network = ready(make())
    pixels = noise(203, 37)

    whole = network(pixels).astype(int)
    tiled = np.concatenate(list(Canvas(network, pixels, 40).rows()))

    assert np.abs(tiled - whole).max() <= 1


def test_grey_is_the_mean_of_what_the_network_makes_of_three_equal_channels() -> None:
    network = esrgan()
    grey = noise(20, 30, channels=1)

    result = ready(network)(grey)

    expected = plain(network, grey.repeat(3, 2)).mean(2)
    assert result.shape == (80, 120, 1)
    assert np.abs(result[..., 0] - expected).max() < 0.51


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_takes_its_own_way_and_does_not_touch_the_colours(channels: int) -> None:
    network = ready(esrgan())
    pixels = noise(24, 24, channels)

    result = network(pixels)

    colours = network(np.ascontiguousarray(pixels[..., :-1]))
    assert result.shape == (96, 96, channels)
    assert np.array_equal(result[..., :-1], colours)


def test_solid_alpha_stays_solid_whatever_the_network_makes_of_it() -> None:
    network = ready(esrgan())
    pixels = noise(40, 40, 4)
    pixels[..., 3] = 0
    pixels[:, 20:, 3] = 255

    alpha = network(pixels)[..., 3]

    assert (alpha[:, : 19 * 4] == 0).all()
    assert (alpha[:, 21 * 4 :] == 255).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_network_for_grey_takes_each_channel_on_its_own(channels: int) -> None:
    network = compact(channels=1)
    pixels = noise(12, 12, channels)

    result = ready(network)(pixels)

    expected = plain(network, pixels[..., :1])
    assert np.abs(result[..., :1] - expected).max() < 0.51


def test_a_network_for_four_channels_takes_alpha_along() -> None:
    network = compact(channels=4)
    pixels = noise(12, 12, 4)
    opaque = np.full((12, 12, 1), 255, np.uint8)

    with_alpha = ready(network)(pixels)
    without = ready(network)(np.ascontiguousarray(pixels[..., :3]))

    assert np.abs(with_alpha[..., :3] - plain(network, pixels)[..., :3]).max() < 0.51
    expected = plain(network, np.concatenate([pixels[..., :3], opaque], 2))[..., :3]
    assert np.abs(without - expected).max() < 0.51


def test_progress_of_a_call_rises_to_one_over_colour_and_alpha() -> None:
    seen: list[float] = []

    ready(esrgan(blocks=2))(noise(64, 64, 4), seen.append)

    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)
    assert len(seen) > 60
    assert max(np.diff([0.0, *seen])) < 0.15


def test_an_exception_from_the_progress_callback_ends_the_call_at_once() -> None:
    network = ready(esrgan())
    calls = []

    def stop(share: float) -> None:
        calls.append(share)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        network(noise(16, 16), stop)

    assert len(calls) == 1
    assert network(noise(16, 16)).shape == (64, 64, 3)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_result_that_is_no_number_is_never_returned(poison: float) -> None:
    weights = random_weights(esrgan())
    last = [name for name in weights if name.endswith("bias")][-1]
    weights[last][0] = poison
    network = Network(describe(weights), torch.device("cpu"), torch.float32)

    with pytest.raises(NonFiniteResult):
        network(noise(16, 16))


def test_memory_and_work_per_pixel_come_from_the_network_itself() -> None:
    small, wide = ready(compact()), ready(compact(convolutions=3, scale=8))

    assert small.bytes_per_pixel < wide.bytes_per_pixel
    assert small.largest_window > 1000
    assert small.bytes_of_weights == sum(
        value.numel() * 4 for value in random_weights(compact()).values()
    )


def test_weights_of_no_known_network_are_refused() -> None:
    with pytest.raises(UnsupportedModel, match="No known network"):
        describe({"some.weight": torch.zeros(3, 3)})


def test_weights_that_nearly_fit_a_network_are_refused() -> None:
    weights = random_weights(compact())
    weights["body.2.weight"] = torch.zeros(5, 5, 3, 3)

    with pytest.raises(InvalidWeights, match="do not fit"):
        describe(weights)


def test_a_network_that_changes_the_number_of_channels_is_refused() -> None:
    descriptor = describe(random_weights(compact()))
    descriptor.output_channels = 1

    with pytest.raises(UnsupportedModel, match="3 channels into 1"):
        Network(descriptor, torch.device("cpu"), torch.float32)
