"""Pictures of 16 bits from file to file, against samples written and read here bit by bit."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from inference import colour, image_io, planes
from inference.engine import Engine
from inference.errors import FormatCannotHold, InvalidOptions, MalformedImage, ResolutionTooHigh
from inference.geometry import Size
from inference.image_io import Header, Picture
from inference.loader import describe
from inference.metadata import Metadata
from inference.network import Network
from inference.options import MetadataChoice, Options
from inference.report import Report
from inference.resample import Resampler
from inference.samples import bits_of, peak, to_8_bits, to_16_bits
from inference.weights import ModelStore
from tests.inference.networks import compact, ready
from tests.inference.pictures import (
    CANARY,
    GAMMA,
    P3_PRIMARIES,
    Samples,
    chunk,
    cmyk_profile,
    exif_block,
    grey_profile,
    png_file,
    rgb_profile,
    scanlines,
    srgb_curve,
    to_d50,
    xmp_block,
)

FAST = "realesr-animevideov3"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
NEEDS_8_BITS = "16 bits per channel were reduced to 8, because its colour profile needs that."
REDUCED = "16 bits per channel were reduced to 8; PNG keeps them."

Deep = NDArray[np.uint16]


def deep_noise(height: int, width: int, channels: int, seed: int = 1) -> Deep:
    samples = np.random.default_rng(seed).integers(0, 65536, (height, width, channels), np.uint16)
    if channels in (2, 4):
        samples[0, 0, -1] = 12_345
    return samples


def png(
    samples: Samples, interlaced: bool = False, before: bytes = b"", after: bytes = b""
) -> bytes:
    height, width, channels = samples.shape
    rows = scanlines(samples, 16, interlaced)
    kind = COLOUR_TYPES[channels]
    size = (width, height)
    return png_file(size, 16, kind, rows, interlaced=interlaced, before=before, after=after)


def read(data: bytes, metadata: MetadataChoice = "safe") -> Picture:
    return image_io.read(io.BytesIO(data), metadata=metadata)


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def samples_of(data: bytes) -> Deep:
    """The samples of a PNG of 16 bits that is not interlaced, by the specification's own words."""
    chunks = chunks_of(data)
    width, height, depth, kind, *_ = struct.unpack(">IIBBBBB", dict(chunks)[b"IHDR"])
    assert depth == 16
    channels = {0: 1, 4: 2, 2: 3, 6: 4}[kind]
    raw = np.frombuffer(zlib.decompress(b"".join(d for k, d in chunks if k == b"IDAT")), np.uint8)
    lines = raw.reshape(height, 1 + 2 * channels * width)
    above = np.zeros((width, 2 * channels), np.uint8)
    out = np.empty((height, width, 2 * channels), np.uint8)
    for y, line in enumerate(lines):
        residue = line[1:].reshape(width, -1)
        if line[0] == 1:
            above = np.add.accumulate(residue, axis=0, dtype=np.uint8)
        elif line[0] == 3:
            above, left = above.astype(np.int64), np.zeros(2 * channels, np.int64)
            for x in range(width):
                above[x] = left = (residue[x] + (left + above[x]) // 2) % 256
            above = above.astype(np.uint8)
        else:
            assert line[0] in (0, 2)
            above = residue + above if line[0] == 2 else residue
        out[y] = above
    return out.view(">u2").astype(np.uint16)


# Reading


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (13, 11), (40, 3)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_sample_is_read_as_it_is(
    channels: int, size: tuple[int, int], interlaced: bool
) -> None:
    samples = deep_noise(size[1], size[0], channels)

    data = png(samples, interlaced)
    picture = read(data)

    assert picture.pixels.dtype == np.uint16
    assert np.array_equal(picture.pixels, samples)
    assert (picture.bits, picture.channels, picture.notes) == (16, channels, ())
    assert picture.pixels.flags.c_contiguous
    seen = image_io.read_header(io.BytesIO(data))
    assert seen == Header("png", Size(*size), has_alpha=channels in (2, 4))


@pytest.mark.parametrize(
    "said",
    [
        chunk(b"gAMA", struct.pack(">I", 100_000)),
        chunk(b"sRGB", b"\0"),
        chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)),
        chunk(b"cICP", bytes((9, 16, 0, 1))),
        chunk(b"sBIT", bytes((10, 10, 10))),
        chunk(b"bKGD", struct.pack(">3H", 1, 2, 3)),
        chunk(b"iCCP", b"profile\0\0" + zlib.compress(rgb_profile())),
        chunk(b"PLTE", bytes(range(12))),
    ],
    ids=lambda said: said[4:8].decode(),
)
def test_what_a_file_says_about_its_colours_changes_no_sample(said: bytes) -> None:
    samples = deep_noise(9, 8, 3)

    assert np.array_equal(read(png(samples, before=said)).pixels, samples)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("interlaced", [False, True])
