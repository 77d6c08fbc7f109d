"""Every kind of picture through the whole engine, against expectations computed without it.

What the network makes of plain planes is asked of spandrel; what a colour, an ink or a transparency
means is worked out here.
"""

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from inference.engine import Engine
from inference.loader import describe
from inference.options import FORMATS, Format, Options
from inference.report import Report
from inference.weights import ModelStore
from tests.inference.pictures import (
    P3_PRIMARIES,
    Pixels,
    cmyk_profile,
    decoded,
    grey_profile,
    opened,
    photo,
    rgb_profile,
    saved,
    srgb_curve,
)

FAST = "realesr-animevideov3"
ANIMATED = "The file is animated; its first frame was used."

InFloats = Callable[[NDArray[np.integer]], NDArray[np.float32]]


@pytest.fixture(scope="module")
def engine(models_path: Path) -> Engine:
    return Engine(ModelStore(models_path), device="cpu")


@pytest.fixture(scope="module")
def in_floats(models_path: Path) -> InFloats:
    """spandrel's own call on a whole picture of 8 bits, grey or RGB, as floats of 0 to 255."""
    descriptor = describe(ModelStore(models_path).load(FAST).state_dict)

    def run(pixels: NDArray[np.integer]) -> NDArray[np.float32]:
        rgb = pixels if pixels.shape[2] == 3 else pixels.repeat(3, axis=2)
        image = torch.from_numpy(rgb.astype(np.float32) / 255).permute(2, 0, 1)[None]
        found = 255 * descriptor(image)[0].permute(1, 2, 0).clamp(0, 1).numpy()
        return found if pixels.shape[2] == 3 else found.mean(axis=2, keepdims=True)

    return run


def bare_photo(width: int, height: int) -> Image.Image:
    """Without the profile that the photo has."""
    return Image.fromarray(np.asarray(photo(width, height)))


def upscale(engine: Engine, data: bytes, **options: object) -> tuple[bytes, Report]:
    sink = io.BytesIO()
    asked = Options(**{"model": FAST, "precision": "fp32", **options})
    report = engine.upscale(io.BytesIO(data), sink, asked)
    return sink.getvalue(), report


def blocks(colours: list[tuple[int, ...]], side: int = 16) -> Pixels:
    """A row of squares, large enough that the middle of each knows nothing of the next one."""
    row = np.repeat(np.array(colours, np.uint8), side, axis=0)
    return np.repeat(row[None], side, axis=0)


