"""The pixels that decoder, network and encoder hand to each other: 8 or 16 bits a sample.

Knows arrays only. Floats exist inside a network and nowhere else.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
"""Shape (height, width, channels): grey, grey and alpha, RGB, or RGBA."""


def peak(samples: NDArray[Any]) -> int:
    """The value of white: 255 or 65535."""
    return int(np.iinfo(samples.dtype).max)


def to_8_bits(pixels: Pixels) -> NDArray[np.uint8]:
    """The same picture in 8 bits, rounded to the nearest; what has 8 bits is returned as it is."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