def test_the_transparent_colour_is_compared_in_all_its_bits(
    channels: int, interlaced: bool
) -> None:
    samples = deep_noise(12, 10, channels)
    key = samples[3, 4].copy()
    samples[7, 8] = key
    samples[5, 5] = key ^ 1  # another colour, though the same one in 8 bits
    trns = chunk(b"tRNS", struct.pack(f">{channels}H", *key))

    pixels = read(png(samples, interlaced, before=trns)).pixels

    assert np.array_equal(pixels[..., :-1], samples)
    assert np.argwhere(pixels[..., -1] == 0).tolist() == [[3, 4], [7, 8]]
    assert set(np.unique(pixels[..., -1])) == {0, 65535}


@pytest.mark.parametrize("key", [b"\0\1\0\2", bytes(6)])
def test_a_transparent_colour_that_does_not_fit_is_ignored(key: bytes) -> None:
    samples = deep_noise(4, 5, 1)

    assert np.array_equal(read(png(samples, before=chunk(b"tRNS", key))).pixels, samples)


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_of_65535_everywhere_is_dropped_and_65534_is_not(channels: int) -> None:
    samples = deep_noise(6, 7, channels)
    samples[..., -1] = 65535
    almost = samples.copy()
    almost[2, 3, -1] = 65534

    assert np.array_equal(read(png(samples)).pixels, samples[..., :-1])
    assert np.array_equal(read(png(almost)).pixels, almost)


TURNED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("orientation", TURNED)
def test_pictures_come_out_upright(orientation: int, place: str) -> None:
    samples = deep_noise(5, 9, 3)
    exif = chunk(b"eXIf", exif_block(orientation).removeprefix(b"Exif\0\0"))

    picture = read(png(samples, **{place: exif}))

    assert np.array_equal(picture.pixels, TURNED[orientation](samples))
    assert picture.pixels.flags.c_contiguous


def test_an_animation_gives_its_first_frame_and_says_so() -> None:
    samples = deep_noise(6, 8, 3)
    control = chunk(b"acTL", struct.pack(">II", 2, 0))
    first = chunk(b"fcTL", struct.pack(">5I2H2B", 0, 8, 6, 0, 0, 1, 1, 0, 0))
    second = chunk(b"fcTL", struct.pack(">5I2H2B", 1, 8, 6, 0, 0, 1, 1, 0, 0))
    frame = zlib.compress(scanlines(deep_noise(6, 8, 3, seed=2), 16))
    second += chunk(b"fdAT", struct.pack(">I", 2) + frame)

    picture = read(png(samples, before=control + first, after=second))

    assert np.array_equal(picture.pixels, samples)
    assert picture.notes == ("The file is animated; its first frame was used.",)


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("compressed", [False, True])
def test_profile_resolution_exif_and_xmp_are_kept(place: str, compressed: bool) -> None:
    text = b"\1\0\0\0" + zlib.compress(xmp_block()) if compressed else b"\0\0\0\0" + xmp_block()
    behind = chunk(b"iTXt", b"Title\0\0\0\0\0" + b"other") + chunk(
        b"iTXt", b"XML:com.adobe.xmp\0" + text
    )
    behind += chunk(b"eXIf", exif_block(1).removeprefix(b"Exif\0\0"))
    before = chunk(b"iCCP", b"profile\0\0" + zlib.compress(rgb_profile()))
    before += chunk(b"pHYs", struct.pack(">IIB", 11811, 5906, 1))
    extra = (
        {"before": before + behind} if place == "before" else {"before": before, "after": behind}
    )

    data = png(deep_noise(4, 4, 3), **extra)
    kept = read(data, "all").metadata

    assert (kept.icc, kept.xmp) == (rgb_profile(), xmp_block())
    assert kept.dpi == pytest.approx((300, 150), abs=0.02)
    assert kept.exif is not None
    assert CANARY + b"-exif" in kept.exif
    safe = read(data, "safe").metadata
    assert (safe.icc, safe.exif, safe.xmp) == (rgb_profile(), None, None)


