"""Bicubic reduction as papers on super-resolution make their inputs: MATLAB's `imresize`.

Written from its public description (MathWorks, "imresize"; Keys, "Cubic convolution interpolation
for digital image processing", IEEE ASSP 29(6), 1981, with a = -0.5): when a picture is reduced the
kernel is widened by the factor, so that it also takes out what the smaller size cannot hold;
weights of a pixel sum to one; beyond the border the picture is mirrored, its edge repeated.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray

_SUPPORT = 4  # input pixels under the kernel at factor 1


def cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' kernel with a = -0.5. Zero from 2 on, and at whole numbers but 0."""
    x = np.abs(x)
    inner = (1.5 * x - 2.5) * x * x + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, inner, np.where(x < 2, outer, 0))


def reduce(picture: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """A picture (H, W, C) at 1/`factor` of its size, rounded up, as `imresize(picture, 1/factor)`.

    Computed in double precision, rounded once at the end.
    """
    height, width, _ = picture.shape
    values = picture.astype(np.float64)
    values = _reduce_rows(values, factor, ceil(height / factor))
    values = _reduce_rows(values.transpose(1, 0, 2), factor, ceil(width / factor))
    # Half away from zero as MATLAB rounds; numpy rounds half to even.
    return np.clip(np.floor(values.transpose(1, 0, 2) + 0.5), 0, 255).astype(np.uint8)


def weights(length: int, factor: int, result: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which input pixels make a result pixel, and how much: both (`result`, taps).

    Pixel centres of the result lie at (i + 0.5) * factor - 0.5 of the input.
    """
    centres = (np.arange(result) + 0.5) * factor - 0.5
    taps = _SUPPORT * factor + 2
    first = np.floor(centres - _SUPPORT * factor / 2).astype(np.intp)
    positions = first[:, None] + np.arange(taps)
    given = cubic((centres[:, None] - positions) / factor)
    given /= given.sum(axis=1, keepdims=True)
    # Mirrored with the edge repeated, however often: … 1 0 | 0 1 2 … n-1 | n-1 n-2 …
    folded = np.mod(positions, 2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded), given


def _reduce_rows(values: NDArray[np.float64], factor: int, result: int) -> NDArray[np.float64]:
    taken, given = weights(len(values), factor, result)
    reduced: NDArray[np.float64] = np.einsum("rt,rtwc->rwc", given, values[taken])
    return reduced
