"""From nothing to the first pixels: the part `start`."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from inference.bench.fresh import in_fresh_process
from inference.bench.setup import Result, Setup
from inference.bench.tables import markdown, number

STAGES = ("interpreter", "import torch", "import the engine", "load", "first call")
_SIDE = 64
_CLOCK = time.CLOCK_MONOTONIC


def measure(setup: Setup, say: Callable[[str], None]) -> Result:
    """The first call of every network in a fresh process, on 64 × 64 pixels.

    Fields: `networks`, by name the median seconds of each of `STAGES` and their sum, `total`.
    The figures include what starts the process (15 ms).
    """
    networks = {}
    for model in setup.networks:
        say(model)
        runs = [
            # The clock is the system's, so that both processes may look at it.
            in_fresh_process(
                first_call, models=setup.models, model=model, began=time.clock_gettime(_CLOCK)
            )
            for _ in range(max(setup.runs, 1 if setup.tiny else 3))
        ]
        seconds = {stage: statistics.median(run[stage] for run in runs) for stage in STAGES}
        total = statistics.median(sum(run[stage] for stage in STAGES) for run in runs)
        networks[model] = {**seconds, "total": total}
    return {"networks": networks}


def first_call(models: str, model: str, began: float) -> Result:
    """Seconds of each stage, from `began` (system-wide monotonic clock) to the first result."""
    clock = [began, time.clock_gettime(_CLOCK)]
    import torch  # noqa: F401 - its own share of the import

    clock.append(time.clock_gettime(_CLOCK))
    import numpy as np

    import inference.engine  # noqa: F401 - what a worker imports
    from inference.shelf import Shelf
    from inference.weights import ModelStore

    clock.append(time.clock_gettime(_CLOCK))
    network, _ = Shelf(ModelStore(Path(models)), "cpu", 1 << 30).network(model, "auto")
    clock.append(time.clock_gettime(_CLOCK))
    network(np.full((_SIDE, _SIDE, 3), 128, np.uint8))
    clock.append(time.clock_gettime(_CLOCK))
    return {
        stage: after - before
        for stage, before, after in zip(STAGES, clock[:-1], clock[1:], strict=True)
    }


def table(result: Result) -> str:
    rows = [
        (model, *(number(seconds[stage]) for stage in (*STAGES, "total")))
        for model, seconds in result["networks"].items()
    ]
    return "## Cold start, seconds\n\n" + markdown(("network", *STAGES, "total"), rows)
