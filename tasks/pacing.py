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

_SIDES = (64, 128, 256)
"""Pixels. The first run also loads the network and checks its precisions."""

_LONG_ENOUGH = 0.25
"""Seconds: what a run takes beside the network counts little then, and nobody waits for long."""


def lightest(models: Collection[str]) -> catalog.Model | None:
    """Of these, the listed model with the least work, from which that of others can be told."""
    known = [listed for listed in catalog.CATALOG if listed.work and listed.name in models]
    return min(known, key=lambda listed: listed.work or 0, default=None)


def measure(engine: "Engine", model: catalog.Model, should_stop: Callable[[], bool]) -> float:
    """Pixels that it takes in per second. Raises what `Engine.upscale` raises."""
    options = Options(model=model.name, scale=model.scale, output_format="png")
    pace = 0.0
    for side in _SIDES:
        source = io.BytesIO()
        Image.radial_gradient("L").resize((side, side)).convert("RGB").save(source, "PNG")
        begun = time.perf_counter()
        engine.upscale(source, io.BytesIO(), options, should_stop=should_stop)
        seconds = time.perf_counter() - begun
        pace = side * side / seconds
        if side > _SIDES[0] and seconds > _LONG_ENOUGH:
            break
    return pace
