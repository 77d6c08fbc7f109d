"""The resize filter after the network, strip by strip.

Lanczos with three lobes, as Pillow computes it, on the picture's own numbers: in 8 bits with
integers, in 16 bits with floats, one plane at a time, because Pillow has no other way for them.
"""

import math

import numpy as np
from PIL import Image

from inference.geometry import Size
from inference.options import Bits
from inference.samples import Pixels, bits_of, peak, to_16_bits, with_bits

_LOBES = 3
_STRIP_SAMPLES = 1 << 22  # of a plane widened to floats


class Resampler:
    """Takes rows of one size and gives rows of another, top to bottom.

    The rows are those that resizing the whole picture at once would give.
    """

    def __init__(self, source: Size, target: Size, bits: Bits | None = None) -> None:
        """`bits` of the rows given, rounded once; `None`: as of those taken."""
        self._source = source
        self._target = target
        self._bits = bits
        self._scale = source.height / target.height
        self._reach = math.ceil(_LOBES * max(1.0, self._scale)) + 1
        self._kept: Pixels | None = None
        self._kept_top = 0
        self._done = 0

    def push(self, rows: Pixels) -> Pixels:
        """Take the next rows, shape (any number, source width, C); return what is ready by them.

        The result has shape (ready rows, target width, C); ready rows may be 0. After the last
        source row all of the target's rows have been returned.
        """
        if self._source == self._target:
            return with_bits(rows, self._bits or bits_of(rows))
        rows = to_16_bits(rows) if self._bits == 16 else rows
        if rows.dtype == np.uint8:
            return self._push(rows)
        # A network may hand over the whole picture at once, which is not to be there as floats.
        strip = max(1, _STRIP_SAMPLES // self._source.width)
        cuts = range(0, max(1, len(rows)), strip)
        return np.concatenate([self._push(rows[top : top + strip]) for top in cuts])

    def _push(self, rows: Pixels) -> Pixels:
        kept = rows if self._kept is None else np.concatenate([self._kept, rows])
        bottom = self._kept_top + len(kept)
        if bottom == self._source.height:
            ready = self._target.height
        else:
            ready = max(self._done, math.floor((bottom - self._reach) / self._scale))
        out = self._resize(kept, self._done, ready)
        self._done = ready
        still_needed = max(0, math.floor(ready * self._scale) - self._reach)
        self._kept = kept[max(0, still_needed - self._kept_top) :]
        self._kept_top = max(self._kept_top, still_needed)
        return out

    def _resize(self, kept: Pixels, first: int, last: int) -> Pixels:
        size = Size(self._target.width, last - first)
        bits = self._bits or bits_of(kept)
        out: Pixels = np.empty((size.height, size.width, kept.shape[2]), f"u{bits // 8}")
        if not size.height:
            return out
        top = first * self._scale - self._kept_top
        box = (
            0,
            max(0.0, top),
            self._source.width,
            min(len(kept), top + size.height * self._scale),
        )
        if kept.dtype == np.uint16:
            for channel in range(kept.shape[2]):
                image = Image.fromarray(kept[..., channel].astype(np.float32))
                values = np.array(image.resize(size, Image.Resampling.LANCZOS, box=box))
                values *= peak(out) / peak(kept)
                out[..., channel] = np.rint(values).clip(0, peak(out))
            return out
        # Alpha apart: Pillow would multiply it into the colours and lose their low bits, and the
        # colours beneath transparency are sound already.
        for planes in _plane_groups(kept.shape[2]):
            plane = np.ascontiguousarray(kept[..., planes])
            image = Image.fromarray(plane.squeeze(2) if plane.shape[2] == 1 else plane)
            resized = image.resize(size, Image.Resampling.LANCZOS, box=box)
            out[..., planes] = np.asarray(resized).reshape(*out.shape[:2], -1)
        return out


def _plane_groups(channels: int) -> tuple[slice, ...]:
    if channels in (1, 3):
        return (slice(0, channels),)
    return slice(0, channels - 1), slice(channels - 1, channels)
