"""Pictures in: from bytes of unknown origin to pixels the network can take.

Knows PNG, JPEG and WebP, whatever the file is called. Imports no torch, so that limits and previews
can be had without it. Writing is in `encoders`.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from inference import colour, credentials, deep_png, icc, png
from inference.errors import InvalidFileType, MalformedImage, ResolutionTooHigh
from inference.geometry import Size
from inference.metadata import Metadata, orientation, read_exif, read_metadata
from inference.options import Bits, Format, MetadataChoice
from inference.samples import Pixels, bits_of, peak, to_8_bits

DEFAULT_MAX_INPUT_PIXELS = 25_000_000
DEFAULT_MAX_OUTPUT_PIXELS = 400_000_000

# Pillow warns or refuses by a limit of its own; ours is checked from the header before anything
# is decoded, and an operator may raise it beyond Pillow's.
Image.MAX_IMAGE_PIXELS = None

_FORMATS: dict[str, Format] = {"PNG": "png", "JPEG": "jpg", "MPO": "jpg", "WEBP": "webp"}
_ACCEPTED = "Use a PNG, JPEG or WebP file."
_QUARTER_TURNS = {5, 6, 7, 8}
_MIRRORED_ACROSS = {2, 3, 6, 7}
_MIRRORED_DOWN = {3, 4, 7, 8}


@dataclass(frozen=True)
class Header:
    """What is known of a picture before it is decoded."""

    format: Format
    size: Size
    """As it will be shown, that is after the orientation is applied."""
    has_alpha: bool
    """Whether the file can hold transparency, not whether any pixel is transparent."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture."""

    pixels: Pixels
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
    def bits(self) -> Bits:
        """Bits per channel."""
        return bits_of(self.pixels)

    @property
    def has_alpha(self) -> bool:
        return self.channels in (2, 4)


def read_header(source: BinaryIO, max_pixels: int = DEFAULT_MAX_INPUT_PIXELS) -> Header:
    """Read format and size without decoding.

    Raises `InvalidFileType`, `MalformedImage` or `ResolutionTooHigh`.
    """
    with _opened(source, max_pixels) as image:
        return _header(image, read_exif(image, source))


def read(
    source: BinaryIO,
    max_pixels: int = DEFAULT_MAX_INPUT_PIXELS,
    metadata: MetadataChoice = "safe",
) -> Picture:
    """Decode a picture completely, upright, in 8 or 16 bits per channel.

    `source` is seekable and read from its start. The colour profile is kept with the pixels it
    belongs to; only when `metadata` is `none` are they converted to sRGB instead, and a picture of
    16 bits with a profile made of tables is reduced to 8 for that. Raises
    `InvalidFileType`, `MalformedImage` (also when any part is missing) or `ResolutionTooHigh`.
    """
    with _opened(source, max_pixels) as image:
        exif = read_exif(image, source)
        header = _header(image, exif)
        notes = []
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            notes.append("The file is animated; its first frame was used.")
        if credentials.has_manifest(source, header.format):
            notes.append(credentials.NOT_CARRIED_OVER)
        if header.format == "png" and not png.is_complete(source):
            raise _damaged(image)
        depth = png.bit_depth(source) if header.format == "png" else 8
        if depth == 16:
            deep_png.check(Size(*image.size))
            with _decoding(image):
                deep = deep_png.read(source)
            kept = read_metadata(image, source, exif, metadata)
            pixels, kept, colour_notes = _settle_deep_colour(deep, kept, metadata)
        else:
            with _decoding(image):
                image.load()
            if depth in (2, 4) and image.mode == "L" and "transparency" in image.info:
                # Pillow spreads these levels over 0 to 255, but not the one that is transparent.
                image.info["transparency"] *= 255 // (2**depth - 1)
            kept = read_metadata(image, source, exif, metadata)
            with _decoding(image):
                plain = _plain(image)
            pixels, kept, colour_notes = _settle_colour(plain, kept, metadata)
        pixels = _upright(pixels, orientation(exif))
        if pixels.shape[2] in (2, 4) and (pixels[..., -1] == peak(pixels)).all():
            pixels = pixels[..., :-1]
        if not pixels.flags.c_contiguous:
            pixels = pixels.copy()
        return Picture(pixels, header.format, kept, (*notes, *colour_notes))


@contextmanager
def _opened(source: BinaryIO, max_pixels: int) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        # Pillow tells the terminal about every oddity in a file's metadata.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        with _identified(source) as image:
            _check_pixels(Size(*image.size), max_pixels)
            yield image


