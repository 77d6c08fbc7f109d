"""The pixels that decoder, network and encoder hand to each other: 8 or 16 bits a sample.

Knows arrays only. Floats exist inside a network and nowhere else.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.options import Bits

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
"""Shape (height, width, channels): grey, grey and alpha, RGB, or RGBA."""

# Rows converted at a time, so that no wider copy of a whole picture is made on the way.
_STRIP = 64


def peak(samples: NDArray[Any]) -> int:
    """The value of white: 255 or 65535."""
    return int(np.iinfo(samples.dtype).max)


def bits_of(pixels: Pixels) -> Bits:
    """Bits per sample."""
    return 16 if pixels.dtype == np.uint16 else 8


def with_bits(pixels: Pixels, bits: Bits) -> Pixels:
    """The same picture in so many bits; what has them already is returned as it is."""
    return to_8_bits(pixels) if bits == 8 else to_16_bits(pixels)


REDUCED = "16 bits per channel were reduced to 8; PNG keeps them."
"""What is told of a result that could not keep them."""


def to_8_bits(pixels: Pixels) -> NDArray[np.uint8]:
    """The same picture in 8 bits, rounded to the nearest; what has 8 bits is returned as it is."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    out = np.empty(pixels.shape, np.uint8)
    for top in range(0, len(pixels), _STRIP):
        strip = pixels[top : top + _STRIP].astype(np.uint32)
        strip += 128
        strip //= 257
        out[top : top + _STRIP] = strip
    return out


def to_16_bits(pixels: Pixels) -> NDArray[np.uint16]:
    """The same picture in 16 bits, exactly; what has 16 bits is returned as it is."""
    if pixels.dtype == np.uint16:
        return pixels.astype(np.uint16, copy=False)
    out = pixels.astype(np.uint16)
    out *= 257
    return out
