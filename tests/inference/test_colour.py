"""Colours beneath transparency, and colour models."""

import io
import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFilter

from inference import colour
from tests.inference.pictures import (
    Pixels,
    cmyk_profile,
    grey_profile,
    noise,
    rgb_profile,
    srgb_from_p3,
)


@settings(max_examples=80, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.sampled_from([2, 4]),
    share=st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]),
    seed=st.integers(0, 99),
)
def test_only_what_nobody_sees_is_changed_and_to_colours_that_are_seen(
    height: int, width: int, channels: int, share: float, seed: int
) -> None:
    pixels = noise(height, width, channels, seed)
    hidden = np.random.default_rng(seed).random((height, width)) < share
    pixels[..., -1] = np.where(hidden, 0, pixels[..., -1] | 1)
    before = pixels.copy()

    out = colour.bleed(pixels)

    assert np.array_equal(pixels, before)
    assert (out.shape, out.dtype) == (pixels.shape, np.uint8)
    assert np.array_equal(out[..., -1], pixels[..., -1])
    assert np.array_equal(out[~hidden], pixels[~hidden])
    if hidden.any() and not hidden.all():
        for plane in range(channels - 1):
            seen = pixels[~hidden][:, plane]
            assert out[hidden][:, plane].min() >= seen.min()
            assert out[hidden][:, plane].max() <= seen.max()


@pytest.mark.parametrize("channels", [2, 4])
def test_a_picture_without_anything_visible_becomes_black_beneath(channels: int) -> None:
    pixels = noise(5, 7, channels)
    pixels[..., -1] = 0

    assert not colour.bleed(pixels).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (31, 17), (64, 3)])
def test_a_single_visible_pixel_colours_everything(size: tuple[int, int]) -> None:
    for y, x in product({0, size[0] // 2, size[0] - 1}, {0, size[1] // 2, size[1] - 1}):
        pixels = np.zeros((*size, 4), np.uint8)
        pixels[y, x] = (200, 100, 50, 1)

        assert (colour.bleed(pixels)[..., :3] == (200, 100, 50)).all()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("thickness", [1, 2, 3, 50])
def test_hidden_pixels_take_the_colours_that_are_near(thickness: int, turned: bool) -> None:
    pixels = np.zeros((thickness, 200, 4), np.uint8)
    pixels[:, :40] = (250, 10, 10, 255)
    pixels[:, -40:] = (10, 10, 250, 255)
    pixels = pixels.swapaxes(0, 1) if turned else pixels

    out = colour.bleed(np.ascontiguousarray(pixels))

    out = out.swapaxes(0, 1) if turned else out
    assert (out[:, 40:56, 0] > 200).all()
    assert (out[:, 40:56, 2] < 50).all()
    assert (out[:, 144:160, 2] > 200).all()
    assert (out[:, 144:160, 0] < 50).all()


@pytest.mark.parametrize("offset", [0, 3])
def test_a_white_disc_on_transparent_black_gets_no_dark_fringe(offset: int) -> None:
    y, x = np.mgrid[:65, :71]
    disc = (y - 30 - offset) ** 2 + (x - 33 - offset) ** 2 < 20**2
    pixels = np.where(disc[..., None], 255, 0).repeat(4, axis=2).astype(np.uint8)

    out = colour.bleed(pixels)

    # Whatever a network looks at, there is no black to mix in, near the edge or far from it.
    blurred = np.asarray(Image.fromarray(out[..., :3]).filter(ImageFilter.BoxBlur(5)))
    assert (blurred == 255).all()
    assert (np.asarray(Image.fromarray(pixels[..., :3]).filter(ImageFilter.BoxBlur(5))) < 255).any()


def test_two_objects_keep_their_own_surroundings() -> None:
    pixels = np.zeros((40, 80, 4), np.uint8)
    pixels[15:25, 15:25] = (255, 255, 255, 255)
    pixels[15:25, 55:65] = (20, 20, 20, 255)

    out = colour.bleed(pixels)

    assert (out[13:27, 13:27, :3] > 240).all()
    assert (out[13:27, 53:67, :3] < 40).all()


@pytest.mark.parametrize(
    ("profile", "space"),
    [
        (rgb_profile(), "RGB "),
        (grey_profile(), "GRAY"),
        (cmyk_profile(), "CMYK"),
        (colour.srgb_profile(), "RGB "),
        (None, None),
        (b"", None),
        (b"not a profile", None),
        (rgb_profile()[:127], None),
        (bytes(500), None),
    ],
)
def test_a_profile_tells_its_colour_model(profile: bytes | None, space: str | None) -> None:
    assert colour.profile_space(profile) == space


def test_conversion_to_srgb_keeps_alpha_and_passes_no_profile_on() -> None:
    pixels = noise(6, 5, 4)
    # Inside sRGB, where nothing is clipped.
    pixels[..., :3] = 90 + pixels[..., :3] // 3

    converted = colour.to_srgb(Image.fromarray(pixels), rgb_profile())

    assert converted.mode == "RGBA"
    assert np.abs(np.asarray(converted)[..., :3] - srgb_from_p3(pixels[..., :3])).max() <= 2
    assert np.array_equal(np.asarray(converted)[..., 3], pixels[..., 3])
    assert "icc_profile" not in converted.info


@pytest.mark.parametrize(
    ("mode", "profile"), [("RGB", grey_profile()), ("L", rgb_profile()), ("CMYK", rgb_profile())]
)
def test_a_profile_of_another_colour_model_is_refused(mode: str, profile: bytes) -> None:
    with pytest.raises(ImageCms.PyCMSError):
        colour.to_srgb(Image.new(mode, (2, 2)), profile)


def test_srgb_is_a_profile_that_changes_nothing() -> None:
    pixels: Pixels = noise(9, 9, 3)

    converted = colour.to_srgb(Image.fromarray(pixels), colour.srgb_profile())

    assert np.abs(np.asarray(converted).astype(int) - pixels).max() <= 1
    profile = ImageCms.ImageCmsProfile(io.BytesIO(colour.srgb_profile()))
    assert "sRGB" in ImageCms.getProfileDescription(profile)


def test_black_replacement_is_undone_by_pillows_own_view_of_cmyk() -> None:
    levels = np.array([0, 1, 2, 50, 127, 128, 200, 254, 255], np.uint8)
    pixels = np.array(list(product(levels, repeat=3)), np.uint8)[None]

    cmyk = colour.to_cmyk(Image.fromarray(pixels), None)

    assert cmyk.mode == "CMYK"
    assert np.abs(np.asarray(cmyk.convert("RGB")).astype(int) - pixels).max() <= 1
    assert (np.asarray(cmyk)[..., :3].min(-1) == 0).all()
    assert np.array_equal(np.asarray(cmyk)[..., 3], 255 - pixels.max(-1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_whole_picture_is_never_held_in_floats(dtype: type) -> None:
    pixels = np.full((900, 1000, 4), 77, dtype)
    pixels[100:800, 100:900, 3] = 0

    tracemalloc.start()
    colour.bleed(pixels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    # The result, and a quarter of the pixels as floats some times over. All of them would be 14 MB
    # each time, and three such copies are needed at once.
    assert peak < pixels.nbytes + 18_000_000
