"""A finished picture in another format: the same pixels, and what belongs to them.

Knows decoders and encoders; no network, no torch, and nothing of who asks.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from inference import encoders, image_io, png, provenance
from inference.errors import Canceled, FormatCannotHold
from inference.geometry import Size
from inference.image_io import Header
from inference.options import Bits, Format, Options
from inference.samples import REDUCED, to_8_bits
from inference.streams import Sink

# Bytes a pixel that decoding takes at its peak, measured on RGBA: Pillow's own copy of the pixels,
# the bytes that are taken out of it, and the array that is made of them; with 16 bits a copy of the
# file, OpenCV's rows, and those in our order.
_PER_PIXEL = {8: 12.0, 16: 24.0}
_ROWS = 256


@dataclass(frozen=True)
class Converted:
    """What became of a picture."""

    size: Size
    output_format: Format
    bits: Bits
    notes: tuple[str, ...]
    """Sentences about what was not taken over as it was."""


def convert(
    source: BinaryIO,
    sink: Sink,
    output_format: Format,
    options: Options,
    *,
    max_pixels: int,
    bytes_free: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Converted:
    """Write the picture in `source` to `sink` in another format or quality.

    Colour profile, resolution, EXIF and XMP go along, and the mark of AI where `options` ask for
    it; 16 bits stay where the format holds them. Of `options`, quality, lossless, metadata, mark
    and model count. `source` is seekable, `sink` needs `write` only; after an exception, what was
    written is no picture. `on_progress` counts rows.

    Raises `FormatCannotHold` for transparency in JPEG, for sides beyond a format's end, and where
    less than is needed of `bytes_free` is there; `ResolutionTooHigh` above `max_pixels`,
    `MalformedImage`, and `Canceled` when `should_stop()` was true.
    """
    header = image_io.read_header(source, max_pixels)
    encoders.check(output_format, header.size, has_alpha=False)
    _check_decoding(source, header, bytes_free)
    # All: what was to be left out is not in the result any more.
    picture = image_io.read(source, max_pixels, "all")
    encoders.check(output_format, picture.size, picture.has_alpha)
    taken = picture.pixels.nbytes
    encoders.check_memory(
        output_format,
        picture.size,
        picture.channels,
        picture.metadata,
        options,
        max(0, bytes_free - taken),
    )
    metadata, told = provenance.marked(picture.metadata, output_format, options)
    bits: Bits = picture.bits if output_format == "png" else 8
    encoder = encoders.encoder(
        output_format, sink, picture.size, picture.channels, metadata, options, bits
    )
    with closing(encoder):
        for top in range(0, picture.size.height, _ROWS):
            if should_stop():
                raise Canceled
            rows = picture.pixels[top : top + _ROWS]
            encoder.write(to_8_bits(rows) if bits == 8 else rows)
            on_progress(min(top + _ROWS, picture.size.height), picture.size.height)
        encoder.finish()
    reduced = (REDUCED,) if bits < picture.bits else ()
    return Converted(picture.size, output_format, bits, (*picture.notes, *told, *reduced))


def _check_decoding(source: BinaryIO, header: Header, bytes_free: int) -> None:
    deep = header.format == "png" and png.bit_depth(source) == 16
    needed = round(_PER_PIXEL[16 if deep else 8] * header.size.pixels)
    if needed > bytes_free:
        raise FormatCannotHold(
            f"Reading {header.size} pixels can take {encoders.amount(needed)} of memory; "
            f"{encoders.amount(bytes_free)} may be used.",
            "Download the result as it is, and convert it on your machine.",
        )
