"""From tiles to finished rows. Survives running out of memory and out of number range.

Knows a network and pixels; nothing of files and formats.
"""

import gc
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import numpy as np
import torch

from inference.errors import InvalidWeights, OutOfMemory
from inference.geometry import Region, Size
from inference.memory import is_out_of_memory
from inference.meter import OnWork
from inference.network import NonFiniteResult
from inference.samples import Pixels
from inference.tiles import Band, plan

SMALLEST_TILE = 32


class PixelNetwork(Protocol):
    """What a canvas asks of a network: `inference.network.Network`, or a fake."""

    scale: int
    align: int
    halo: int
    dtype: torch.dtype

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
        self.tile = _aligned(tile, network.align)
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
        no wrong pixel leaves. When memory runs out, everything below the last finished row is
        planned anew in pieces half as large; rows above it are exact whatever the pieces were,
        and stay. Raises `OutOfMemory` when the smallest piece does not fit either, and
        `InvalidWeights` when the network is not finite even in full precision.
        """
        top = 0
        while top < self._size.height:
            bands = plan(self._size, self.tile, self._network.halo, self._network.align, top)
            exhausted = False
            try:
                rows = self._band(bands[0], _pixels_of(bands))
            except NonFiniteResult:
                self._fall_back()
                continue
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                exhausted = True
            if exhausted:
                # Outside the handler: the exception's frames hold the tensors that must go.
                self._cut_smaller()
                continue
            yield rows
            top += bands[0].height

    def _band(self, band: Band, pixels_left: int) -> Pixels:
        s = self._network.scale
        done = self._pixels_done
        total = done + pixels_left
        region = Region(0, band.top, self._size.width, band.height)
        shape = (band.height * s, self._size.width * s, self._pixels.shape[2])
        out = np.empty(shape, self._pixels.dtype)
        for tile in band.tiles:
            area = tile.window.width * tile.window.height
            on_work = partial(self._report, done, area, total)
            result = self._network(self._pixels[tile.window.slices], on_work)
            out[tile.core.relative_to(region).scaled(s).slices] = result[
                tile.core.relative_to(tile.window).scaled(s).slices
            ]
            done += area
            self._on_pixels(done, total)
        self._pixels_done = done
        self.tiles_done += len(band.tiles)
        return out

    def _report(self, done: float, area: int, total: int, share: float) -> None:
        self._on_pixels(done + share * area, total)

    def _cut_smaller(self) -> None:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.restarts += 1
        whole = max(self._size)
        current = whole if self.tile is None else min(self.tile, whole)
        if current <= SMALLEST_TILE:
            raise OutOfMemory(
                f"Not even {SMALLEST_TILE} × {SMALLEST_TILE} pixels fit into memory.",
                "Free memory, or choose a smaller model.",
            )
        self.tile = _aligned(max(SMALLEST_TILE, math.ceil(current / 2)), self._network.align)

    def _fall_back(self) -> None:
        if self._in_full_precision is None or self._network.dtype == torch.float32:
            raise InvalidWeights(
                "The network produced numbers that are no colours (NaN or infinity).",
                "Its weights are damaged or were never trained; choose another model.",
            )
        self._network = self._in_full_precision()
        self.fell_back = True


def _aligned(tile: int | None, align: int) -> int | None:
    return None if tile is None else max(align, tile // align * align)


def _pixels_of(bands: tuple[Band, ...]) -> int:
    return sum(t.window.width * t.window.height for band in bands for t in band.tiles)
