"""How far a picture is from another. Knows arrays only."""

from collections.abc import Iterator
from math import inf, log10

import numpy as np
from numpy.typing import NDArray

_ROWS = 256  # at a time, so that comparing needs no more memory than the pictures


def psnr(picture: NDArray[np.generic], reference: NDArray[np.generic], peak: float = 255) -> float:
    """Peak signal-to-noise ratio in dB over all values, infinite for equal arrays.

    Both have one shape and one range, from 0 to `peak`.
    """
    assert picture.shape == reference.shape, f"{picture.shape} against {reference.shape}"
    squares = sum(float(np.sum((a - b) ** 2)) for a, b in _strips(picture, reference))
    return inf if squares == 0 else 10 * log10(peak**2 * picture.size / squares)


def largest_difference(picture: NDArray[np.generic], reference: NDArray[np.generic]) -> int:
    """The largest difference in steps of 255 once the reference, from 0 to 255, is rounded."""
    assert picture.shape == reference.shape, f"{picture.shape} against {reference.shape}"
    strips = _strips(picture, reference)
    return int(max(float(np.abs(a - np.rint(b)).max()) for a, b in strips))


def _strips(
    picture: NDArray[np.generic], reference: NDArray[np.generic]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    for top in range(0, len(picture), _ROWS):
        rows = slice(top, top + _ROWS)
        yield picture[rows].astype(float), reference[rows].astype(float)
