"""Where a job's time goes: the part `phases`.

The engine's whole job with previews, photo in and PNG out, in a fresh process each time.
"""

import io
import statistics
from collections.abc import Callable
from pathlib import Path

from inference.bench.fresh import in_fresh_process
from inference.bench.setup import Result, Setup
from inference.bench.tables import markdown, number

PHASES = ("load", "decode", "network", "resize", "preview", "encode", "total")


def measure(setup: Setup, say: Callable[[str], None]) -> Result:
    """Every network at 4×, and the first at 3×, where the resize filter has work.

    Fields: `jobs`, each with `model`, `scale`, `dtype`, `seconds` by phase (medians).
    """
    orders = [(model, 4) for model in setup.networks] + [(setup.networks[0], 3)]
    jobs = []
    for model, scale in orders:
        say(f"{model} at {scale}×")
        runs = [
            in_fresh_process(job, models=setup.models, model=model, scale=scale, photo=setup.photo)
            for _ in range(setup.runs)
        ]
        seconds = {
            phase: statistics.median(run["seconds"].get(phase, 0.0) for run in runs)
            for phase in PHASES
        }
        jobs.append({**runs[0], "seconds": seconds})
    return {"jobs": jobs}


def job(models: str, model: str, scale: int, photo: str) -> Result:
    """One job in this process: `model`, `scale`, `dtype`, and `seconds` by phase."""
    from inference.allocator import keep_freed_memory
    from inference.engine import Engine
    from inference.options import Options
    from inference.pyramid import Previews
    from inference.threads import keep_to_own_cores
    from inference.weights import ModelStore

    keep_freed_memory()
    keep_to_own_cores()
    engine = Engine(ModelStore(Path(models)), "cpu")
    with Path(photo).open("rb") as source:
        report = engine.upscale(
            source,
            io.BytesIO(),
            Options(model=model, scale=scale, output_format="png"),
            previews=Previews(io.BytesIO(), io.BytesIO()),
        )
    return {"model": model, "scale": scale, "dtype": report.dtype, "seconds": report.seconds}


def table(result: Result) -> str:
    rows = [
        (
            f"{job['model']} ({job['dtype']})",
            f"{job['scale']}×",
            *(number(job["seconds"][phase], 3) for phase in PHASES),
        )
        for job in result["jobs"]
    ]
    return "## Phases of a job, seconds\n\n" + markdown(("network", "scale", *PHASES), rows)
