"""From tiles to finished rows. Survives running out of memory and out of number range.

Knows a network and pixels; nothing of files and formats.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import numpy as np
import torch

from inference import memory
from inference.errors import InvalidWeights, OutOfMemory
from inference.geometry import Region, Size
from inference.halo import Cutting
from inference.meter import OnWork
from inference.network import NonFiniteResult
from inference.samples import Pixels
from inference.tiles import Band, plan

SMALLEST_TILE = 32


class PixelNetwork(Protocol):
    """What a canvas asks of a network: `inference.network.Network`, or a fake."""

    scale: int
    dtype: torch.dtype

    @property
    def cutting(self) -> Cutting: ...

    def __call__(self, window: Pixels, on_work: OnWork | None = None) -> Pixels: ...


class Canvas:
    """One picture on its way through a network."""

    def __init__(
        self,
        network: PixelNetwork,
        pixels: Pixels,
        tile: int | None,
        on_pixels: Callable[[float, int], None] = lambda done, total: None,
        in_full_precision: Callable[[], PixelNetwork] | None = None,
    ) -> None:
        """`pixels` has shape (height, width, channels); `tile` is the side of a core or `None`.

        `on_pixels(done, total)` follows the input pixels that went through the network, halos
        included; `total` grows when the picture has to be cut smaller. `in_full_precision` gives
        the network to go on with when `network` produces NaN or infinity.
        """
        self.tile = None if tile is None else _aligned(tile, network.cutting)
        self.tiles_done = 0
        self.restarts = 0
        """How often a piece was thrown away because memory ran out."""
        self.fell_back = False
        """Whether full precision had to step in."""
        self._network = network
        self._pixels = pixels
        self._size = Size(pixels.shape[1], pixels.shape[0])
        self._on_pixels = on_pixels
        self._in_full_precision = in_full_precision
        self._pixels_done = 0

    def rows(self) -> Iterator[Pixels]:
        """Yield the result from top to bottom, shape (any number of rows, width * scale, C).

        A band is yielded only when all its tiles are finished, so whatever goes wrong within one,
        no wrong pixel leaves; the rows that it shares with the next band stay until that one is
        finished. When memory runs out, everything below the last finished band is planned anew in
        pieces half as large; what is above is what any cutting gives, and stays. Raises
        `OutOfMemory` when the smallest piece does not fit either, and `InvalidWeights` when the
        network is not finite even in full precision.
        """
        top = 0
        kept: Pixels = np.empty((0, 0, 0), np.uint8)  # finished but for what the next band adds
        while top < self._size.height:
            bands = self._plan(top, len(kept) // self._network.scale // 2)
            exhausted = False
            try:
                rows = self._band(bands[0], _pixels_of(bands))
            except NonFiniteResult:
                self._fall_back()
                continue
            except Exception as error:
                if not memory.is_out_of_memory(error):
                    raise
                exhausted = True
            if exhausted:
                # Outside the handler: the exception's frames hold the tensors that must go.
                self._cut_smaller()
                continue
            shared = bands[0].tiles[0].shared
            rows = _continued(kept, rows, shared.above * 2 * self._network.scale)
            final = len(rows) - shared.below * 2 * self._network.scale
            yield rows[:final]
            kept = rows[final:].copy()
            top += bands[0].height

    def _plan(self, top: int, above: int) -> tuple[Band, ...]:
        if self.tile is None:  # How pictures may be cut costs time to learn; here nobody asks.
            return plan(self._size, None, 0, top=top)
        how = self._network.cutting
        return plan(self._size, self.tile, how.halo, how.align, top, how.blend, above)

    def _band(self, band: Band, pixels_left: int) -> Pixels:
        """The rows to which the band contributes."""
        s = self._network.scale
        done = self._pixels_done
        total = done + pixels_left
        kept = band.tiles[0].kept
        region = Region(0, kept.y, self._size.width, kept.height)
        shape = (region.height * s, region.width * s, self._pixels.shape[2])
        out = np.empty(shape, self._pixels.dtype)
        for tile in band.tiles:
            area = tile.window.width * tile.window.height
            on_work = partial(self._report, done, area, total)
            result = self._network(self._pixels[tile.window.slices], on_work)
            place = out[tile.kept.relative_to(region).scaled(s).slices]
            result = result[tile.kept.relative_to(tile.window).scaled(s).slices]
            mixed = tile.shared.left * 2 * s
            place[:, :mixed] = _mixed(place[:, :mixed], result[:, :mixed], axis=1)
            place[:, mixed:] = result[:, mixed:]
            done += area
            self._on_pixels(done, total)
        self._pixels_done = done
        self.tiles_done += len(band.tiles)
        return out

    def _report(self, done: float, area: int, total: int, share: float) -> None:
        self._on_pixels(done + share * area, total)

    def _cut_smaller(self) -> None:
        memory.let_go()
        self.restarts += 1
        whole = max(self._size)
        current = whole if self.tile is None else min(self.tile, whole)
        how = self._network.cutting
        if how.whole:
            raise OutOfMemory(
                f"This network works on whole pictures only, and {self._size} pixels do not fit "
                "into memory.",
                "Free memory, or choose another model.",
            )
        smallest = max(SMALLEST_TILE, how.align)
        if current <= smallest:
            raise OutOfMemory(
                f"Not even {smallest} × {smallest} pixels fit into memory.",
                "Free memory, or choose a smaller model.",
            )
        self.tile = _aligned(max(SMALLEST_TILE, math.ceil(current / 2)), how)

    def _fall_back(self) -> None:
        if self._in_full_precision is None or self._network.dtype == torch.float32:
            raise InvalidWeights(
                "The network produced numbers that are no colours (NaN or infinity).",
                "Its weights are damaged or were never trained; choose another model.",
            )
        self._network = self._in_full_precision()
        self.fell_back = True


def _aligned(tile: int, how: Cutting) -> int | None:
    return None if how.whole else max(how.align, tile // how.align * how.align)


def _pixels_of(bands: tuple[Band, ...]) -> int:
    return sum(t.window.width * t.window.height for band in bands for t in band.tiles)


def _continued(kept: Pixels, rows: Pixels, mixed: int) -> Pixels:
    """What an earlier band kept and what a later one gives, of which `mixed` rows are of both."""
    if not len(kept):
        return rows
    # A band may share less than what was kept: both ends of what it shares are as far from the cut.
    own = (len(kept) - mixed) // 2
    both = _mixed(kept[own : own + mixed], rows[:mixed], axis=0)
    return np.concatenate([kept[:own], both, rows[mixed:]])


def _mixed(first: Pixels, second: Pixels, axis: int) -> Pixels:
    """From all of `first` to all of `second` along an axis, on a raised cosine."""
    count = first.shape[axis]
    share = 0.5 - 0.5 * np.cos(np.pi * (np.arange(count, dtype=np.float32) + 0.5) / max(count, 1))
    share = share.reshape((-1, 1) if axis else (-1, 1, 1))
    mixed: Pixels = np.rint(first + (second.astype(np.float32) - first) * share).astype(first.dtype)
    return mixed
