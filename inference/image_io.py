"""Pictures in: from bytes of unknown origin to pixels the network can take.

Knows PNG, JPEG and WebP, whatever the file is called. Imports no torch, so that limits and previews
can be had without it. Writing is in `encoders`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from inference import colour, png
from inference.errors import InvalidFileType, MalformedImage, ResolutionTooHigh
from inference.geometry import Size
from inference.options import Format, MetadataChoice

DEFAULT_MAX_INPUT_PIXELS = 25_000_000
DEFAULT_MAX_OUTPUT_PIXELS = 400_000_000

# Pillow warns or refuses by a limit of its own; ours is checked from the header before anything
# is decoded, and an operator may raise it beyond Pillow's.
Image.MAX_IMAGE_PIXELS = None

_FORMATS: dict[str, Format] = {"PNG": "png", "JPEG": "jpg", "MPO": "jpg", "WEBP": "webp"}
_ACCEPTED = "Use a PNG, JPEG or WebP file."
_QUARTER_TURNS = {5, 6, 7, 8}


@dataclass(frozen=True)
class Header:
    """What is known of a picture before it is decoded."""

    format: Format
    size: Size
    """As it will be shown, that is after the orientation is applied."""
    has_alpha: bool
    """Whether the file can hold transparency, not whether any pixel is transparent."""


@dataclass(frozen=True)
class Metadata:
    """What travels with the pixels into the result."""

    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    """Without thumbnail and with the orientation reset."""
    xmp: bytes | None = None
    cmyk: bool = False
    """The source was CMYK. `pixels` are sRGB then, and `icc`, if any, is the CMYK profile: formats
    that hold CMYK get it back, the others get sRGB."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture."""

    pixels: NDArray[np.uint8]
    """Shape (height, width, channels), upright. Channels: grey, grey and alpha, RGB, or RGBA.
    Alpha is there only when some pixel is not opaque."""
    format: Format
    metadata: Metadata
    notes: tuple[str, ...]
    """Sentences about what was not taken over as it was."""

    @property
    def size(self) -> Size:
        return Size(self.pixels.shape[1], self.pixels.shape[0])

    @property
    def channels(self) -> int:
        return int(self.pixels.shape[2])

    @property
    def has_alpha(self) -> bool:
        return self.channels in (2, 4)


def read_header(source: BinaryIO, max_pixels: int = DEFAULT_MAX_INPUT_PIXELS) -> Header:
    """Read format and size without decoding.

    Raises `InvalidFileType`, `MalformedImage` or `ResolutionTooHigh`.
    """
    with _opened(source, max_pixels) as image:
        return _header(image)


def read(
    source: BinaryIO,
    max_pixels: int = DEFAULT_MAX_INPUT_PIXELS,
    metadata: MetadataChoice = "safe",
) -> Picture:
    """Decode a picture completely, upright, in 8 bits per channel.

    `source` is seekable and read from its start. The colour profile is kept with the pixels it
    belongs to; only when `metadata` is `none` are they converted to sRGB instead. Raises
    `InvalidFileType`, `MalformedImage` (also when any part is missing) or `ResolutionTooHigh`.
    """
    with _opened(source, max_pixels) as image:
        header = _header(image)
        notes = []
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            notes.append("The file is animated; its first frame was used.")
        if header.format == "png" and not png.is_complete(source):
            raise _damaged(image)
        with _decoding(image):
            image.load()
        if header.format == "png" and png.bit_depth(source) == 16:
            notes.append("16 bits per channel were reduced to 8.")
        kept = _metadata(image, metadata)
        with _decoding(image):
            upright = ImageOps.exif_transpose(image) if _orientation(image) > 1 else image
            plain = _plain(upright)
        plain, kept, colour_notes = _settle_colour(plain, kept, metadata)
        pixels = np.asarray(plain)
        pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
        if pixels.shape[2] in (2, 4) and (pixels[..., -1] == 255).all():
            pixels = pixels[..., :-1]
        return Picture(np.ascontiguousarray(pixels), header.format, kept, (*notes, *colour_notes))