def middles(pixels: Pixels, side: int = 64) -> NDArray[np.int64]:
    return pixels[side // 2, side // 2 :: side].astype(np.int64)


# Colour


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_photo_in_display_p3_keeps_its_numbers_and_its_profile(
    engine: Engine, in_floats: InFloats, output_format: Format
) -> None:
    image = bare_photo(40, 30)
    how = {"output_format": output_format, "lossless": True}

    wide, report = upscale(
        engine, saved(image, "PNG", icc_profile=rgb_profile(P3_PRIMARIES)), **how
    )
    plain, _ = upscale(engine, saved(image, "PNG"), **how)

    assert opened(wide).info["icc_profile"] == rgb_profile(P3_PRIMARIES)
    assert not opened(plain).info.get("icc_profile")
    assert np.array_equal(decoded(wide), decoded(plain))
    if output_format != "jpg":
        assert np.abs(decoded(wide) - in_floats(np.asarray(image))).max() <= 0.6
    assert report.notes == ()


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_with_a_profile_stays_grey_with_its_profile(
    engine: Engine, in_floats: InFloats, mode: str
) -> None:
    grey = np.asarray(bare_photo(40, 30).convert("L"))[..., None]
    image = Image.fromarray(grey[..., 0])
    if mode == "LA":
        image.putalpha(Image.new("L", image.size, 200))
    profile = grey_profile(gamma=1.75)
    data = saved(image, "PNG", icc_profile=profile)

    kept, _ = upscale(engine, data)
    as_webp, _ = upscale(engine, data, output_format="webp", lossless=True)

    expected = in_floats(grey)[..., 0]
    assert (opened(kept).mode, opened(kept).info["icc_profile"]) == (mode, profile)
    assert np.abs(decoded(kept)[..., 0] - expected).max() <= 0.6
    # WebP has no grey, so there the numbers are converted.
    assert not opened(as_webp).info.get("icc_profile")
    shown = 255 * srgb_curve((np.rint(expected) / 255) ** 1.75)
    assert np.abs(decoded(as_webp)[..., 0] - shown).max() <= 2


def test_a_cmyk_jpeg_comes_back_with_its_own_inks_and_profile(engine: Engine) -> None:
    # K is 0 on the way back through this profile, and the others can be read off Lab.
    inks = [(30, 128, 128, 0), (60, 128, 128, 0), (120, 140, 110, 0), (100, 120, 150, 0)]
    image = Image.frombytes("CMYK", (64, 16), blocks(inks).tobytes())
    data = saved(image, "JPEG", quality=100, subsampling=0, icc_profile=cmyk_profile())

    result, report = upscale(engine, data, quality=100)

    found = opened(result)
    assert (found.format, found.mode, found.size) == ("JPEG", "CMYK", (256, 64))
    assert found.info["icc_profile"] == cmyk_profile()
    assert np.abs(middles(np.asarray(found)) - inks).max() <= 7
    assert report.notes == ()


def test_a_grey_jpeg_comes_back_as_one_plane(engine: Engine, in_floats: InFloats) -> None:
    data = saved(bare_photo(40, 30).convert("L"), "JPEG", quality=95)

    result, _ = upscale(engine, data, quality=100)

    assert opened(result).mode == "L"
    wrong = decoded(result) - in_floats(decoded(data))
    assert np.abs(wrong).max() <= 4


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_has_colour_in_full_resolution(engine: Engine, mode: str) -> None:
    data = saved(
        bare_photo(16, 16).convert(mode), "JPEG", subsampling="4:2:0" if mode != "L" else -1
    )

    result, _ = upscale(engine, data)

    # The frame header: lengths, precision, height, width, components; then three bytes of each.
    frame = result[re.search(rb"\xff[\xc0-\xc2]", result).start() + 9 :]
    factors = [frame[1 + 3 * component + 1] for component in range(frame[0])]
    assert factors == [0x11] * {"L": 1, "RGB": 3, "CMYK": 4}[mode]


# Transparency


def test_a_palette_with_transparency_becomes_its_colours_and_alpha(engine: Engine) -> None:
    colours = [(250, 20, 30), (20, 200, 40), (30, 40, 220), (128, 128, 128)]
    alphas = [255, 0, 128, 255]
    image = Image.frombytes("P", (64, 16), blocks([(i,) for i in range(4)]).tobytes())
    image.putpalette(sum(colours, ()))

    result, _ = upscale(engine, saved(image, "PNG", transparency=bytes(alphas)))

    assert opened(result).mode == "RGBA"
    found = middles(decoded(result))
    shown = [0, 2, 3]
    assert np.abs(found[shown, :3] - np.array(colours)[shown]).max() <= 6
    assert np.abs(found[:, 3] - alphas).max() <= 2


@pytest.mark.parametrize("colour", [(255, 255, 255), (240, 120, 30), (0, 90, 200)], ids=str)
@pytest.mark.parametrize("hidden", [(0, 0, 0), (255, 0, 255)], ids=str)
def test_a_transparent_edge_shows_only_its_own_colour_on_any_ground(
    engine: Engine, in_floats: InFloats, colour: tuple[int, ...], hidden: tuple[int, ...]
) -> None:
    """What lies beneath the transparency, black or magenta, shines through nowhere."""
    y, x = np.mgrid[:48, :48]
    alpha = (255 * np.clip(15.5 - np.hypot(x - 24, y - 23), 0, 1)).astype(np.uint8)[..., None]
    pixels = np.concatenate([np.where(alpha > 0, colour, hidden), alpha], 2).astype(np.uint8)

    result = decoded(upscale(engine, saved(Image.fromarray(pixels), "PNG"))[0]) / 255

    # The edge is where the network puts it when it sees alpha alone, limited to what was around.
    near = np.pad(alpha[..., 0], 1, "edge")
    around = np.lib.stride_tricks.sliding_window_view(near, (3, 3))
    low, high = (f(around, axis=(2, 3)).repeat(4, 0).repeat(4, 1) for f in (np.min, np.max))
    edge = np.clip(in_floats(alpha)[..., 0], low, high)[..., None] / 255
    for ground in (0.0, 1.0, 0.5):
        shown = result[..., :3] * result[..., 3:] + ground * (1 - result[..., 3:])
        expected = np.array(colour) / 255 * edge + ground * (1 - edge)
        assert np.abs(shown - expected).max() <= 8 / 255
        assert np.abs(shown - expected).mean() <= 1 / 255


def test_what_is_opaque_everywhere_costs_no_alpha(engine: Engine) -> None:
    image = bare_photo(24, 24)
    veiled = image.copy()
    veiled.putalpha(255)

    with_alpha, report = upscale(engine, saved(veiled, "PNG"))
    without, same_report = upscale(engine, saved(image, "PNG"))

    assert opened(with_alpha).mode == "RGB"
    assert np.array_equal(decoded(with_alpha), decoded(without))
    assert report.tiles == same_report.tiles == 1


# Animations


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_used_and_it_is_told(
    engine: Engine, in_floats: InFloats, file_format: str
) -> None:
    first, later = bare_photo(24, 20), [Image.new("RGB", (24, 20), c) for c in ("red", "blue")]
    data = saved(first, file_format, save_all=True, append_images=later, lossless=True)

    result, report = upscale(engine, data, lossless=True)

    assert getattr(opened(data), "n_frames", 1) == 3
    assert getattr(opened(result), "n_frames", 1) == 1
    assert np.abs(decoded(result) - in_floats(np.asarray(first))).max() <= 0.6
    assert report.notes == (ANIMATED,)
