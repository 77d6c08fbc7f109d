"""Where a picture is cut, as pure data. Knows nothing of networks or pixels.

Nothing is blended: every tile sees a halo wide enough that its core comes out as if the network
had seen the whole picture, so cores are simply laid side by side.
"""

from dataclasses import dataclass
from itertools import pairwise

from inference.geometry import Region, Size


@dataclass(frozen=True)
class Tile:
    """One piece of work."""

    core: Region
    """The part of the picture whose result this tile owns."""

    window: Region
    """What the network sees: the core and its halo, clipped to the picture."""


@dataclass(frozen=True)
class Band:
    """Tiles side by side over the full width. When all are done, their rows are final."""

    top: int
    height: int
    tiles: tuple[Tile, ...]


def plan(size: Size, tile: int | None, halo: int, align: int = 1, top: int = 0) -> tuple[Band, ...]:
    """Cut the rows of a picture from `top` down into bands of tiles.

    `tile` is the largest side of a core; `None` gives one tile. Cores differ by at most one unit
    of `align` in each direction, so no tile is a sliver. Every cut, and every window's origin,
    lies on a multiple of `align`, the grid of networks that fold neighbouring pixels into
    channels: a window off that grid would fold other neighbours than the whole picture does.

    The cores of all bands cover the rows from `top` exactly once. `tile` must be at least
    `align`, and `top` a multiple of it.
    """
    columns = _cuts(0, size.width, tile, align)
    rows = _cuts(top, size.height, tile, align)
    return tuple(
        Band(
            y0,
            y1 - y0,
            tuple(
                _tile(Region(x0, y0, x1 - x0, y1 - y0), size, halo, align)
                for x0, x1 in pairwise(columns)
            ),
        )
        for y0, y1 in pairwise(rows)
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


def _tile(core: Region, size: Size, halo: int, align: int) -> Tile:
    left = max(0, core.x - halo) // align * align
    top = max(0, core.y - halo) // align * align
    right = min(size.width, -(-(core.right + halo) // align) * align)
    bottom = min(size.height, -(-(core.bottom + halo) // align) * align)
    return Tile(core, Region(left, top, right - left, bottom - top))
