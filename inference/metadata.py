"""What a file says about its pixels: profile, resolution, EXIF, XMP, orientation.

Knows what of it is kept for which choice. Broken blocks count as absent: they say nothing about the
pixels.
"""

import re
from dataclasses import dataclass, replace
from typing import BinaryIO

from PIL import ExifTags, Image

from inference import png
from inference.options import MetadataChoice

_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:=["']|>))[1-8]""")


@dataclass(frozen=True)
class Metadata:
    """What travels with the pixels into the result."""

    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    """Without thumbnail and with the orientation reset."""
    xmp: bytes | None = None
    """With the orientation reset where it was applied."""
    cmyk: bool = False
    """The source was CMYK. `pixels` are sRGB then, and `icc`, if any, is the CMYK profile: formats
    that hold CMYK get it back, the others get sRGB."""


def read_exif(image: Image.Image, source: BinaryIO) -> Image.Exif:
    """The EXIF block, empty when there is none or when it is broken.

    Not `image.getexif()`: for a PNG that decodes all pixels, to look behind them, and a picture
    whose decoding failed once looks whole the second time.
    """
    exif = Image.Exif()
    try:
        exif.load((png.exif(source) if image.format == "PNG" else image.info.get("exif")) or b"")
        dict(exif)  # values are read at the first look
    except Exception:  # a broken EXIF block says nothing about the pixels
        exif = Image.Exif()
    return exif


def orientation(exif: Image.Exif) -> int:
    """1 to 8 as EXIF counts them, 1 being upright."""
    value = exif.get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) else 1


def read_metadata(
    image: Image.Image, source: BinaryIO, exif: Image.Exif, choice: MetadataChoice
) -> Metadata:
    """What of an opened picture is kept. The profile always is: it belongs to the pixels."""
    icc = image.info.get("icc_profile") or None
    if choice == "none":
        return Metadata(icc=icc)
    kept = Metadata(icc=icc, dpi=_dpi(image, exif))
    if choice == "safe":
        return kept
    # A PNG may have it behind its pixels, where Pillow looks only when it has decoded them.
    xmp = png.xmp(source) if image.format == "PNG" else image.info.get("xmp")
    if not isinstance(xmp, bytes):
        xmp = None
    elif orientation(exif) > 1:
        xmp = _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
    return replace(kept, exif=_without_orientation(exif), xmp=xmp)


def _dpi(image: Image.Image, exif: Image.Exif) -> tuple[float, float] | None:
    stated = image.info.get("dpi")
    if image.format in ("JPEG", "MPO") and image.info.get("jfif_unit") not in (1, 2):
        stated = None  # Pillow's guess from EXIF, 72 where it says nothing
    try:
        across, down = (float(value) for value in stated or _exif_dpi(exif))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 1 <= across <= 65535 and 1 <= down <= 65535 else None


def _exif_dpi(exif: Image.Exif) -> tuple[float, float]:
    """Where cameras state it, and WebP has nothing else."""
    inches = {2: 1.0, 3: 2.54}[exif.get(ExifTags.Base.ResolutionUnit, 2)]
    across, down = exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution]
    return float(across) * inches, float(down) * inches


def _without_orientation(exif: Image.Exif) -> bytes | None:
    if not exif:
        return None
    try:
        upright = Image.Exif()
        upright.load(exif.tobytes())
        upright[ExifTags.Base.Orientation] = 1
        return upright.tobytes()
    except Exception:  # a broken EXIF block is not worth the picture
        return None
