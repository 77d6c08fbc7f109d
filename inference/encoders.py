"""Pictures out: rows in, a file's bytes out to a stream.

Knows what each format can hold, and what it takes, and checks it before any work is done. PNG is
written while rows arrive; JPEG and WebP are handed to Pillow whole.
"""

import struct
import zlib
from typing import Protocol

from inference import whole_picture
from inference.errors import FormatCannotHold
from inference.geometry import Size
from inference.metadata import Metadata
from inference.options import Bits, Format, Options
from inference.png_writer import PngWriter
from inference.samples import Pixels
from inference.streams import Sink
from inference.whole_picture import WholePicture

LONGEST_SIDE: dict[Format, int] = {"png": 2**31 - 1, "jpg": 65_500, "webp": 16_383}
_NAMES: dict[Format, str] = {"png": "PNG", "jpg": "JPEG", "webp": "WebP"}
_METRE = 39.3701  # inches


class Encoder(Protocol):
    """Takes all rows of a picture from top to bottom, then `finish`; in any case, `close`."""

    def write(self, rows: Pixels) -> None:
        """Append rows of shape (any number, width, channels), in the bits that were agreed."""

    def finish(self) -> None:
        """Write what is left. The bytes in the sink are a picture only after this."""

    def close(self) -> None:
        """End whatever runs beside the caller, whether finished or not. May be called twice."""


def check(output_format: Format, size: Size, has_alpha: bool) -> None:
    """Raise `FormatCannotHold` when a result of this size and kind does not fit the format."""
    name = _NAMES[output_format]
    longest = LONGEST_SIDE[output_format]
    if max(size) > longest:
        raise FormatCannotHold(
            f"The result is {size} pixels; {name} ends at {longest:,} a side.",
            "Choose PNG or a smaller size.",
        )
    if has_alpha and output_format == "jpg":
        raise FormatCannotHold(
            "The picture has transparent parts, and JPEG can't hold them.", "Choose PNG or WebP."
        )


def check_memory(
    output_format: Format,
    size: Size,
    channels: int,
    metadata: Metadata,
    options: Options,
    bytes_free: int,
) -> None:
    """Raise `FormatCannotHold` when encoding this result could take more memory than is free.

    Arguments as for `encoder`. PNG takes a few rows at a time and always passes.
    """
    if output_format == "png":
        return
    needed = whole_picture.bytes_needed(output_format, size, channels, metadata, options)
    if needed > bytes_free:
        raise FormatCannotHold(
            f"A {_NAMES[output_format]} file is made in one piece, which can take "
            f"{amount(needed)} of memory for {size} pixels; {amount(bytes_free)} may be used.",
            "Choose PNG, which is written a few rows at a time, or a smaller size.",
        )


def amount(count: int) -> str:
    """As people say it: `11 GB`, `1.6 GB`, `27 MB`."""
    if count < 1e9:
        return f"{count / 1e6:.0f} MB"
    return f"{count / 1e9:.1f} GB" if count < 1e10 else f"{count / 1e9:.0f} GB"


def encoder(
    output_format: Format,
    sink: Sink,
    size: Size,
    channels: int,
    metadata: Metadata,
    options: Options,
    bits: Bits = 8,
) -> Encoder:
    """The encoder for a format, to be closed in every case. `sink` needs `write` only, and stays
    open.

    `channels` as in `Picture.pixels`. Of `options`, quality and lossless are used. With `bits` of
    16, rows are uint16; only PNG takes them, other formats raise `FormatCannotHold`.
    """
    if output_format == "png":
        return PngWriter(sink, size, channels, _png_chunks(metadata), bits)
    if bits != 8:
        raise FormatCannotHold(
            f"{_NAMES[output_format]} holds 8 bits per channel, not {bits}.",
            "Choose PNG, or 8 bits.",
        )
    return WholePicture(output_format, sink, size, channels, metadata, options)


def _png_chunks(kept: Metadata) -> tuple[tuple[bytes, bytes], ...]:
    chunks = []
    if kept.icc is not None and not kept.cmyk:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(kept.icc)))
    if kept.dpi is not None:
        across, down = (round(value * _METRE) for value in kept.dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    if kept.exif is not None:
        chunks.append((b"eXIf", kept.exif.removeprefix(b"Exif\0\0")))
    if kept.xmp is not None:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + kept.xmp))
    return tuple(chunks)
