"""Whether tiles show: the part `seams`.

In fp32 a picture in tiles must be the picture in one piece, to within a step of 255. In reduced
precision kernels round differently with the shape of a piece, so there the error against the whole
picture in fp32 must be at the cuts as it is elsewhere.
"""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.bench.fresh import in_fresh_process
from inference.bench.memory import mirrored
from inference.bench.quality import largest_difference, psnr
from inference.bench.setup import COMPACT, Result, Setup
from inference.bench.tables import markdown, number
from inference.bench.ways import Plain, read

Pixels = NDArray[np.uint8]

# One megapixel whole; larger ones are cut in two ways that have hardly a cut in common. The deep
# networks get a band, wide as a large photo, that takes minutes and not hours.
_WHOLE = (1154, 866)
_LARGER = (2800, 1900)
_BAND = (6000, 160)
_TILES = (256, 416)
# A multiple of the tile on both sides: however a plan balances its tiles, it cuts there.
_REDUCED = (512, 384)
_REDUCED_TILE = 128
_NEAR = 4  # input pixels on each side of a cut


def measure(setup: Setup, say: Callable[[str], None]) -> Result:
    """Every network in fp32 and in its own precision.

    Fields: `exact`, each with `model`, `size`, `against` (`whole` or `other tiles`), `largest`
    (steps of 255); `reduced`, see `reduced_precision`.
    """
    exact, reduced = [], []
    for model in setup.networks:
        larger = _LARGER if model == COMPACT else _BAND
        for against, size in (("whole", _WHOLE), ("other tiles", larger)):
            width, height = (80, 60) if setup.tiny else size
            say(f"{model}, {width} × {height} in tiles against {against}")
            exact.append(
                in_fresh_process(
                    in_tiles,
                    models=setup.models,
                    model=model,
                    photo=setup.photo,
                    width=width,
                    height=height,
                    against=against,
                    tiles=(32, 48) if setup.tiny else _TILES,
                )
            )
        say(f"{model} in its own precision, at the cuts and elsewhere")
        width, height = (64, 32) if setup.tiny else _REDUCED
        reduced.append(
            in_fresh_process(
                reduced_precision,
                models=setup.models,
                model=model,
                photo=setup.photo,
                width=width,
                height=height,
                tile=32 if setup.tiny else _REDUCED_TILE,
            )
        )
    return {"exact": exact, "reduced": reduced}


def in_tiles(
    models: str,
    model: str,
    photo: str,
    width: int,
    height: int,
    against: str,
    tiles: tuple[int, int],
) -> Result:
    """The largest difference of a picture in tiles to the whole, or to the same in other tiles."""
    pixels = mirrored(read(photo), width, height)
    cut = _upscaled(models, model, pixels, tiles[0], "fp32")
    if against == "whole":
        from inference.shelf import Shelf
        from inference.weights import ModelStore

        network, _ = Shelf(ModelStore(Path(models)), "cpu", 1 << 30).network(model, "fp32")
        other = network(pixels)
    else:
        other = _upscaled(models, model, pixels, tiles[1], "fp32")
    return {
        "model": model,
        "size": [width, height],
        "against": against,
        "largest": largest_difference(cut, other),
    }


def reduced_precision(
    models: str, model: str, photo: str, width: int, height: int, tile: int
) -> Result:
    """Errors in steps of 255 against spandrel's own call on the whole picture in fp32.

    Fields: `model`, `dtype`, `psnr_whole`, `psnr_tiled` (dB), and of the picture in tiles
    `largest_at_cuts`, `largest_elsewhere`, `p999_at_cuts`, `p999_elsewhere`. `width` and `height`
    are multiples of `tile`.
    """
    from inference.precision import name_of
    from inference.shelf import Shelf
    from inference.weights import ModelStore

    pixels = mirrored(read(photo), width, height)
    plain = Plain(models, model)
    plain(pixels)
    reference = plain.exact()
    network, _ = Shelf(ModelStore(Path(models)), "cpu", 1 << 30).network(model, "auto")
    whole = network(pixels)
    tiled = _upscaled(models, model, pixels, tile, "auto")
    errors = np.abs(tiled - reference).max(axis=2)
    cuts = at_cuts(width, height, tile, network.scale)
    return {
        "model": model,
        "dtype": name_of(network.dtype),
        "psnr_whole": psnr(whole, reference),
        "psnr_tiled": psnr(tiled, reference),
        "largest_at_cuts": float(errors[cuts].max()),
        "largest_elsewhere": float(errors[~cuts].max()),
        "p999_at_cuts": float(np.percentile(errors[cuts], 99.9)),
        "p999_elsewhere": float(np.percentile(errors[~cuts], 99.9)),
    }


def at_cuts(width: int, height: int, tile: int, scale: int) -> NDArray[np.bool_]:
    """Which pixels of a result, (height * scale, width * scale), lie within 4 input pixels of a
    cut between tiles."""

    def near(length: int) -> NDArray[np.bool_]:
        centres = (np.arange(length * scale) + 0.5) / scale
        nearest = np.rint(centres / tile) * tile
        found: NDArray[np.bool_] = (
            (nearest > 0) & (nearest < length) & (np.abs(centres - nearest) < _NEAR)
        )
        return found

    return near(height)[:, None] | near(width)


def table(result: Result) -> str:
    exact = [
        (of["model"], " × ".join(map(str, of["size"])), of["against"], of["largest"])
        for of in result["exact"]
    ]
    reduced = [
        (
            f"{of['model']} ({of['dtype']})",
            number(of["psnr_whole"]),
            number(of["psnr_tiled"]),
            f"{of['largest_at_cuts']:.1f} / {of['largest_elsewhere']:.1f}",
            f"{of['p999_at_cuts']:.2f} / {of['p999_elsewhere']:.2f}",
        )
        for of in result["reduced"]
    ]
    return (
        "## Seams\n\nIn fp32, the largest difference in steps of 255 of a picture in tiles:\n\n"
        + markdown(("network", "picture", "against", "largest"), exact)
        + "\n\nIn the network's own precision, against the whole picture in fp32:\n\n"
        + markdown(
            (
                "network",
                "PSNR whole",
                "PSNR in tiles",
                "largest error at cuts / elsewhere",
                "99.9 % of errors below, at cuts / elsewhere",
            ),
            reduced,
        )
    )


def _upscaled(models: str, model: str, pixels: Pixels, tile: int, precision: str) -> Pixels:
    """The engine's whole job in tiles, decoded again."""
    from inference.engine import Engine
    from inference.options import Options
    from inference.weights import ModelStore

    source, sink = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels).save(source, "PNG", compress_level=1)
    options = Options(
        model=model,
        output_format="png",
        tile=tile,
        precision="fp32" if precision == "fp32" else "auto",
    )
    Engine(ModelStore(Path(models)), "cpu").upscale(source, sink, options)
    with Image.open(sink) as image:
        return np.array(image.convert("RGB"))
