"""PNG by rows, against Pillow and against files built chunk by chunk."""

import io
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from inference import png
from tests.inference.pictures import (
    chunk,
    noise,
    one_colour_png,
    photo,
    png_file,
    saved,
    scanlines,
)

SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [(0, depth) for depth in (1, 2, 4, 8, 16)] + [(3, depth) for depth in (1, 2, 4, 8)]
KINDS += [(colour, depth) for colour in (2, 4, 6) for depth in (8, 16)]


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "depth"), KINDS)
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (9, 8), (2, 17), (21, 1)])
def test_a_file_is_complete_with_its_last_byte_and_not_before(
    size: tuple[int, int], colour: int, depth: int, interlaced: bool
) -> None:
    width, height = size
    samples = np.random.default_rng(1).integers(0, 2**depth, (height, width, SAMPLES[colour]))
    rows = scanlines(samples, depth, interlaced)

    def complete(kept: bytes) -> bool:
        return png.is_complete(
            io.BytesIO(png_file(size, depth, colour, kept, interlaced=interlaced))
        )

    assert complete(rows)
    assert not complete(rows[:-1])
    assert not complete(rows[: len(rows) // 2])
    assert not complete(b"")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_what_pillow_writes_is_complete(mode: str) -> None:
    picture = photo(40, 30)
    picture = Image.new("I;16", (40, 30), 999) if mode == "I;16" else picture.convert(mode)

    assert png.is_complete(io.BytesIO(saved(picture, "PNG")))


def test_an_animation_is_complete_with_its_first_frame() -> None:
    frames = [photo(20, 20).rotate(90 * turn) for turn in range(3)]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])

    assert png.is_complete(io.BytesIO(data))
    assert png.is_complete(io.BytesIO(data[: data.index(b"fdAT")]))
    assert not png.is_complete(io.BytesIO(data[: data.index(b"IDAT") + 60]))


def test_pixels_may_come_in_many_chunks_even_of_one_byte_or_none() -> None:
    rows = scanlines(noise(20, 20, 3), 8)
    data = zlib.compress(rows)
    parts = [b"", *(data[i : i + 1] for i in range(len(data))), b""]

    assert png.is_complete(io.BytesIO(png_file((20, 20), 8, 2, b"", idat=parts)))
    assert not png.is_complete(io.BytesIO(png_file((20, 20), 8, 2, b"", idat=parts[:-40])))


def test_a_cut_anywhere_before_the_end_of_the_pixels_is_noticed() -> None:
    data = saved(photo(40, 30), "PNG")
    end_of_pixels = data.index(b"IEND") - 4

    found = [png.is_complete(io.BytesIO(data[:length])) for length in range(len(data))]

    assert not any(found[:end_of_pixels])
    assert all(found[end_of_pixels:])


def test_every_changed_bit_of_the_pixels_is_noticed() -> None:
    data = saved(photo(16, 12), "PNG")
    start, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4

    for at in range(start, end):
        for bit in (1, 16, 128):
            broken = bytearray(data)
            broken[at] ^= bit
            assert not png.is_complete(io.BytesIO(bytes(broken))), (at, bit)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b""),
        b"GIF89a" + bytes(50),
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20,
        b"\x89PNG\r\n\x1a\n" + b"\xff\xff\xff\xffIHDR" + bytes(40),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"short") + chunk(b"IDAT", b""),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b""),
        png_file((2, 2), 8, 5, bytes(100)),
        png_file((2, 2), 8, 0, b"", idat=[b"this is not deflate"]),
        png_file((2, 2), 8, 0, b"", idat=[zlib.compress(bytes(6))[:2], bytes(30)]),
        png_file((4, 2), 8, 0, bytes(10), before=chunk(b"IHDR", bytes(13))),
    ],
)
def test_garbage_is_not_complete(data: bytes) -> None:
    assert not png.is_complete(io.BytesIO(data))


def test_a_second_header_cannot_promise_fewer_rows() -> None:
    half = scanlines(noise(5, 7, 3), 8)
    smaller = chunk(b"IHDR", struct.pack(">IIBBBBB", 7, 5, 8, 2, 0, 0, 0))

    assert not png.is_complete(io.BytesIO(png_file((7, 10), 8, 2, half, after=smaller)))


def test_rows_behind_the_end_of_the_file_do_not_count() -> None:
    data = zlib.compress(scanlines(noise(10, 7, 3), 8))
    split = png_file((7, 10), 8, 2, b"", idat=[data[:60]]) + chunk(b"IDAT", data[60:])

    assert not png.is_complete(io.BytesIO(split))


def test_a_picture_that_inflates_a_thousandfold_takes_no_memory() -> None:
    bomb = one_colour_png(3000)
    short = png_file((3000, 3001), 8, 2, b"", idat=[zlib.compress(bytes(27_003_000))])

    tracemalloc.start()
    whole, cut = png.is_complete(io.BytesIO(bomb)), png.is_complete(io.BytesIO(short))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (whole, cut) == (True, False)
    assert peak < 1_000_000


def test_all_pixels_in_one_chunk_are_checked_as_fast_as_in_many() -> None:
    data = zlib.compress(bytes(4000 * 6001), 0)
    cut = [data[at : at + 65536] for at in range(0, len(data), 65536)]
    files = [png_file((6000, 4000), 8, 0, b"", idat=parts) for parts in (cut, [data])]

    seconds = []
    for file in files:
        before = time.process_time()
        assert png.is_complete(io.BytesIO(file))
        seconds.append(time.process_time() - before)

    assert seconds[1] < 5 * seconds[0] + 0.1


def test_more_data_than_promised_is_not_inflated() -> None:
    rows = scanlines(noise(4, 4, 1), 8)
    parts = [zlib.compress(rows + bytes(30_000_000))]

    tracemalloc.start()
    complete = png.is_complete(io.BytesIO(png_file((4, 4), 8, 0, b"", idat=parts)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert complete
    assert peak < 1_000_000


def test_exif_is_found_before_and_behind_the_pixels() -> None:
    block = chunk(b"eXIf", b"MM\0*block")
    rows = scanlines(noise(4, 4, 1), 8)

    assert png.exif(io.BytesIO(png_file((4, 4), 8, 0, rows, before=block))) == b"MM\0*block"
    assert png.exif(io.BytesIO(png_file((4, 4), 8, 0, rows, after=block))) == b"MM\0*block"
    assert png.exif(io.BytesIO(png_file((4, 4), 8, 0, rows))) is None
    assert png.exif(io.BytesIO(png_file((4, 4), 8, 0, rows, after=block[:-1] + b"?"))) is None
