"""Pictures out: rows in, a file's bytes out to a stream.

Knows what each format can hold and checks it before any work is done. PNG is written while rows
arrive; JPEG and WebP are handed to Pillow whole.
"""

import io
import struct
import zlib
from typing import Protocol

import numpy as np
from PIL import Image

from inference import colour
from inference.errors import FormatCannotHold
from inference.geometry import Size
from inference.metadata import Metadata
from inference.options import Bits, Format, Options
from inference.png_writer import PngWriter
from inference.samples import Pixels
from inference.streams import Sink

LONGEST_SIDE: dict[Format, int] = {"png": 2**31 - 1, "jpg": 65_500, "webp": 16_383}
_NAMES: dict[Format, str] = {"png": "PNG", "jpg": "JPEG", "webp": "WebP"}
_METRE = 39.3701  # inches
# One JPEG segment holds 65,533 bytes; XMP begins with a name of 29.
_JPEG_EXIF_MOST = 65_533
_JPEG_XMP_MOST = 65_533 - 29


class Encoder(Protocol):
    """Takes all rows of a picture from top to bottom, then `finish`."""

    def write(self, rows: Pixels) -> None:
        """Append rows of shape (any number, width, channels)."""

    def finish(self) -> None:
        """Write what is left. The bytes in the sink are a picture only after this."""


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


def encoder(
    output_format: Format,
    sink: Sink,
    size: Size,
    channels: int,
    metadata: Metadata,
    options: Options,
    bits: Bits = 8,
) -> Encoder:
    """The encoder for a format. `sink` needs `write` only, and is not closed.

    `channels` as in `Picture.pixels`. Of `options`, quality and lossless are used. `bits` of 16 are
    for PNG only.
    """
    if output_format == "png":
        return PngWriter(sink, size, channels, _png_chunks(metadata), bits)
    return _WholePicture(output_format, sink, size, channels, metadata, options)


class _WholePicture:
    def __init__(
        self,
        output_format: Format,
        sink: Sink,
        size: Size,
        channels: int,
        metadata: Metadata,
        options: Options,
    ) -> None:
        self._canvas = np.empty((size.height, size.width, channels), np.uint8)
        self._filled = 0
        self._format = output_format
        self._sink = sink
        self._metadata = metadata
        self._options = options

    def write(self, rows: Pixels) -> None:
        self._canvas[self._filled : self._filled + len(rows)] = rows
        self._filled += len(rows)

    def finish(self) -> None:
        assert self._filled == len(self._canvas), "rows are missing"
        image = Image.fromarray(
            self._canvas.squeeze(2) if self._canvas.shape[2] == 1 else self._canvas
        )
        save = self._save_jpeg if self._format == "jpg" else self._save_webp
        buffer = io.BytesIO()
        save(image, buffer)
        self._sink.write(buffer.getbuffer())

    def _save_jpeg(self, image: Image.Image, buffer: io.BytesIO) -> None:
        kept = self._metadata
        if kept.cmyk:
            image = colour.to_cmyk(image, kept.icc)
        # Saving copies the comment of an opened file; this one was made here and has none.
        image.save(
            buffer,
            "JPEG",
            quality=self._options.quality,
            subsampling="4:4:4",
            **_given(
                icc_profile=kept.icc,
                dpi=_whole(kept.dpi),
                exif=_at_most(_JPEG_EXIF_MOST, kept.exif),
                xmp=_at_most(_JPEG_XMP_MOST, kept.xmp),
            ),
        )

    def _save_webp(self, image: Image.Image, buffer: io.BytesIO) -> None:
        kept = self._metadata
        icc = None if kept.cmyk else kept.icc
        if icc is not None and colour.profile_space(icc) == "GRAY":
            # WebP has no grey: the profile would not fit the RGB that it stores.
            image, icc = colour.to_srgb(image, icc), None
        image.save(
            buffer,
            "WEBP",
            quality=self._options.quality,
            lossless=self._options.lossless,
            method=4,
            **_given(icc_profile=icc, exif=_exif_with_dpi(kept), xmp=kept.xmp),
        )


def _given(**values: object) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}


def _at_most(length: int, data: bytes | None) -> bytes | None:
    """The block, or nothing: half a block is none, and no reason to lose the finished picture."""
    return data if data is not None and len(data) <= length else None


def _whole(dpi: tuple[float, float] | None) -> tuple[int, int] | None:
    return (round(dpi[0]), round(dpi[1])) if dpi else None


def _exif_with_dpi(kept: Metadata) -> bytes | None:
    """WebP has no field of its own for the print resolution; EXIF has."""
    if kept.dpi is None:
        return kept.exif
    exif = Image.Exif()
    exif.load(kept.exif or b"")
    if 0x011A in exif and 0x011B in exif:
        return kept.exif
    exif[0x011A], exif[0x011B], exif[0x0128] = (*kept.dpi, 2)
    return exif.tobytes()


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
