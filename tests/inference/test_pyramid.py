"""Pyramids against arithmetic done here, Python's ZIP reader and Pillow's WebP decoder."""

import io
import itertools
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from inference.colour import bleed
from inference.errors import DamagedPreview, NoSuchTile
from inference.geometry import Size
from inference.metadata import Metadata
from inference.preview_tiles import TileColours
from inference.pyramid import PyramidReader, PyramidWriter, level_sizes
from tests.inference.pictures import (
    CANARY,
    Pixels,
    Samples,
    exif_block,
    grey_profile,
    noise,
    opened,
    photo,
    rgb_profile,
    saved,
    srgb_curve,
    srgb_from_p3,
    xmp_block,
)

SIZES = [(1, 1), (2, 1), (1, 5000), (3, 3), (511, 513), (512, 512), (513, 511), (1025, 700)]
PLAIN = Metadata()


class Sink:
    """Takes bytes and can do nothing else."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)


class CountingStream(io.BytesIO):
    """Counts what is read of it."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def pyramid(pixels: Samples, metadata: Metadata = PLAIN, strips: Sequence[int] = ()) -> bytes:
    """The file of a picture whose rows arrive in strips of these heights, the rest at once."""
    sink = Sink()
    height, width, channels = pixels.shape
    writer = PyramidWriter(sink, Size(width, height), channels, metadata)
    for strip in np.split(pixels, list(itertools.accumulate(strips))):
        writer.push(strip)
    writer.finish()
    return b"".join(sink.parts)


def level_of(file: bytes, level: int) -> Pixels:
    """A whole level put together from its tiles, always (height, width, channels)."""
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        names = [n for n in archive.namelist() if n.startswith(f"{level}/")]
        tiles = {}
        for name in names:
            x, y = name.removeprefix(f"{level}/").removesuffix(".webp").split("_")
            tiles[int(y), int(x)] = np.asarray(opened(archive.read(name)))
    across, down = (max(place[axis] for place in tiles) + 1 for axis in (1, 0))
    rows = [np.concatenate([tiles[y, x] for x in range(across)], axis=1) for y in range(down)]
    whole = np.concatenate(rows)
    return whole[..., None] if whole.ndim == 2 else whole


def psnr(error: NDArray[np.float64]) -> float:
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def ceil_halves(side: int, times: int) -> int:
    for _ in range(times):
        side = side // 2 + side % 2
    return side


