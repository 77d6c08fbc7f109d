"""Where a picture is cut, as pure data. Knows nothing of networks or pixels.

Every tile sees a halo wide enough that its core comes out as if the network had seen the whole
picture, so cores are simply laid side by side. For networks of which no halo is wide enough,
neighbours reach into each other's cores, and what both own is mixed.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from inference.geometry import Region, Size


class Shared(NamedTuple):
    """Pixels at the four sides of a tile; 0 where nothing is mixed."""

    left: int = 0
    right: int = 0
    above: int = 0
    below: int = 0


_ALONE = Shared()


@dataclass(frozen=True)
class Tile:
    """One piece of work."""

    core: Region
    """The part of the picture whose result this tile owns."""

    window: Region
    """What the network sees: what is kept and the halo, clipped to the picture."""

    shared: Shared = _ALONE
    """How far to either side of each cut this tile and its neighbour are mixed."""

    @property
    def kept(self) -> Region:
        """The part of the picture to whose result this tile contributes: more than the core by
        what it shares beyond its own cuts."""
        left, right, above, below = self.shared
        x, y, width, height = self.core
        return Region(x - left, y - above, width + left + right, height + above + below)


@dataclass(frozen=True)
class Band:
    """Tiles side by side over the full width. When all are done, their rows are final, except
    those that are mixed with the next band's."""

    top: int
    height: int
    tiles: tuple[Tile, ...]


def plan(
    size: Size,
    tile: int | None,
    halo: int,
    align: int = 1,
    top: int = 0,
    blend: int = 0,
    above: int = 0,
) -> tuple[Band, ...]:
    """Cut the rows of a picture from `top` down into bands of tiles.

    `tile` is the largest side of a core; `None` gives one tile. Cores differ by at most one unit
    of `align` in each direction, so no tile is a sliver. Every cut, and every window's origin,
    lies on a multiple of `align`, the grid of networks that fold neighbouring pixels into
    channels: a window off that grid would fold other neighbours than the whole picture does.

    `blend` is the width of what neighbours share, half of it to either side of a cut; between
    small cores it is less, so that no pixel belongs to more than two in a direction. `above` is
    what an unfinished band above `top` has kept below it, at most that much is shared with it.

    The cores of all bands cover the rows from `top` exactly once. `tile` must be at least
    `align`, and `top` a multiple of it.
    """
    columns = _cuts(0, size.width, tile, align)
    rows = _cuts(top, size.height, tile, align)
    sideways = _shared(columns, blend // 2, 0)
    downwards = _shared(rows, blend // 2, above)
    return tuple(
        Band(
            y0,
            y1 - y0,
            tuple(
                _tile(
                    Region(x0, y0, x1 - x0, y1 - y0),
                    Shared(left, right, over, under),
                    size,
                    halo,
                    align,
                )
                for (x0, x1), (left, right) in zip(
                    pairwise(columns), pairwise(sideways), strict=True
                )
            ),
        )
        for (y0, y1), (over, under) in zip(pairwise(rows), pairwise(downwards), strict=True)
    )


def _cuts(start: int, end: int, tile: int | None, align: int) -> list[int]:
    units = -(-(end - start) // align)
    count = 1 if tile is None else -(-units // (tile // align))
    share, extra = divmod(units, count)
    cuts = [start]
    for index in range(count):
        cuts.append(cuts[-1] + (share + (index < extra)) * align)
    cuts[-1] = end
    return cuts


def _shared(cuts: list[int], most: int, first: int) -> list[int]:
    """For every cut, how far to either side of it neighbours are mixed: nowhere past a middle."""
    halves = [(b - a) // 2 for a, b in pairwise(cuts)]
    inner = [min(most, a, b) for a, b in pairwise(halves)]
    return [min(most, first, halves[0]), *inner, 0]


def _tile(core: Region, shared: Shared, size: Size, halo: int, align: int) -> Tile:
    left = max(0, core.x - shared.left - halo) // align * align
    top = max(0, core.y - shared.above - halo) // align * align
    right = min(size.width, -(-(core.right + shared.right + halo) // align) * align)
    bottom = min(size.height, -(-(core.bottom + shared.below + halo) // align) * align)
    return Tile(core, Region(left, top, right - left, bottom - top), shared)