@pytest.mark.parametrize(
    "text", [b"\1\0\0\0" + zlib.compress(bytes(3_000_000)), b"\1\0\0\0no deflate", b"\0", b""]
)
def test_xmp_that_inflates_without_end_or_is_broken_counts_as_none(text: bytes) -> None:
    samples = deep_noise(3, 3, 3)
    behind = chunk(b"iTXt", b"XML:com.adobe.xmp\0" + text)

    picture = read(png(samples, after=behind), "all")

    assert np.array_equal(picture.pixels, samples)
    assert picture.metadata.xmp is None


def test_a_file_cut_short_or_with_an_impossible_row_is_refused() -> None:
    samples = deep_noise(20, 15, 3)
    data = png(samples)
    wrong_filter = bytearray(scanlines(samples, 16))
    wrong_filter[7 * 91] = 9

    for length in range(33, len(data) - 12, 41):
        with pytest.raises(MalformedImage):
            read(data[:length])
    for rows in (bytes(wrong_filter), scanlines(samples[:19], 16)):
        with pytest.raises(MalformedImage):
            read(png_file((15, 20), 16, 2, rows))


def test_sides_that_the_decoder_does_not_take_are_refused_with_a_sentence() -> None:
    longest = png_file((1_000_000, 1), 16, 0, bytes(2_000_001))
    longer = png_file((1_000_001, 1), 16, 0, bytes(2_000_003))

    assert read(longest).size == (1_000_000, 1)
    with pytest.raises(ResolutionTooHigh, match="1,000,000 pixels a side"):
        read(longer)


# Colours


def expected_srgb(samples: Deep) -> NDArray[np.float64]:
    """What `rgb_profile()` says these samples look like, in sRGB from 0 to 65535."""
    linear = (samples / 65535) ** GAMMA @ to_d50(P3_PRIMARIES).T
    to_srgb = np.linalg.inv(to_d50(((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))))
    return 65535 * srgb_curve(np.clip(linear @ to_srgb.T, 0, 1))


@pytest.mark.parametrize("channels", [3, 4])
def test_without_metadata_colours_are_converted_in_16_bits(channels: int) -> None:
    samples = deep_noise(90, 30, channels)
    profile = chunk(b"iCCP", b"p\0\0" + zlib.compress(rgb_profile()))

    picture = read(png(samples, before=profile), "none")

    expected = expected_srgb(samples[..., :3])
    assert (picture.bits, picture.notes, picture.metadata) == (16, (), Metadata())
    wrong = np.abs(picture.pixels[..., :3] - expected)
    # The profile's own numbers are rounded to 1/65536. To sRGB they count threefold, and sRGB's
    # curve makes 13 of that in the dark.
    assert wrong.max() <= 40
    assert np.median(wrong) <= 3
    assert np.abs(expected - samples[..., :3]).max() > 5_000
    assert np.array_equal(picture.pixels[..., 3:], samples[..., 3:])


@pytest.mark.parametrize("channels", [1, 2])
def test_grey_is_converted_in_16_bits(channels: int) -> None:
    samples = deep_noise(30, 40, channels)
    profile = chunk(b"iCCP", b"p\0\0" + zlib.compress(grey_profile(gamma=1.75)))

    picture = read(png(samples, before=profile), "none")

    expected = 65535 * srgb_curve((samples[..., 0] / 65535) ** 1.75)
    assert np.abs(picture.pixels[..., 0] - expected).max() <= 1
    assert np.array_equal(picture.pixels[..., 1:], samples[..., 1:])


def test_srgb_and_no_profile_at_all_stay_what_they_are_without_metadata() -> None:
    samples = deep_noise(20, 20, 3)
    profile = chunk(b"iCCP", b"p\0\0" + zlib.compress(colour.srgb_profile()))

    same = read(png(samples, before=profile), "none")

    assert np.abs(same.pixels.astype(int) - samples).max() <= 6
    assert (same.bits, same.metadata, same.notes) == (16, Metadata(), ())
    assert np.array_equal(read(png(samples), "none").pixels, samples)


def table_profile() -> bytes:
    """Display P3 again, but claiming to have a table as well."""
    return rgb_profile().replace(b"desc", b"A2B0", 1)


def test_a_profile_of_tables_costs_8_bits_and_says_so() -> None:
    samples = deep_noise(5, 5, 3)
    said = chunk(b"iCCP", b"p\0\0" + zlib.compress(table_profile()))

    converted, kept = read(png(samples, before=said), "none"), read(png(samples, before=said))

    assert converted.bits == 8
    assert NEEDS_8_BITS in converted.notes
    assert np.array_equal(kept.pixels, samples)