def means_of_pairs(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    starts = np.arange(0, values.shape[axis], 2)
    counts = np.minimum(2, values.shape[axis] - starts)
    counts = counts.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    return np.add.reduceat(values, starts, axis=axis) / counts


def half(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return means_of_pairs(means_of_pairs(values, 0), 1)


def smooth(height: int, width: int) -> Pixels:
    """Slow waves, other ones in every channel."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (40 + 9 * c) + c) + np.cos(y / (55 - 8 * c)) for c in range(3)]
    return np.rint(127.5 + 60 * np.stack(waves, axis=2)).astype(np.uint8)


@pytest.fixture
def lossless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles as PNG, so that arithmetic can be compared to the last bit."""

    def exact(_: TileColours, pixels: Pixels) -> bytes:
        flat = pixels.squeeze(2) if pixels.shape[2] == 1 else pixels
        return saved(Image.fromarray(flat), "PNG", compress_level=1)

    monkeypatch.setattr(TileColours, "webp", exact)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_picture_of_16_bits_has_the_pyramid_of_the_same_in_8(channels: int) -> None:
    deep = np.random.default_rng(5).integers(0, 65536, (520, 70, channels), np.uint16)

    assert pyramid(deep) == pyramid(np.rint(deep / 257).astype(np.uint8))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_pyramid_has_every_level_and_tile_that_deep_zoom_asks_for(size: tuple[int, int]) -> None:
    width, height = size
    sizes = level_sizes(Size(width, height))
    top = len(sizes) - 1

    names = zipfile.ZipFile(io.BytesIO(pyramid(smooth(height, width)))).namelist()

    assert 2 ** (top - 1) < max(size) <= 2**top or size == (1, 1)
    assert sizes == [
        (ceil_halves(width, top - level), ceil_halves(height, top - level))
        for level in range(top + 1)
    ]
    assert (sizes[0], sizes[-1]) == ((1, 1), size)
    expected = {
        f"{level}/{x}_{y}.webp"
        for level, (across, down) in enumerate(sizes)
        for x in range(-(-across // 512))
        for y in range(-(-down // 512))
    }
    assert set(names) == expected | {"info.json"}
    assert len(names) == len(expected) + 1


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_level_shows_the_mean_of_the_pixels_above_it(size: tuple[int, int]) -> None:
    width, height = size
    # One wave over the whole picture and one tint, so that the smallest level is smooth too.
    wave = np.sin(np.arange(height)[:, None] * 6 / height) * np.cos(np.arange(width) * 6 / width)
    picture = np.rint(120 + 70 * wave[..., None] + [-15, 0, 20]).astype(np.uint8)
    file = pyramid(picture)

    expected = picture.astype(float)
    for level in reversed(range(len(level_sizes(Size(width, height))))):
        seen = level_of(file, level)
        assert seen.shape == expected.shape
        assert np.abs(seen - expected).mean() < 3.5
        assert np.abs(seen - expected).max() < 14
        expected = half(expected)


@pytest.mark.usefixtures("lossless")
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 7), (9, 1), (511, 513), (1025, 600)], ids=str)
def test_means_are_rounded_and_colours_count_by_their_alpha(
    size: tuple[int, int], channels: int
) -> None:
    width, height = size
    picture = noise(height, width, channels)
    if channels in (2, 4):
        picture[..., -1] *= picture[..., -1] > 90  # some fully transparent, whatever their colour
    file = pyramid(picture)

    expected = picture
    for level in reversed(range(len(level_sizes(Size(width, height))))):
        seen = level_of(file, level)
        if channels in (1, 3):
            assert np.array_equal(seen, expected)
            expected = np.floor(half(seen.astype(float)) + 0.5).astype(np.uint8)
            continue
        visible = expected[..., -1] > 0
        assert np.array_equal(seen[..., -1], expected[..., -1])
        assert np.abs(seen[visible].astype(int) - expected[visible]).max(initial=0) <= 1
        alpha = half(seen[..., -1:].astype(float))
        colours = half(seen[..., :-1] * seen[..., -1:].astype(float)) / np.maximum(alpha, 1e-9)
        both = np.concatenate([colours, alpha], axis=2)
        expected = np.floor(np.clip(both, 0, 255) + 0.5).astype(np.uint8)


def test_a_photo_loses_little_to_its_tiles() -> None:
    picture = np.asarray(photo(600, 420))

    seen = level_of(pyramid(picture), 10)

    error = seen.astype(float) - picture
    assert psnr(error @ [0.299, 0.587, 0.114]) > 40
    assert psnr(error) > 33  # WebP keeps colour at half the resolution


@given(
    st.lists(st.integers(0, 700), max_size=8), st.integers(1, 1200), st.sampled_from([1, 2, 3, 4])
)
@settings(max_examples=25, deadline=None)
def test_how_the_rows_are_cut_changes_nothing(
    strips: list[int], height: int, channels: int
) -> None:
    picture = noise(height, 20, channels)
    strips = [top for top in strips if top < height]

    assert pyramid(picture, strips=strips) == pyramid(picture)


def test_a_tall_picture_takes_no_more_memory_than_two_rows_of_tiles() -> None:
    width, height, strip = 200, 40_000, smooth(100, 200)
    sink = Sink()
    pyramid(strip)  # Pillow loads its formats at the first use
    tracemalloc.start()
    try:
        writer = PyramidWriter(sink, Size(width, height), 3, PLAIN)
        for _ in range(0, height, len(strip)):
            writer.push(strip)
        writer.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    row_of_tiles = 512 * width * 3
    kept_here = sum(map(len, sink.parts))
    assert peak - kept_here < 2 * row_of_tiles + 400_000 < width * height * 3 / 20


@pytest.mark.parametrize("hidden", [0, 255])
def test_the_edge_of_a_transparent_picture_has_no_fringe_at_any_level(hidden: int) -> None:
    """An orange disc; black or white that is stored beneath the transparency must not show."""
    orange = np.array([250, 140, 30])
    y, x = np.mgrid[:256, :256]
    inside = np.clip(100.5 - np.hypot(x - 128, y - 128), 0, 1)[..., None]
    colours = np.where(inside > 0, orange, hidden)
    picture = np.concatenate([colours, 255 * inside], axis=2).astype(np.uint8)
    file = pyramid(bleed(picture))

    for level in range(9):
        seen = level_of(file, level).astype(float)
        alpha = seen[..., 3:] / 255
        on_orange = seen[..., :3] * alpha + orange * (1 - alpha)
        assert np.abs(on_orange - orange).max() < 5
        assert seen[..., 3].mean() == pytest.approx(255 * inside.mean(), rel=0.02)


def test_a_picture_without_colour_stays_grey() -> None:
    picture = smooth(80, 80)[..., :1]

    seen = level_of(pyramid(picture), 7)

    assert np.ptp(seen, axis=2).max() <= 2
    assert np.abs(seen[..., :1].astype(int) - picture).max() < 8


def profile_of(file: bytes, level: int) -> bytes | None:
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        return opened(archive.read(f"{level}/0_0.webp")).info.get("icc_profile")


def padded(profile: bytes) -> bytes:
    """The same profile, too large to be repeated in every tile."""
    return struct.pack(">I", len(profile) + 4096) + profile[4:] + bytes(4096)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_small_profile_is_in_every_tile_with_the_pictures_own_numbers(channels: int) -> None:
    picture = np.full((40, 40, channels), (200, 60, 40, 128)[:channels], np.uint8)

    file = pyramid(picture, Metadata(icc=rgb_profile()))

    for level in range(7):
        assert profile_of(file, level) == rgb_profile()
        assert np.abs(level_of(file, level).astype(int) - picture[0, 0]).max() <= 4


@pytest.mark.parametrize("channels", [3, 4])
def test_a_large_profile_is_applied_instead(channels: int) -> None:
    picture = np.full((40, 40, channels), (150, 110, 90, 128)[:channels], np.uint8)

    file = pyramid(picture, Metadata(icc=padded(rgb_profile())))

    expected = srgb_from_p3(picture[0, 0, :3])
    assert np.abs(expected - picture[0, 0, :3]).max() > 5
    for level in range(7):
        seen = level_of(file, level)
        assert profile_of(file, level) is None
        assert np.abs(seen[..., :3] - expected).max() <= 4
        assert channels == 3 or np.all(seen[..., 3] == 128)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_grey_profile_is_applied_since_webp_has_no_grey(channels: int) -> None:
    picture = np.full((40, 40, channels), 60, np.uint8)

    file = pyramid(picture, Metadata(icc=grey_profile(gamma=1.0)))

    assert profile_of(file, 6) is None
    expected = 255 * srgb_curve(np.array(60 / 255))
    assert np.abs(level_of(file, 6)[..., :3] - expected).max() <= 3


@pytest.mark.parametrize(
    "metadata",
    [
        Metadata(icc=b"no profile at all"),
        Metadata(icc=padded(b"\0" * 4000)),
        Metadata(icc=padded(grey_profile())),
        Metadata(icc=rgb_profile(), cmyk=True),
    ],
    ids=["rubbish", "long rubbish", "of another kind", "for print"],
)
def test_a_profile_that_is_not_of_these_pixels_changes_nothing(metadata: Metadata) -> None:
    picture = smooth(40, 40)

    assert pyramid(picture, metadata) == pyramid(picture)


def test_the_file_tells_nothing_but_the_picture() -> None:
    metadata = Metadata(dpi=(300, 300), exif=exif_block(1), xmp=xmp_block())
    file = pyramid(smooth(600, 600), metadata)

    assert CANARY not in file
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        for member in archive.infolist():
            assert member.compress_type == zipfile.ZIP_STORED
            assert member.date_time == (1980, 1, 1, 0, 0, 0)
            assert (member.create_system, member.external_attr, member.extra) == (
                3,
                0o600 << 16,
                b"",
            )
            if member.filename != "info.json":
                tile = opened(archive.read(member))
                assert set(tile.info) <= {"background", "loop", "duration", "timestamp"}


def test_any_zip_reader_finds_the_file_sound_and_what_the_viewer_needs_last() -> None:
    file = pyramid(smooth(513, 700)[..., [0, 1]])

    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[-1] == "info.json"
        assert json.loads(archive.read("info.json")) == {
            "width": 700,
            "height": 513,
            "tile_size": 512,
            "levels": 11,
            "channels": 2,
        }


def test_a_sink_that_could_seek_gets_the_same_bytes() -> None:
    sink = io.BytesIO()
    picture = smooth(300, 300)
    writer = PyramidWriter(sink, Size(300, 300), 3, PLAIN)
    writer.push(picture)
    writer.finish()

    assert sink.getvalue() == pyramid(picture)


def test_an_abandoned_pyramid_never_looks_whole() -> None:
    sink = Sink()
    writer = PyramidWriter(sink, Size(300, 1024), 3, PLAIN)
    writer.push(smooth(600, 300))
    del writer

    assert sink.parts
    with pytest.raises(DamagedPreview):
        PyramidReader(io.BytesIO(b"".join(sink.parts)))


def test_rows_that_are_missing_or_too_many_are_noticed() -> None:
    writer = PyramidWriter(Sink(), Size(5, 10), 3, PLAIN)
    writer.push(smooth(9, 5))

    with pytest.raises(AssertionError, match="missing"):
        writer.finish()
    with pytest.raises(AssertionError, match="more rows"):
        writer.push(smooth(2, 5))


def test_the_error_of_a_full_disk_is_the_callers() -> None:
    class FullDisk:
        def write(self, data: bytes) -> int:
            raise OSError(28, "No space left on device")

    writer = PyramidWriter(FullDisk(), Size(600, 600), 3, PLAIN)

    with pytest.raises(OSError, match="No space left"):
        writer.push(smooth(600, 600))


def test_the_caller_is_asked_at_every_tile_and_may_stop_there() -> None:
    asked = 0

    def stop_at_the_third() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise KeyboardInterrupt

    sink = Sink()
    writer = PyramidWriter(sink, Size(5000, 512), 3, PLAIN, stop_at_the_third)

    with pytest.raises(KeyboardInterrupt):
        writer.push(smooth(512, 5000))
    assert sum(part.startswith(b"RIFF") for part in sink.parts) == 3


def test_a_reader_gives_exactly_the_tiles_that_are_there() -> None:
    file = pyramid(smooth(700, 1025))
    reader = PyramidReader(io.BytesIO(file))

    assert (reader.width, reader.height, reader.levels) == (1025, 700, 12)
    assert (reader.tile_size, reader.channels) == (512, 3)
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert reader.tile(11, 2, 1) == archive.read("11/2_1.webp")
        assert reader.tile(0, 0, 0) == archive.read("0/0_0.webp")
    for place in [(11, 3, 0), (11, 0, 2), (12, 0, 0), (-1, 0, 0), (11, -1, 0), (0, 0, 1)]:
        with pytest.raises(NoSuchTile, match="no tile"):
            reader.tile(*place)


def test_a_reader_reads_the_directory_and_the_tile_and_no_more() -> None:
    stream = CountingStream(pyramid(noise(2048, 2048, 3)))
    with zipfile.ZipFile(stream) as archive:
        directory = len(stream.getvalue()) - archive.start_dir

    stream.count = 0
    reader = PyramidReader(stream)
    opening, stream.count = stream.count, 0
    tile = reader.tile(11, 1, 2)

    assert opening < directory + 1000
    assert stream.count < len(tile) + 100
    assert opening + stream.count < len(stream.getvalue()) / 8


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_file_gives_a_typed_error_or_the_right_tile(data: st.DataObject) -> None:
    whole = pyramid(smooth(3, 3))
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    damaged += bytes(data.draw(st.sampled_from([0, 0, len(whole) - len(damaged)])))
    for place in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=3)):
        if damaged:
            damaged[place] = data.draw(st.integers(0, 255))

    try:
        tile = PyramidReader(io.BytesIO(damaged)).tile(2, 0, 0)
    except (DamagedPreview, NoSuchTile):
        return
    assert tile == PyramidReader(io.BytesIO(whole)).tile(2, 0, 0)


@pytest.mark.parametrize(
    "file", [b"", b"PK", saved(Image.new("RGB", (9, 9)), "PNG")], ids=["empty", "short", "PNG"]
)
def test_what_is_no_pyramid_is_refused(file: bytes) -> None:
    with pytest.raises(DamagedPreview, match="damaged or incomplete"):
        PyramidReader(io.BytesIO(file))


@pytest.mark.parametrize("info", [None, b"{}", b"[]", b"\xff", b'{"width": 1e999}'], ids=str)
def test_a_zip_without_its_description_is_refused(info: bytes | None) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("0/0_0.webp", b"tile")
        if info is not None:
            archive.writestr("info.json", info)

    with pytest.raises(DamagedPreview):
        PyramidReader(stream)


def test_an_error_of_the_stream_is_not_called_damage() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        PyramidReader(Failing(pyramid(smooth(3, 3))))
