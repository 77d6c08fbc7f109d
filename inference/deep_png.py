"""PNGs of 16 bits, which Pillow opens as 8 unless they are grey.

Knows pixels and the chunks that decide about them. OpenCV decodes, from a copy that holds nothing
else: what it makes of colour chunks, EXIF or animations can't reach the pixels.
"""

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from inference import png
from inference.errors import MalformedImage, ResolutionTooHigh
from inference.geometry import Size

# libpng's own limit, and OpenCV's `OPENCV_IO_MAX_IMAGE_PIXELS`, which holds for the process.
_LONGEST_SIDE = 1_000_000
_MOST_PIXELS = 1 << 30


def check(size: Size) -> None:
    """Raise `ResolutionTooHigh` for what the decoder does not take, whatever our own limit is."""
    if max(size) > _LONGEST_SIDE or size.pixels > _MOST_PIXELS:
        raise ResolutionTooHigh(
            f"The picture is {size}; a PNG of 16 bits may have {_LONGEST_SIDE:,} pixels a side "
            f"and {_MOST_PIXELS // 10**6:,} megapixels.",
            "Make the picture smaller, or save it with 8 bits.",
        )


def read(source: BinaryIO) -> NDArray[np.uint16]:
    """Decode a complete PNG of 16 bits (`png.is_complete`, `check`), as it lies in the file.

    Returns shape (height, width, channels): grey, grey and alpha, RGB, or RGBA. The one transparent
    colour that grey and RGB may have becomes alpha of 0 and 65535. Raises `MalformedImage`.
    """
    import cv2  # a tenth of a second that only these pictures need

    found = cv2.imdecode(np.frombuffer(png.bare(source), np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16:
        raise MalformedImage("The PNG file is damaged or incomplete.")
    pixels: NDArray[np.uint16] = found.astype(np.uint16, copy=False)
    kind = png.colour_type(source)
    if kind == png.GREY:
        pixels = pixels[..., None]
    elif kind == png.GREY_ALPHA:
        pixels = pixels[..., [0, 3]]  # OpenCV knows no grey with alpha
    else:
        order = cv2.COLOR_BGR2RGB if kind == png.RGB else cv2.COLOR_BGRA2RGBA
        pixels = cv2.cvtColor(pixels, order).astype(np.uint16, copy=False)
    key = png.transparent_colour(source) if kind in (png.GREY, png.RGB) else None
    if key is None or len(key) != pixels.shape[2]:
        return pixels
    hidden = np.logical_and.reduce([pixels[..., c] == sample for c, sample in enumerate(key)])
    alpha = np.where(hidden, 0, 65535).astype(np.uint16)
    return np.concatenate([pixels, alpha[..., None]], axis=2)
