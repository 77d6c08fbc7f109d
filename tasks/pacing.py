"""How fast this machine is, before it has results that tell: one network runs a few times.

From it the estimates for the other models follow, see `tasks/estimates.py`.
"""

import io
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from PIL import Image

from inference import catalog
from inference.options import Options

if TYPE_CHECKING:
    from inference.engine import Engine

_SIDES = (128, 256, 256, 256)
"""Pixels of the pictures that are measured."""

_LONG_ENOUGH = 1.5
"""Seconds, after which no further one is begun."""


def lightest(models: Collection[str]) -> catalog.Model | None:
    """Of these, the listed model with the least work, from which that of others can be told."""
    known = [listed for listed in catalog.CATALOG if listed.work and listed.name in models]
    return min(known, key=lambda listed: listed.work or 0, default=None)


def measure(engine: "Engine", model: catalog.Model, should_stop: Callable[[], bool]) -> float:
    """Pixels that it takes in per second, at best: other processes may be starting, too. Raises
    what `Engine.upscale` raises."""
    _seconds(engine, model, 64, should_stop)  # loads the network, and checks its precisions
    pace = spent = 0.0
    for side in _SIDES:
        seconds = _seconds(engine, model, side, should_stop)
        pace = max(pace, side * side / seconds)
        spent += seconds
        if spent > _LONG_ENOUGH:
            break
    return pace


def _seconds(
    engine: "Engine", model: catalog.Model, side: int, should_stop: Callable[[], bool]
) -> float:
    """What a square picture takes."""
    source = io.BytesIO()
    Image.radial_gradient("L").resize((side, side)).convert("RGB").save(source, "PNG")
    options = Options(model=model.name, scale=model.scale, output_format="png")
    begun = time.perf_counter()
    engine.upscale(source, io.BytesIO(), options, should_stop=should_stop)
    return time.perf_counter() - begun