def _identified(source: BinaryIO) -> Image.Image:
    source.seek(0)
    start = source.read(16)
    source.seek(0)
    if not start:
        raise InvalidFileType("The file is empty.", _ACCEPTED)
    try:
        return Image.open(source, formats=("PNG", "JPEG", "WEBP"))
    except UnidentifiedImageError:
        if start.startswith((png.SIGNATURE[: len(start)], b"\xff\xd8\xff")):
            raise _damaged(None) from None
        if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
            raise _damaged(None) from None
        raise InvalidFileType("This is not a picture that can be read.", _ACCEPTED) from None
    except Exception as error:  # decoders raise whatever they stumble over
        raise _damaged(None) from error


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


def check_result_pixels(size: Size, max_pixels: int) -> None:
    """Raise `ResolutionTooHigh` for a result larger than is made here."""
    if size.pixels > max_pixels:
        raise ResolutionTooHigh(
            f"The result would be {size}, {megapixels(size.pixels)} megapixels; "
            f"{megapixels(max_pixels)} is the most that is made here.",
            "Choose a smaller scale or target size.",
        )


def megapixels(pixels: int) -> str:
    """As people say it: `24`, `24.2`, `0.3`."""
    return f"{pixels / 1e6:.1f}".removesuffix(".0")


def _header(image: Image.Image, exif: Image.Exif) -> Header:
    size = Size(*image.size)
    if orientation(exif) in _QUARTER_TURNS:
        size = Size(size.height, size.width)
    has_alpha = image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info
    return Header(_FORMATS[image.format or ""], size, has_alpha)


def _plain(image: Image.Image) -> Image.Image:
    """The same picture as L, LA, RGB, RGBA or CMYK."""
    if "transparency" in image.info or image.mode == "PA":
        if image.mode in ("1", "L"):
            return image.convert("RGBA").convert("LA")
        return image.convert("RGBA")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


_Settled = tuple[Pixels, Metadata, tuple[str, ...]]
_LEFT_OUT = "The colour profile does not fit the picture and was left out."
_REDUCED = "16 bits per channel were reduced to 8, because its colour profile needs that."


def _settle_colour(image: Image.Image, kept: Metadata, choice: MetadataChoice) -> _Settled:
    """Make the profile fit the pixels, or the pixels fit sRGB."""
    expected = {"L": "GRAY", "LA": "GRAY", "CMYK": "CMYK"}.get(image.mode, "RGB ")
    srgb: Image.Image | None = None
    notes: tuple[str, ...] = ()
    if kept.icc is not None:
        fits = colour.profile_space(kept.icc) == expected
        if fits and (choice == "none" or image.mode == "CMYK"):
            srgb = _to_srgb(image, kept.icc, and_back=choice != "none")
            fits = srgb is not None
        if not fits:
            notes = (_LEFT_OUT,)
            kept = replace(kept, icc=None)
    if image.mode == "CMYK":
        srgb = srgb or image.convert("RGB")
        kept = replace(kept, cmyk=True)
    pixels = np.asarray(srgb or image)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return pixels, Metadata() if choice == "none" else kept, notes


def _settle_deep_colour(
    pixels: NDArray[np.uint16], kept: Metadata, choice: MetadataChoice
) -> _Settled:
    """The same for 16 bits."""
    expected = "GRAY" if pixels.shape[2] <= 2 else "RGB "
    fits = kept.icc is None or colour.profile_space(kept.icc) == expected
    if not fits:
        kept = replace(kept, icc=None)
    elif choice == "none" and kept.icc is not None:
        converted = icc.to_srgb(pixels, kept.icc)
        if converted is None:
            reduced = to_8_bits(pixels)
            image = Image.fromarray(reduced.squeeze(2) if reduced.shape[2] == 1 else reduced)
            shallow, kept, notes = _settle_colour(image, kept, choice)
            return shallow, kept, (_REDUCED, *notes)
        pixels = converted
    return pixels, Metadata() if choice == "none" else kept, () if fits else (_LEFT_OUT,)


def _to_srgb(image: Image.Image, icc: bytes, and_back: bool) -> Image.Image | None:
    """`None` when the profile is unfit for this, or for the result's way back."""
    try:
        srgb = colour.to_srgb(image, icc)
        if and_back:
            colour.to_cmyk(srgb.crop((0, 0, 1, 1)), icc)
    except (OSError, ImageCms.PyCMSError):
        return None
    return srgb


def _upright(pixels: Pixels, turn: int) -> Pixels:
    """The picture as EXIF's orientation 1 to 8 says it is to be shown."""
    if turn in _QUARTER_TURNS:
        pixels = pixels.swapaxes(0, 1)
    return pixels[:: -1 if turn in _MIRRORED_DOWN else 1, :: -1 if turn in _MIRRORED_ACROSS else 1]