@contextmanager
def _opened(source: BinaryIO, max_pixels: int) -> Iterator[Image.Image]:
    source.seek(0)
    start = source.read(16)
    source.seek(0)
    if not start:
        raise InvalidFileType("The file is empty.", _ACCEPTED)
    try:
        image = Image.open(source, formats=("PNG", "JPEG", "WEBP"))
    except UnidentifiedImageError:
        if start.startswith((png.SIGNATURE[: len(start)], b"\xff\xd8\xff")):
            raise _damaged(None) from None
        if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
            raise _damaged(None) from None
        raise InvalidFileType("This is not a picture that can be read.", _ACCEPTED) from None
    except Exception as error:  # decoders raise whatever they stumble over
        raise _damaged(None) from error
    with image:
        _check_pixels(Size(*image.size), max_pixels)
        yield image


@contextmanager
def _decoding(image: Image.Image) -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # decoders raise whatever they stumble over
        raise _damaged(image) from error


def _damaged(image: Image.Image | None) -> MalformedImage:
    what = f"{image.format} file" if image else "file"
    return MalformedImage(
        f"The {what} is damaged or incomplete.", "Copy or export it again from its source."
    )


def _check_pixels(size: Size, max_pixels: int) -> None:
    if size.pixels > max_pixels:
        raise ResolutionTooHigh(
            f"{megapixels(size.pixels)} megapixels; {megapixels(max_pixels)} is the most that is "
            "accepted here.",
            "Make the picture smaller, or raise the limit.",
        )


def megapixels(pixels: int) -> str:
    """As people say it: `24`, `24.2`, `0.3`."""
    return f"{pixels / 1e6:.1f}".removesuffix(".0")


def _header(image: Image.Image) -> Header:
    size = Size(*image.size)
    if _orientation(image) in _QUARTER_TURNS:
        size = Size(size.height, size.width)
    has_alpha = image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info
    return Header(_FORMATS[image.format or ""], size, has_alpha)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a broken EXIF block says nothing about the pixels
        return 1
    return value if value in range(1, 9) else 1


def _plain(image: Image.Image) -> Image.Image:
    """The same picture as L, LA, RGB, RGBA or CMYK."""
    if image.mode.startswith("I"):
        # Pillow shows 16-bit grey as integers; its own conversion to L clips at 255.
        wide = np.asarray(image).astype(np.uint32)
        grey = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
        key = image.info.get("transparency")
        if isinstance(key, int):
            grey.putalpha(Image.fromarray(np.where(wide == key, 0, 255).astype(np.uint8)))
        return grey
    if "transparency" in image.info or image.mode == "PA":
        if image.mode in ("1", "L"):
            return image.convert("RGBA").convert("LA")
        return image.convert("RGBA")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _metadata(image: Image.Image, choice: MetadataChoice) -> Metadata:
    icc = image.info.get("icc_profile") or None
    if choice == "none":
        return Metadata(icc=icc)
    kept = Metadata(icc=icc, dpi=_dpi(image))
    if choice == "safe":
        return kept
    xmp = image.info.get("xmp")
    return replace(kept, exif=_exif(image), xmp=xmp if isinstance(xmp, bytes) else None)


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 1 <= across <= 65535 and 1 <= down <= 65535 else None


def _exif(image: Image.Image) -> bytes | None:
    try:
        exif = image.getexif()
        if not exif:
            return None
        exif[ExifTags.Base.Orientation] = 1
        return exif.tobytes()
    except Exception:  # a broken EXIF block is not worth the picture
        return None


def _settle_colour(
    image: Image.Image, kept: Metadata, choice: MetadataChoice
) -> tuple[Image.Image, Metadata, tuple[str, ...]]:
    """Make the profile fit the pixels, or the pixels fit sRGB."""
    space = colour.profile_space(kept.icc)
    expected = {"L": "GRAY", "LA": "GRAY", "CMYK": "CMYK"}.get(image.mode, "RGB ")
    notes: tuple[str, ...] = ()
    if kept.icc is not None and space != expected:
        notes = ("The colour profile does not fit the picture and was left out.",)
        kept = replace(kept, icc=None)
    if image.mode == "CMYK":
        rgb = _to_srgb(image, kept.icc) or image.convert("RGB")
        if choice == "none":
            return rgb, Metadata(), notes
        return rgb, replace(kept, cmyk=True), notes
    if choice == "none" and kept.icc is not None:
        return _to_srgb(image, kept.icc) or image, Metadata(), notes
    return image, kept, notes


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image | None:
    if icc is None:
        return None
    try:
        return colour.to_srgb(image, icc)
    except (OSError, ImageCms.PyCMSError):
        return None
