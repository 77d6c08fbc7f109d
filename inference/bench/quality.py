"""How far a picture is from another. Knows arrays only."""

from math import inf, log10

import numpy as np
from numpy.typing import NDArray

_ROWS = 256  # at a time, so that comparing needs no more memory than the pictures


def psnr(picture: NDArray[np.generic], reference: NDArray[np.generic], peak: float = 255) -> float:
    """Peak signal-to-noise ratio in dB over all values, infinite for equal arrays.

    Both have one shape and one range, from 0 to `peak`.
    """
    assert picture.shape == reference.shape, f"{picture.shape} against {reference.shape}"
    squares = sum(float(np.sum(part**2)) for part in _differences(picture, reference))
    return inf if squares == 0 else 10 * log10(peak**2 * picture.size / squares)


def largest_difference(picture: NDArray[np.generic], reference: NDArray[np.generic]) -> int:
    """The largest difference in steps of 255 once the reference, from 0 to 255, is rounded."""
    assert picture.shape == reference.shape, f"{picture.shape} against {reference.shape}"
    parts = (
        np.abs(
            picture[top : top + _ROWS].astype(float)
            - np.rint(reference[top : top + _ROWS].astype(float))
        )
        for top in range(0, len(picture), _ROWS)
    )
    return int(max(float(part.max()) for part in parts))


def _differences(
    picture: NDArray[np.generic], reference: NDArray[np.generic]
) -> list[NDArray[np.float64]]:
    return [
        picture[top : top + _ROWS].astype(float) - reference[top : top + _ROWS].astype(float)
        for top in range(0, len(picture), _ROWS)
    ]
