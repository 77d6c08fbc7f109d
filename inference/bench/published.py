"""`make bench-table SETS=path`: whether the engine reproduces a paper's table.

DAT-light at 2×, 3× and 4× on Set5 and Set14, through the engine's whole way in fp32. The protocol
is that of the papers; docs/benchmarks.md describes it. The sets have owners and are not ours to
give: the operator provides them.
"""

import argparse
import io
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.bench.bicubic import reduce
from inference.bench.quality import psnr
from inference.bench.tables import markdown
from inference.errors import EngineError, InvalidOptions

Pixels = NDArray[np.uint8]
Upscale = Callable[[Pixels, int], Pixels]
"""From (H, W, 3) and a factor to (H * factor, W * factor, 3)."""

# PSNR in dB on Y. Z. Chen et al., "Dual Aggregation Transformer for Image Super-Resolution",
# ICCV 2023, supplementary material, table 2; also figs/Table-3.png of github.com/zhengchen1999/DAT.
PUBLISHED = {
    ("Set5", 2): 38.24,
    ("Set5", 3): 34.76,
    ("Set5", 4): 32.57,
    ("Set14", 2): 34.01,
    ("Set14", 3): 30.63,
    ("Set14", 4): 28.87,
}
TOLERANCE = 0.02
_COUNTS = {"Set5": 5, "Set14": 14}

# Where the usual archives keep the originals, and what is made of them.
_ORIGINALS = ("HR", "GTmod12", "original", ".")
_REDUCED = ("LR_bicubic/X{}", "LRbicx{}")
_ENDINGS = (".png", ".bmp")

# What turns RGB from 0 to 255 into luma from 16 to 235: ITU-R BT.601, as in MATLAB's `rgb2ycbcr`.
_LUMA = np.array((65.481, 128.553, 24.966)) / 255


def luma(pixels: Pixels) -> NDArray[np.float64]:
    """Y of (H, W, 3), from 16 to 235 and not rounded, as the papers' own code leaves it."""
    values: NDArray[np.float64] = pixels.astype(np.float64) @ _LUMA + 16
    return values


def psnr_y(result: Pixels, original: Pixels, factor: int) -> float:
    """PSNR of Y in dB with a peak of 255, `factor` pixels of every border left out."""
    inner = slice(factor, -factor)
    return psnr(luma(result)[inner, inner], luma(original)[inner, inner])


def score(folder: Path, name: str, factor: int, upscale: Upscale) -> float:
    """The mean PSNR-Y of a set. Raises `InvalidOptions` when it is not there or not whole."""
    return statistics.fmean(
        psnr_y(upscale(small, factor), original, factor)
        for small, original in pairs(folder, name, factor)
    )


def pairs(folder: Path, name: str, factor: int) -> Iterator[tuple[Pixels, Pixels]]:
    """Reduced and original pictures of a set, the originals cropped to multiples of `factor`."""
    originals = _pictures(folder, name)
    reduced = _reduced(folder / name, factor)
    for path in originals:
        original = _read(path)
        height, width = (side - side % factor for side in original.shape[:2])
        original = original[:height, :width]
        if reduced is None:
            yield reduce(original, factor), original
            continue
        small = _read(_of(path, reduced, factor))
        height, width = (side * factor for side in small.shape[:2])
        if any(of < side for of, side in zip(original.shape, (height, width), strict=False)):
            raise InvalidOptions(f"{path} is smaller than its reduced picture says.")
        yield small, original[:height, :width]


def main(argv: Sequence[str] | None = None) -> int:
    """0 when every figure is within the tolerance, 1 when one is not, 2 when none can be had."""
    parser = argparse.ArgumentParser(prog="python -m inference.bench.published")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--sets", type=Path, required=True, help="folder with Set5 and Set14")
    args = parser.parse_args(argv)
    try:
        scores = measure(args.models, args.sets)
    except EngineError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(table(scores) + "\n")
    return int(any(abs(scores[key] - PUBLISHED[key]) > TOLERANCE + 1e-9 for key in scores))


def measure(models: Path, sets: Path) -> dict[tuple[str, int], float]:
    """PSNR-Y by set and factor. Raises `InvalidOptions` and what the engine raises."""
    _check(models)
    for name in _COUNTS:
        _pictures(sets, name)
    upscale = _engine(models)
    scores = {}
    for name, factor in PUBLISHED:
        sys.stderr.write(f"{name} at {factor}×\n")
        scores[name, factor] = round(score(sets, name, factor, upscale), 4)
    return scores


def table(scores: dict[tuple[str, int], float]) -> str:
    rows = [
        (
            name,
            f"{factor}×",
            f"{measured:.3f}",
            f"{PUBLISHED[name, factor]:.2f}",
            f"{measured - PUBLISHED[name, factor]:+.3f}",
        )
        for (name, factor), measured in scores.items()
    ]
    return markdown(("set", "factor", "PSNR-Y here", "published", "difference"), rows)


def _engine(models: Path) -> Upscale:
    from inference.engine import Engine
    from inference.options import Options
    from inference.weights import ModelStore

    engine = Engine(ModelStore(models), "cpu")

    def upscale(pixels: Pixels, factor: int) -> Pixels:
        source, sink = io.BytesIO(), io.BytesIO()
        Image.fromarray(pixels).save(source, "PNG")
        engine.upscale(
            source,
            sink,
            Options(model=_model(factor), scale=factor, precision="fp32", output_format="png"),
        )
        with Image.open(sink) as image:
            return np.array(image.convert("RGB"))

    return upscale


def _model(factor: int) -> str:
    return f"dat-light-x{factor}"


def _check(models: Path) -> None:
    from inference.installed import ModelFolder

    wanted = [_model(factor) for factor in (2, 3, 4)]
    absent = [name for name in wanted if name not in ModelFolder(models).names()]
    if absent:
        raise InvalidOptions(
            f"{', '.join(absent)} missing in {models}.",
            f"Fetch them: python -m app models --models {models} pull {' '.join(absent)}",
        )


def _pictures(folder: Path, name: str) -> list[Path]:
    """The originals of a set, sorted."""
    for inner in _ORIGINALS:
        found = _in(folder / name / inner)
        if found:
            if len(found) != _COUNTS.get(name, len(found)):
                raise InvalidOptions(
                    f"{folder / name / inner} has {len(found)} pictures; {name} has "
                    f"{_COUNTS[name]}."
                )
            return found
    raise InvalidOptions(
        f"No pictures of {name} in {folder / name}.",
        f"They are looked for as PNG or BMP, there and in {', '.join(_ORIGINALS[:-1])}.",
    )


def _reduced(folder: Path, factor: int) -> Path | None:
    """The folder with the set's own reduced pictures, if it has one."""
    places = (folder / place.format(factor) for place in _REDUCED)
    return next((place for place in places if _in(place)), None)


def _of(original: Path, reduced: Path, factor: int) -> Path:
    """The reduced picture of an original: of the same name, or with the factor behind it."""
    for name in (f"{original.stem}x{factor}", original.stem):
        for ending in _ENDINGS:
            if (path := reduced / f"{name}{ending}").exists():
                return path
    raise InvalidOptions(f"{reduced} has no reduced picture of {original.name}.")


def _in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS)


def _read(path: Path) -> Pixels:
    """RGB, also of grey pictures: Set14 has some."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


if __name__ == "__main__":
    sys.exit(main())
