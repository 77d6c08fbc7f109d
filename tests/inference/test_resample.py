"""The filter in strips, against Pillow's on whole pictures, one plane at a time."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.geometry import Size
from inference.resample import Resampler
from tests.inference.pictures import Pixels, noise, photo


def whole(pixels: Pixels, target: Size) -> Pixels:
    """Each plane by itself, so nothing can be multiplied into anything."""
    planes = [
        Image.fromarray(np.ascontiguousarray(plane)).resize(target, Image.Resampling.LANCZOS)
        for plane in np.moveaxis(pixels, -1, 0)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def in_strips(pixels: Pixels, target: Size, cuts: list[int]) -> list[Pixels]:
    height, width, _ = pixels.shape
    resampler = Resampler(Size(width, height), target)
    edges = [0, *sorted(cuts), height]
    return [resampler.push(pixels[top:bottom]) for top, bottom in pairwise(edges)]


def check(pixels: Pixels, target: Size, cuts: list[int]) -> None:
    strips = in_strips(pixels, target, cuts)

    assert all(strip.shape[1:] == (target.width, pixels.shape[2]) for strip in strips)
    assert sum(len(strip) for strip in strips) == target.height
    wrong = np.abs(np.concatenate(strips).astype(int) - whole(pixels, target))
    assert wrong.max() <= 1
    assert (wrong == 0).mean() > 0.99


@settings(max_examples=150, deadline=None)
@given(data=st.data(), channels=st.integers(1, 4))
def test_strips_give_what_the_whole_picture_gives(data: st.DataObject, channels: int) -> None:
    side = st.integers(1, 70)
    source = Size(data.draw(side), data.draw(side))
    target = Size(data.draw(side), data.draw(side))
    cuts = data.draw(st.lists(st.integers(0, source.height), max_size=6))

    check(noise(source.height, source.width, channels, 3), target, cuts)


@pytest.mark.parametrize("strip", [1, 3, 64, 333])
@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((64, 333), (32, 167)),
        ((64, 333), (48, 250)),
        ((64, 333), (21, 111)),
        ((64, 333), (63, 332)),
        ((64, 333), (65, 334)),
        ((64, 333), (100, 520)),
        ((10, 333), (10, 334)),
        ((33, 333), (1, 1)),
        ((33, 333), (33, 2)),
        ((33, 333), (1, 333)),
        ((1, 333), (7, 100)),
        ((333, 1), (100, 7)),
        ((1, 1), (5, 9)),
        ((2, 333), (2, 3330)),
    ],
)
def test_ratios_of_every_kind_and_strips_of_every_height(
    source: tuple[int, int], target: tuple[int, int], strip: int
) -> None:
    width, height = source

    check(noise(height, width, 3), Size(*target), list(range(strip, height, strip)))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("height", [1, 2])
def test_pictures_of_one_row_or_column_keep_their_channels(height: int, channels: int) -> None:
    check(noise(height, 9, channels), Size(18, 5), [])
    check(noise(9, height, channels), Size(5, 18), [1])


def test_a_photo_is_halved_without_a_seam() -> None:
    pixels = np.asarray(photo(320, 200))

    check(pixels, Size(160, 100), [16, 32, 48, 64, 80, 81, 199])
    check(pixels, Size(213, 133), [100])


def test_colours_beneath_transparency_are_not_mixed_with_it() -> None:
    pixels = np.full((40, 40, 4), 200, np.uint8)
    pixels[:20, :, 3] = 0

    out = np.concatenate(in_strips(pixels, Size(20, 20), [7, 13]))

    assert (out[..., :3] == 200).all()
    assert (out[0, :, 3], out[-1, :, 3]) == pytest.approx((0, 200))


def test_the_same_size_passes_rows_through() -> None:
    pixels = noise(12, 9, 4)

    strips = in_strips(pixels, Size(9, 12), [5, 5, 8])

    assert [len(strip) for strip in strips] == [5, 0, 3, 4]
    assert np.array_equal(np.concatenate(strips), pixels)


@pytest.mark.parametrize("target", [Size(30, 200), Size(30, 1200)])
def test_rows_are_given_as_soon_as_they_can_be(target: Size) -> None:
    pixels = noise(400, 30, 1)
    scale = 400 / target.height
    resampler = Resampler(Size(30, 400), target)

    given_back = 0
    for top in range(0, 400, 10):
        given_back += len(resampler.push(pixels[top : top + 10]))
        # What three lobes look ahead, and a row or two for rounding.
        assert given_back >= (top + 10 - 3 * max(1, scale) - 3) / scale
    assert given_back == target.height
