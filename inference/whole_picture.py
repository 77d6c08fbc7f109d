"""JPEG and WebP: encoders that see a picture only when all of it is there.

Knows what they need in memory, before any work is done, and what they need in metadata. The
pictures' pixels are kept the way Pillow keeps them, so that none are copied for it.
"""

from typing import IO, Any, cast

import numpy as np
from PIL import Image

from inference import colour
from inference.geometry import Size
from inference.metadata import Metadata
from inference.options import Format, Options
from inference.samples import Pixels
from inference.streams import Sink

# One JPEG segment holds 65,533 bytes; XMP begins with a name of 29.
JPEG_EXIF_MOST = 65_533
JPEG_XMP_MOST = 65_533 - 29

# What an encoder allocates beside the canvas: bytes, and bytes per pixel. Measured as the growth of
# a process's resident peak (Pillow 12.3, libjpeg-turbo 3.1, libwebp 1.6) on noise, which needs
# most; a photo enlarged by a network needs a quarter of it as lossy WebP, and as much as noise
# without loss.
_JPEG = 8_000_000, 0.0
_WEBP = 4_000_000, 26.0
_WEBP_ABOVE_QUALITY_90 = 4_000_000, 34.0
_WEBP_ALPHA = 20_000_000, 37.0
_WEBP_LOSSLESS = 34_000_000, 32.0


def bytes_needed(
    output_format: Format, size: Size, channels: int, metadata: Metadata, options: Options
) -> int:
    """Bytes that encoding takes at its peak, the picture itself included; an upper estimate.

    `channels` and `metadata` as in `Picture`; of `options`, quality and lossless count.
    """
    if output_format == "jpg":
        fixed, per_pixel = _JPEG
    elif options.lossless:
        fixed, per_pixel = _WEBP_LOSSLESS
    elif channels in (2, 4):
        fixed, per_pixel = _WEBP_ALPHA
    else:
        fixed, per_pixel = _WEBP if options.quality <= 90 else _WEBP_ABOVE_QUALITY_90
    samples = Image.getmodebands(_mode(output_format, channels, metadata))
    return round(fixed + size.pixels * (samples + per_pixel))


def _mode(output_format: Format, channels: int, metadata: Metadata) -> str:
    """The mode, of those that Pillow takes from an array as it is, that the encoder takes too."""
    if output_format == "webp":
        return "RGBA" if channels in (2, 4) else "RGBX"
    if metadata.cmyk:
        return "CMYK"
    return "L" if channels == 1 else "RGBX"


class WholePicture:
    """Collects a picture's rows, and has Pillow write them."""

    def __init__(
        self,
        output_format: Format,
        sink: Sink,
        size: Size,
        channels: int,
        metadata: Metadata,
        options: Options,
    ) -> None:
        self._format = output_format
        self._sink = sink
        self._size = size
        self._metadata = metadata
        self._options = options
        self._mode = _mode(output_format, channels, metadata)
        self._icc = metadata.icc
        self._grey_profile: bytes | None = None
        if output_format == "webp":
            self._icc = None if metadata.cmyk else metadata.icc
            if self._icc is not None and colour.profile_space(self._icc) == "GRAY":
                # WebP has no grey: the profile would not fit the RGB that it stores.
                self._grey_profile, self._icc = self._icc, None
        samples = Image.getmodebands(self._mode)
        # Filled now, not as rows arrive: whoever looks what memory is left shall see it is taken.
        self._canvas = np.full((size.height, size.width, samples), 255, np.uint8)
        self._filled = 0

    def write(self, rows: Pixels) -> None:
        """Append rows of shape (any number, width, channels), uint8."""
        assert rows.dtype == np.uint8, f"rows of {rows.dtype}"
        into = self._canvas[self._filled : self._filled + len(rows)]
        self._filled += len(rows)
        if not len(rows):
            return
        if self._mode == "CMYK":
            into[...] = np.asarray(colour.to_cmyk(_image(rows), self._icc))
            return
        if self._grey_profile is not None:
            rows = np.asarray(colour.to_srgb(_image(rows), self._grey_profile))
            rows = rows.reshape(*into.shape[:2], -1)
        if self._mode == "L":
            into[...] = rows
            return
        into[..., :3] = rows[..., :3] if rows.shape[2] >= 3 else rows[..., :1]
        if self._mode == "RGBA":
            into[..., 3] = rows[..., -1]

    def finish(self) -> None:
        """Encode. The bytes in the sink are a picture only after this."""
        assert self._filled == len(self._canvas), "rows are missing"
        image = Image.frombuffer(self._mode, self._size, self._canvas, "raw", self._mode, 0, 1)
        (self._save_jpeg if self._format == "jpg" else self._save_webp)(image)

    def close(self) -> None:
        """Nothing to end: all is done in the caller's own thread."""

    def _save_jpeg(self, image: Image.Image) -> None:
        kept = self._metadata
        image.save(
            cast(IO[bytes], _PlainSink(self._sink)),
            "JPEG",
            quality=self._options.quality,
            subsampling="4:4:4",
            **_given(
                icc_profile=self._icc,
                dpi=_whole(kept.dpi),
                exif=_at_most(JPEG_EXIF_MOST, kept.exif),
                xmp=_at_most(JPEG_XMP_MOST, kept.xmp),
            ),
        )

    def _save_webp(self, image: Image.Image) -> None:
        image.save(
            cast(IO[bytes], _PlainSink(self._sink)),
            "WEBP",
            quality=self._options.quality,
            lossless=self._options.lossless,
            method=4,
            **_given(
                icc_profile=self._icc,
                exif=_exif_with_dpi(self._metadata),
                xmp=self._metadata.xmp,
            ),
        )


class _PlainSink:
    """What Pillow sees of a sink: it would write past a real file's `write`, to its descriptor."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: Any) -> int:
        self._sink.write(data)
        return len(data)


def _image(rows: Pixels) -> Image.Image:
    return Image.fromarray(rows.squeeze(2) if rows.shape[2] == 1 else rows)


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
