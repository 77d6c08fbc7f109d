"""The most memory that jobs take: the parts `memory` and `large`.

`large` is a photo of 24 megapixels at 4×, 384 megapixels out, as PNG. With Compact it is in
`memory`, for minutes; with x4plus it takes the better part of an hour and is a part of its own.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.bench.fresh import in_fresh_process
from inference.bench.setup import COMPACT, X4PLUS, Result, Setup
from inference.bench.tables import markdown, number
from inference.bench.ways import peak_memory, read

_LARGE = (6000, 4000)
_TINY = (60, 40)
# What a picture's pieces may take, where 4 GB is the bar for the whole process.
_BUDGET = 2 << 30


def measure(setup: Setup, say: Callable[[str], None]) -> Result:
    """The photo through every network, and the 24-megapixel one through Compact.

    Fields: `jobs`, each with `model`, `input` and `output` size, `seconds`, `peak_memory`, `dtype`,
    `tiles`, and `budget`, which is none where the engine chose.
    """
    jobs = []
    for model in setup.networks:
        say(model)
        jobs.append(in_fresh_process(job, models=setup.models, model=model, photo=setup.photo))
    if COMPACT in setup.networks:
        jobs.append(_large(setup, COMPACT, say))
    return {"jobs": jobs}


def measure_large(setup: Setup, say: Callable[[str], None]) -> Result:
    """The 24-megapixel photo through x4plus, or through the last network chosen.

    Says first how long it will take, after a look at a smaller picture. Fields as of `measure`.
    """
    model = X4PLUS if X4PLUS in setup.networks else setup.networks[-1]
    sample = in_fresh_process(job, models=setup.models, model=model, photo=setup.photo)
    width, height = _size(setup)
    estimate = sample["seconds"] * width * height / (sample["input"][0] * sample["input"][1])
    say(
        f"{model}, {width} × {height}: about {estimate / 60:.0f} minutes. "
        "`--skip large` leaves this out."
    )
    return {"jobs": [_large(setup, model, say)], "estimate": estimate}


def job(models: str, model: str, photo: str, result: str = "", budget: int | None = None) -> Result:
    """One job in this process, from file to file; see `measure`."""
    from inference.allocator import keep_freed_memory
    from inference.engine import Engine
    from inference.options import Options
    from inference.threads import keep_to_own_cores
    from inference.weights import ModelStore

    keep_freed_memory()
    keep_to_own_cores()
    engine = Engine(ModelStore(Path(models)), "cpu")
    written = Path(result or f"{photo}.{model}.png")
    begin = time.perf_counter()
    try:
        with Path(photo).open("rb") as source, written.open("wb") as sink:
            report = engine.upscale(
                source, sink, Options(model=model, output_format="png", memory_budget=budget)
            )
    finally:
        written.unlink(missing_ok=True)
    return {
        "model": model,
        "input": list(report.input),
        "output": list(report.output),
        "seconds": time.perf_counter() - begin,
        "peak_memory": peak_memory(),
        "dtype": report.dtype,
        "tiles": report.tiles,
        "budget": budget,
    }


def mirrored(photo: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A picture of any size that looks like a photo everywhere: one, repeated and mirrored."""
    rows = np.pad(np.arange(photo.shape[0]), (0, height), "symmetric")[:height]
    columns = np.pad(np.arange(photo.shape[1]), (0, width), "symmetric")[:width]
    return np.ascontiguousarray(photo[rows][:, columns])


def table(result: Result) -> str:
    rows = [
        (
            f"{of['model']} ({of['dtype']})",
            " × ".join(map(str, of["input"])),
            " × ".join(map(str, of["output"])),
            of["tiles"],
            number(of["seconds"], 1),
            number(of["peak_memory"] / 1e6, 0),
        )
        for of in result["jobs"]
    ]
    header = ("network", "picture", "result", "pieces", "seconds", "peak MB")
    return "## Memory of whole jobs, files to PNG\n\n" + markdown(header, rows)


def _large(setup: Setup, model: str, say: Callable[[str], None]) -> Result:
    width, height = _size(setup)
    say(f"{model}, {width} × {height}")
    photo = setup.folder / "large.png"
    if not photo.exists():
        in_fresh_process(write_large, photo=setup.photo, path=photo, width=width, height=height)
    return in_fresh_process(
        job,
        models=setup.models,
        model=model,
        photo=photo,
        result=setup.folder / "large_4x.png",
        budget=_BUDGET,
    )


def write_large(photo: str, path: str, width: int, height: int) -> Result:
    """Write the large picture, in a process of its own: it is 72 MB."""
    Image.fromarray(mirrored(read(photo), width, height)).save(path, compress_level=1)
    return {}


def _size(setup: Setup) -> tuple[int, int]:
    return _TINY if setup.tiny else _LARGE
