"""The ways to turn a picture into a larger one that are compared, each timed in its own process.

`plain` is spandrel's own call on the whole picture in fp32, untuned: torch's eager mode, default
memory format, default allocator. `fp32` and `auto` are the engine's network, array to array; `file`
is the engine's whole job, JPEG in and PNG out. The others are in `peers`.
"""

import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.bench import peers
from inference.bench.quality import largest_difference, psnr
from inference.bench.setup import Result
from inference.threads import cores, keep_to_own_cores

Pixels = NDArray[np.uint8]
Upscale = Callable[[Pixels], Pixels]

OURS = ("fp32", "auto", "file")
WAYS = ("plain", *OURS, *peers.PEERS)

# A second call shows what the first spends on choosing kernels and on touching memory for the first
# time. Where a call takes longer than this, that is lost in it, and the second would be lost time.
_TWICE_BELOW = 10.0


def upscale(
    models: str, model: str, way: str, photo: str, reference: str, exported: str = ""
) -> Result:
    """Upscale one photo in one way in this process, without loading and compiling.

    Times one call, or the second of two where the first took less than ten seconds. `reference` is
    a file of the whole-image fp32 result, float32 from 0 to 255, of shape (H, W, 3), which `plain`
    writes if it is not there and all others are compared with. `exported` is the ONNX file for
    peers. Fields: `seconds`, `first_seconds`, `peak_memory` (bytes), `dtype`, `psnr` (dB),
    `largest` (steps of 255).
    """
    pixels = read(photo)
    if way == "plain":
        plain = Plain(models, model)
        result, measured = _timed(plain, pixels)
        if not Path(reference).exists():
            # Under another name first, so that a killed run leaves no half of a reference.
            unfinished = Path(f"{reference}.part.npy")
            np.save(unfinished, plain.exact())
            unfinished.replace(reference)
    elif way == "file":
        result, measured = _job(models, model, photo)
    elif way in OURS:
        network, dtype = _network(models, model, way)
        result, measured = _timed(network, pixels)
        measured["dtype"] = dtype
    else:
        result, measured = _timed(peers.runner(way, Path(exported), pixels), pixels)
        measured["dtype"] = "bf16" if way.endswith("bf16") else "fp32"
    exact = np.load(reference, mmap_mode="r")
    return {**measured, "psnr": psnr(result, exact), "largest": largest_difference(result, exact)}


def read(photo: str | Path) -> Pixels:
    """A photo as (height, width, 3)."""
    with Image.open(photo) as image:
        return np.array(image.convert("RGB"))


def peak_memory() -> int:
    """Bytes that this process had resident at most, libraries included."""
    with suppress(OSError):
        # Not from `getrusage`, which on Linux begins with what the process had that started this.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


class Plain:
    """spandrel's own call on the whole picture."""

    def __init__(self, models: str, model: str) -> None:
        import torch

        from inference.loader import describe
        from inference.weights import ModelStore

        torch.set_num_threads(cores())
        self._descriptor = describe(ModelStore(Path(models)).load(model).state_dict)
        self._last = torch.empty(0)

    def __call__(self, pixels: Pixels) -> Pixels:
        import torch

        tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        self._last = self._descriptor(tensor)[0].permute(1, 2, 0) * 255
        rounded: Pixels = self._last.round().byte().numpy()
        return rounded

    def exact(self) -> NDArray[np.float32]:
        """The last result before it was rounded, from 0 to 255."""
        values: NDArray[np.float32] = self._last.numpy()
        return values


def _network(models: str, model: str, way: str) -> tuple[Upscale, str]:
    from inference.allocator import keep_freed_memory
    from inference.precision import name_of
    from inference.samples import to_8_bits
    from inference.shelf import Shelf
    from inference.weights import ModelStore

    keep_freed_memory()
    keep_to_own_cores()
    shelf = Shelf(ModelStore(Path(models)), "cpu", 1 << 30)
    network, _ = shelf.network(model, "fp32" if way == "fp32" else "auto")
    return lambda pixels: to_8_bits(network(pixels)), name_of(network.dtype)


def _job(models: str, model: str, photo: str) -> tuple[Pixels, Result]:
    import io

    from inference.allocator import keep_freed_memory
    from inference.engine import Engine
    from inference.options import Options
    from inference.weights import ModelStore

    keep_freed_memory()
    keep_to_own_cores()
    engine = Engine(ModelStore(Path(models)), "cpu")
    options = Options(model=model, output_format="png")
    spent: list[float] = []
    while not spent or (len(spent) == 1 and spent[0] < _TWICE_BELOW):
        sink = io.BytesIO()
        with Path(photo).open("rb") as source:
            report = engine.upscale(source, sink, options)
        spent.append(report.seconds["total"] - report.seconds["load"])
    measured = {
        "seconds": spent[-1],
        "first_seconds": spent[0],
        "peak_memory": peak_memory(),
        "dtype": report.dtype,
        "tiles": report.tiles,
    }
    with Image.open(sink) as image:
        return np.array(image.convert("RGB")), measured


def _timed(run: Upscale, pixels: Pixels) -> tuple[Pixels, Result]:
    spent: list[float] = []
    while not spent or (len(spent) == 1 and spent[0] < _TWICE_BELOW):
        begin = time.perf_counter()
        result = run(pixels)
        spent.append(time.perf_counter() - begin)
    return result, {
        "seconds": spent[-1],
        "first_seconds": spent[0],
        "peak_memory": peak_memory(),
        "dtype": "fp32",
    }
