"""What the PNG writer writes, as Pillow, OpenCV's libpng and Python's own zlib read it."""

import io
import struct
import threading
import tracemalloc
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inference import png_writer
from inference.engine import Engine
from inference.geometry import Size
from inference.options import Options
from inference.png_writer import PngWriter
from inference.samples import Pixels
from inference.streams import Sink
from inference.weights import ModelStore
from tests.inference.pictures import PHOTO, decoded, noise, opened, photo, saved

STRIP_BYTES = 1 << 18


def written(
    pixels: Pixels, cuts: list[int] | None = None, extra: tuple[tuple[bytes, bytes], ...] = ()
) -> bytes:
    sink = io.BytesIO()
    write_all(pixels, sink, cuts or [], extra)
    return sink.getvalue()


def write_all(
    pixels: Pixels,
    sink: Sink,
    cuts: Sequence[int] = (),
    extra: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    height, width, channels = pixels.shape
    with PngWriter(sink, Size(width, height), channels, extra, 8 * pixels.itemsize) as writer:
        for band in np.split(pixels, sorted(cuts)):
            writer.write(band)
        writer.finish()


def chunks_of(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every chunk of a file that is nothing but well-formed chunks."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + length]
        assert len(body) == 4 + length
        assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(body),)
        yield body[:4], body[4:]
        at += 12 + length


def scanlines_of(data: bytes) -> bytes:
    """The filtered rows. `zlib` verifies the end of the stream and its checksum."""
    inflate = zlib.decompressobj()
    rows = inflate.decompress(b"".join(part for kind, part in chunks_of(data) if kind == b"IDAT"))
    assert inflate.eof
    assert inflate.unused_data == b""
    return rows


def as_libpng_reads(data: bytes) -> NDArray[np.integer]:
    """Pixels with all their bits, in the order of `Pixels`."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    if pixels.ndim == 2:
        return pixels[:, :, None]
    order = [2, 1, 0, 3][: pixels.shape[2]]
    colour_type = data[25]
    # OpenCV gives grey with alpha as four channels.
    return pixels[..., [0, 3]] if colour_type == 4 else pixels[..., order]


def noise_of(height: int, width: int, channels: int, bits: int, seed: int = 1) -> Pixels:
    if bits == 8:
        return noise(height, width, channels, seed)
    shape = (height, width, channels)
    return np.random.default_rng(seed).integers(0, 65536, shape, np.uint16)


@settings(max_examples=80, deadline=None)
@given(
    data=st.data(), channels=st.integers(1, 4), bits=st.sampled_from((8, 16)), flat=st.booleans()
)
def test_pictures_come_back_as_they_were_and_bands_leave_no_trace(
    data: st.DataObject, channels: int, bits: int, flat: bool
) -> None:
    # Strips so small that these pictures have many.
    strip_bytes = data.draw(st.integers(1, 4000))
    height, width = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 40))
    pixels = noise_of(height, width, channels, bits, data.draw(st.integers(0, 99)))
    if flat:
        ramp = np.arange(width, dtype=pixels.dtype)[:, None]
        pixels = (pixels // 64 * 64 + ramp).astype(pixels.dtype)
    cuts = data.draw(st.lists(st.integers(0, height), max_size=6))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(png_writer, "_STRIP_BYTES", strip_bytes)
        file = written(pixels, cuts)
        assert written(pixels) == file

    assert np.array_equal(as_libpng_reads(file), pixels)
    assert len(scanlines_of(file)) == height * (1 + width * channels * bits // 8)
    if bits == 8:
        assert np.array_equal(decoded(file), pixels)
        assert opened(file).mode == ("L", "LA", "RGB", "RGBA")[channels - 1]


ROWS_OF_A_STRIP = STRIP_BYTES // (8 * 1000 * 3) * 8


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (3, 5), (1, 70_000), (70_000, 1)])
def test_the_smallest_and_thinnest_pictures_come_back(
    size: tuple[int, int], channels: int, bits: int
) -> None:
    pixels = noise_of(*size, channels, bits)

    assert np.array_equal(as_libpng_reads(written(pixels)), pixels)


@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("strips", [1, 2, 7])
def test_a_picture_may_end_just_before_at_or_behind_the_end_of_a_strip(
    strips: int, more: int
) -> None:
    height = strips * ROWS_OF_A_STRIP + more
    # Like a photo: what repeats across a strip's end must not be referred to.
    pixels = np.tile(noise(5, 1000, 3), (height // 5 + 1, 1, 1))[:height]

    file = written(pixels, [1, height // 2, height - 1])

    parts = [kind for kind, _ in chunks_of(file) if kind == b"IDAT"]
    assert len(parts) == strips + (more > 0)
    assert np.array_equal(as_libpng_reads(file), pixels)
    assert np.array_equal(decoded(file), pixels)
    assert file == written(pixels)


def test_each_strip_can_be_inflated_without_the_one_before() -> None:
    pixels = np.tile(noise(5, 1000, 3), (80, 1, 1))

    parts = [data for kind, data in chunks_of(written(pixels)) if kind == b"IDAT"]

    assert parts[0][:2] == b"\x78\x01"
    rows = b"".join(zlib.decompressobj(-15).decompress(p) for p in (parts[0][2:], *parts[1:]))
    assert rows == scanlines_of(written(pixels))


def test_the_bytes_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise(700, 1000, 3)
    files = set()
    for threads in (1, 2, 4):
        monkeypatch.setattr(png_writer, "_MOST_THREADS", threads)
        files.add(written(pixels, [3, 600]))

    assert len(files) == 1


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_file_is_header_extras_pixels_and_end_with_right_checksums(
    channels: int, bits: int
) -> None:
    extra = ((b"pHYs", struct.pack(">IIB", 11811, 5906, 1)), (b"tEXt", b"a\0b"))

    chunks = list(chunks_of(written(noise_of(50, 30, channels, bits), [10, 20, 49], extra)))

    kinds = [kind for kind, _ in chunks]
    assert kinds[:3] == [b"IHDR", b"pHYs", b"tEXt"]
    assert set(kinds[3:-1]) == {b"IDAT"}
    colour_type = (0, 4, 2, 6)[channels - 1]
    assert chunks[0][1] == struct.pack(">IIBBBBB", 30, 50, bits, colour_type, 0, 0, 0)
    assert chunks[1:3] == list(extra)
    assert chunks[-1] == (b"IEND", b"")


def test_rows_may_be_views_of_something_larger_and_change_once_they_are_written() -> None:
    large = noise(90, 80, 4)
    pixels = large[10:60:2, ::-1, :3].copy()
    sink = io.BytesIO()
    with PngWriter(sink, Size(80, 25), 3) as writer:
        for top in range(0, 25, 5):
            band = large[10 + 2 * top : 20 + 2 * top : 2, ::-1, :3]
            writer.write(band)
            band[...] = 0
        writer.finish()

    assert np.array_equal(decoded(sink.getvalue()), pixels)


@pytest.mark.parametrize("bits", [8, 16])
def test_rows_take_the_filter_that_suits_them(bits: int) -> None:
    same_as_above = noise_of(1, 64, 3, bits).repeat(16, axis=0)
    same_as_left = noise_of(16, 1, 3, bits).repeat(64, axis=1)
    between_both = noise_of(17, 65, 3, 8).astype(same_as_left.dtype)
    for y, x in np.ndindex(16, 64):
        left, above = between_both[y + 1, x].astype(int), between_both[y, x + 1].astype(int)
        between_both[y + 1, x + 1] = (left + above) // 2

    file = written(np.concatenate([same_as_above, same_as_left, between_both[1:, 1:]]))

    filters = scanlines_of(file)[:: 1 + 64 * 3 * bits // 8]
    assert filters[:16] == bytes([2] * 16)
    assert filters[16:32] == bytes([1] * 16)
    if bits == 8:
        assert filters[32:] == bytes([3] * 16)


def test_photos_and_results_take_little_more_than_with_slow_compression(models_path: Path) -> None:
    """Within the bar of 1.15 on each; Pillow chooses among five filters for every row."""
    engine = Engine(ModelStore(models_path), "cpu")
    pictures = [photo(640, 427)]
    for name in ("chelsea.png", "coffee.png"):
        sink = io.BytesIO()
        with (PHOTO.parent / name).open("rb") as source:
            engine.upscale(source, sink, Options(model="realesr-animevideov3"))
        pictures.append(opened(sink.getvalue()))

    for image in pictures:
        assert len(written(np.asarray(image))) < 1.15 * len(saved(image, "PNG"))


def test_forgotten_rows_are_noticed_before_the_file_is_closed() -> None:
    with PngWriter(io.BytesIO(), Size(4, 4), 3) as writer:
        writer.write(noise(3, 4, 3))

        with pytest.raises(AssertionError):
            writer.finish()


@pytest.mark.parametrize(
    "rows", [noise(5, 4, 3), noise(1, 5, 3), noise(1, 4, 4), noise(1, 4, 3).astype(np.uint16)]
)
def test_rows_that_the_header_does_not_promise_are_refused(rows: Pixels) -> None:
    with PngWriter(io.BytesIO(), Size(4, 4), 3) as writer, pytest.raises(AssertionError):
        writer.write(rows)


def test_only_write_is_asked_of_a_sink() -> None:
    class Sink:
        def __init__(self) -> None:
            self.data = b""

        def write(self, data: bytes) -> None:
            self.data += data

    sink = Sink()
    writer = PngWriter(sink, Size(4, 4), 3)
    writer.write(noise(4, 4, 3))
    writer.finish()

    assert np.array_equal(decoded(sink.data), noise(4, 4, 3))


class Nowhere:
    """A sink that keeps nothing."""

    def write(self, data: bytes) -> None:
        pass


class Failing:
    """A disk that is full after some bytes."""

    def __init__(self, room: int) -> None:
        self._room = room

    def write(self, data: bytes) -> None:
        self._room -= len(data)
        if self._room < 0:
            raise OSError(28, "No space left on device")


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("png")]


@pytest.mark.parametrize("room", [100, 500_000])
def test_a_full_disk_is_told_to_the_writer_and_ends_the_threads(room: int) -> None:
    pixels = noise(1000, 1000, 3)

    with pytest.raises(OSError, match="No space left"):
        write_all(pixels, Failing(room))

    assert threads() == []


def test_what_goes_wrong_in_a_thread_is_told_to_the_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(png_writer, "_filtered", exhausted)

    with pytest.raises(MemoryError):
        write_all(noise(1000, 1000, 3), Nowhere())

    assert threads() == []


def test_a_writer_that_is_closed_early_writes_no_more_and_leaves_no_thread() -> None:
    sink = io.BytesIO()
    writer = PngWriter(sink, Size(1000, 1000), 3)
    writer.write(noise(900, 1000, 3))
    before = len(sink.getvalue())

    writer.close()
    writer.close()

    assert threads() == []
    assert len(sink.getvalue()) == before


def test_a_finished_writer_leaves_no_thread() -> None:
    written(noise(500, 1000, 3))

    assert threads() == []


def test_memory_does_not_grow_with_the_height(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_writer, "_MOST_THREADS", 2)
    band = noise(100, 1000, 3)
    peaks = []
    for bands in (10, 40):
        with PngWriter(Nowhere(), Size(1000, 100 * bands), 3) as writer:
            tracemalloc.start()
            for _ in range(bands):
                writer.write(band)
            writer.finish()
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

    # Three strips are in the threads' hands and one is being filled; filtered and deflated, each
    # takes up to three times its size, and deflate's own tables come on top. All rows together are
    # 3 and 12 MB.
    assert max(peaks) < 14 * STRIP_BYTES