@pytest.mark.parametrize("choice", ["none", "safe"])
@pytest.mark.parametrize("profile", [grey_profile(), cmyk_profile(), b"no profile"])
def test_a_profile_that_does_not_fit_is_left_out_and_costs_no_bits(
    profile: bytes, choice: MetadataChoice
) -> None:
    samples = deep_noise(5, 5, 3)
    said = chunk(b"iCCP", b"p\0\0" + zlib.compress(profile))

    picture = read(png(samples, before=said), choice)

    assert np.array_equal(picture.pixels, samples)
    assert picture.metadata.icc is None
    assert picture.notes == ("The colour profile does not fit the picture and was left out.",)


# On the way


def test_every_level_is_rounded_to_8_bits_and_8_bits_become_16_exactly() -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(-1, 128, 1)
    shallow = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)

    assert np.array_equal(to_8_bits(levels), np.rint(levels / 257))
    assert np.array_equal(to_16_bits(shallow) / 65535, shallow / 255)
    assert np.array_equal(to_8_bits(to_16_bits(shallow)), shallow)
    assert (bits_of(levels), bits_of(shallow)) == (16, 8)
    assert (peak(levels), peak(shallow)) == (65535, 255)


@pytest.mark.parametrize("channels", [2, 4])
def test_colours_bleed_beneath_transparency_in_16_bits(channels: int) -> None:
    pixels = np.zeros((150, 70, channels), np.uint16)
    pixels[40:50, 10:30] = 60_001
    pixels[40:50, 10:30, -1] = 7

    out = colour.bleed(pixels)

    assert out.dtype == np.uint16
    assert (out[..., :-1] == 60_001).all()
    assert np.array_equal(out[..., -1], pixels[..., -1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_samples_of_16_bits_become_numbers_from_0_to_1(dtype: torch.dtype) -> None:
    window = np.array([0, 1, 300, 32_768, 65_535], np.uint16).reshape(1, 5, 1)

    image = planes.tensor(window, (0, None), torch.device("cpu"), dtype, lambda w, h: (0, 0))

    expected = torch.from_numpy(window[..., 0] / 65535).to(dtype)
    assert torch.equal(image[0, 0], expected)
    assert (image[0, 1] == 1).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_network_that_only_repeats_pixels_keeps_every_one_of_65536_levels(channels: int) -> None:
    # Compact adds what its convolutions find to the repeated pixels; these find nothing.
    nothing = {name: value * 0 for name, value in compact().state_dict().items()}
    network = Network(describe(nothing), torch.device("cpu"), torch.float32)
    levels = np.random.default_rng(4).permutation(65536).astype(np.uint16).reshape(256, 256, 1)
    samples = np.concatenate([np.roll(levels, 7 * c) for c in range(channels)], axis=2)

    assert np.array_equal(network(samples), samples.repeat(4, axis=0).repeat(4, axis=1))


def test_alpha_stays_within_its_neighbourhood_in_16_bits() -> None:
    alpha = np.zeros((6, 6), np.uint16)
    alpha[:, 4:] = 65_535
    result = np.full((12, 12), 30_001, np.uint16)

    planes.confine_alpha(result, alpha, 2)

    assert (result[:, :6] == 0).all()
    assert (result[:, 6:10] == 30_001).all()
    assert (result[:, 10:] == 65_535).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_network_sees_8_bits_and_the_same_in_16_alike(channels: int) -> None:
    network = ready(compact())
    shallow = np.random.default_rng(3).integers(0, 256, (9, 8, channels), np.uint8)

    fine, coarse = network(to_16_bits(shallow)), network(shallow)

    assert (fine.dtype, coarse.dtype) == (np.uint16, np.uint8)
    assert np.abs(fine / 257 - coarse).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("target", [(45, 31), (13, 200), (64, 64), (7, 5), (1, 1)])
@pytest.mark.parametrize("strip", [1, 7, 64])
@pytest.mark.parametrize("channels", [1, 4])
def test_rows_are_resized_in_16_bits_as_the_whole_picture_is(
    target: tuple[int, int], strip: int, channels: int
) -> None:
    samples = deep_noise(64, 30, channels)
    resampler = Resampler(Size(30, 64), Size(*target))

    strips = [resampler.push(samples[top : top + strip]) for top in range(0, 64, strip)]

    whole = [
        Image.fromarray(samples[..., c].astype(np.float32)).resize(target, Image.Resampling.LANCZOS)
        for c in range(channels)
    ]
    expected = np.rint(np.stack([np.asarray(plane) for plane in whole], -1)).clip(0, 65535)
    assert all(rows.dtype == np.uint16 for rows in strips)
    wrong = np.abs(np.concatenate(strips) - expected)
    assert wrong.max() <= 1
    assert (wrong == 0).mean() > 0.99


@pytest.mark.parametrize("target", [(30, 64), (41, 90), (13, 20)])
def test_rows_are_rounded_to_8_bits_once(target: tuple[int, int]) -> None:
    samples = deep_noise(64, 30, 3)
    resampler = Resampler(Size(30, 64), Size(*target), 8)

    rows = np.concatenate([resampler.push(samples[top : top + 9]) for top in range(0, 64, 9)])

    whole = [
        Image.fromarray(samples[..., c].astype(np.float32)).resize(target, Image.Resampling.LANCZOS)
        for c in range(3)
    ]
    exact = np.stack([np.asarray(plane) for plane in whole], -1).clip(0, 65535) / 257
    assert rows.dtype == np.uint8
    assert np.abs(rows - exact).max() <= 0.502


@pytest.mark.parametrize("target", [(30, 20), (50, 31)])
def test_rows_of_8_bits_can_leave_in_16(target: tuple[int, int]) -> None:
    shallow = to_8_bits(deep_noise(20, 30, 3))

    rows = Resampler(Size(30, 20), Size(*target), 16).push(shallow)

    same = Resampler(Size(30, 20), Size(*target)).push(to_16_bits(shallow))
    assert np.array_equal(rows, same)


def test_a_whole_picture_at_once_is_resized_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = deep_noise(64, 30, 3)
    at_once = Resampler(Size(30, 64), Size(41, 90)).push(samples)

    monkeypatch.setattr("inference.resample._STRIP_SAMPLES", 300)
    in_strips = Resampler(Size(30, 64), Size(41, 90)).push(samples)

    assert np.abs(at_once.astype(int) - in_strips).max() <= 1


# Through the engine


@pytest.fixture(scope="module")
def engine(models_path: Path) -> Engine:
    return Engine(ModelStore(models_path), device="cpu")


def upscale(engine: Engine, data: bytes, **options: object) -> tuple[bytes, Report]:
    sink = io.BytesIO()
    report = engine.upscale(io.BytesIO(data), sink, Options(**{"model": FAST, **options}))
    return sink.getvalue(), report


def gradient(channels: int, height: int = 20, width: int = 32) -> Deep:
    """Slow ramps, another one in every channel, whose steps 8 bits cannot tell apart."""
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    ramps = [0.42 + 0.05 * across, 0.6 - 0.03 * down, 0.3 + 0.02 * (across + down)]
    if channels in (2, 4):
        ramps = [*ramps[: channels - 1], 0.5 + 0.04 * across * down]
    return np.rint(65535 * np.stack(ramps[:channels], -1)).astype(np.uint16)


@pytest.fixture(scope="module")
def in_floats(models_path: Path):
    """spandrel's own call on RGB of [0, 1], height and width first."""
    descriptor = describe(ModelStore(models_path).load(FAST).state_dict)

    def run(rgb: NDArray[np.float64]) -> NDArray[np.float32]:
        image = torch.from_numpy(rgb.astype(np.float32)).permute(2, 0, 1)[None]
        return descriptor(image)[0].permute(1, 2, 0).clamp(0, 1).numpy()

    return run


@pytest.mark.parametrize("tile", [None, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_gradient_comes_out_as_the_networks_own_floats(
    engine: Engine, in_floats, channels: int, tile: int | None
) -> None:
    samples = gradient(channels)

    data, report = upscale(engine, png(samples), tile=tile)

    result = samples_of(data)
    parts = [samples[..., :3] if channels >= 3 else samples[..., [0, 0, 0]]]
    if channels in (2, 4):
        parts.append(samples[..., [-1] * 3])
    outs = [in_floats(part / 65535) for part in parts]
    expected = [outs[0] if channels >= 3 else outs[0].mean(-1, keepdims=True)]
    assert result.shape == (80, 128, channels)
    assert np.abs(result[..., : expected[0].shape[2]] - 65535 * expected[0]).max() <= 1.5
    if channels in (2, 4):
        near = np.pad(samples[..., -1], 1, "edge")
        around = np.lib.stride_tricks.sliding_window_view(near, (3, 3))
        low, high = (f(around, axis=(2, 3)).repeat(4, 0).repeat(4, 1) for f in (np.min, np.max))
        alpha = (65535 * outs[1].mean(-1)).clip(low, high)
        assert np.abs(result[..., -1] - alpha).max() <= 1.5
    assert len(np.unique(result[..., 0])) > 1000
    assert (report.bits, report.dtype) == (16, "fp32")


def test_8_bits_become_16_from_the_networks_floats_on_request(engine: Engine, in_floats) -> None:
    shallow = to_8_bits(gradient(3))
    file = io.BytesIO()
    Image.fromarray(shallow).save(file, "PNG")

    data, report = upscale(engine, file.getvalue(), bits=16)

    assert np.abs(samples_of(data) - 65535 * in_floats(shallow / 255)).max() <= 1.5
    assert (samples_of(data) % 257 != 0).mean() > 0.9
    assert (report.bits, report.dtype) == (16, "fp32")


def test_16_bits_become_8_on_request_and_for_other_formats_with_a_note(
    engine: Engine, in_floats
) -> None:
    source = png(gradient(3))
    expected = np.rint(255 * in_floats(gradient(3) / 65535))

    asked, report = upscale(engine, source, bits=8, precision="fp32")
    webp, note = upscale(engine, source, output_format="webp", lossless=True, precision="fp32")

    for data in (asked, webp):
        assert np.abs(np.asarray(Image.open(io.BytesIO(data))) - expected).max() <= 1
    assert (report.bits, report.notes) == (8, ())
    assert (note.bits, note.notes) == (8, (REDUCED,))


@pytest.mark.parametrize(
    ("options", "size", "passes"),
    [
        ({"scale": 2}, (64, 40), 1),
        ({"width": 100}, (100, 62), 1),
        ({"scale": 8}, (256, 160), 2),
    ],
    ids=str,
)
def test_filter_and_several_passes_keep_16_bits(
    engine: Engine, in_floats, options: dict[str, int], size: tuple[int, int], passes: int
) -> None:
    data, report = upscale(engine, png(gradient(3)), **options)

    enlarged = gradient(3) / 65535
    for _ in range(passes):
        enlarged = in_floats(enlarged)
    expected = [
        np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.LANCZOS))
        for plane in np.moveaxis(enlarged, -1, 0)
    ]
    wrong = np.abs(samples_of(data) - 65535 * np.stack(expected, -1))
    # A second pass amplifies the first one's rounding, in single places a hundredfold.
    assert wrong.max() <= (1.5 if passes == 1 else 257)
    assert np.median(wrong) <= (0.5 if passes == 1 else 3)
    assert report.bits == 16


def test_profile_and_resolution_arrive_in_the_result(engine: Engine) -> None:
    said = chunk(b"iCCP", b"p\0\0" + zlib.compress(rgb_profile()))
    said += chunk(b"pHYs", struct.pack(">IIB", 11811, 11811, 1))

    data, _ = upscale(engine, png(gradient(3), before=said))

    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == rgb_profile()
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.02)
    plain, _ = upscale(engine, png(gradient(3)))
    assert np.array_equal(samples_of(data), samples_of(plain))


def test_a_transparent_edge_has_no_dark_fringe_in_16_bits(engine: Engine) -> None:
    y, x = np.mgrid[:32, :32]
    inside = (x - 16) ** 2 + (y - 16) ** 2 < 10**2
    samples = np.where(inside[..., None], 65535, 0).repeat(4, 2).astype(np.uint16)

    result = samples_of(upscale(engine, png(samples))[0])

    assert result[..., :3][result[..., 3] > 0].min() > 225 * 257
    assert (result[:16, :16, 3] == 0).all()
    assert (result[60:68, 60:68, 3] == 65535).all()


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_precision_that_is_asked_for_is_obeyed(engine: Engine, precision: str) -> None:
    _, report = upscale(engine, png(gradient(3)), precision=precision)

    assert (report.dtype, report.bits) == (precision, 16)


def test_only_png_is_asked_for_16_bits(engine: Engine) -> None:
    jpeg = io.BytesIO()
    Image.new("RGB", (8, 8)).save(jpeg, "JPEG")

    for output_format in ("jpg", "webp"):
        with pytest.raises(InvalidOptions):
            Options(bits=16, output_format=output_format)
    with pytest.raises(FormatCannotHold, match="only PNG"):
        upscale(engine, jpeg.getvalue(), bits=16)
    assert upscale(engine, jpeg.getvalue())[1].bits == 8
    assert upscale(engine, jpeg.getvalue(), bits=16, output_format="png")[1].bits == 16
