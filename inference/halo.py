"""How a network's pictures may be cut: how far a piece must see, on which grid, and what is mixed.

For RRDBNet and Compact that is known. For every other architecture it is measured with its own
weights: pieces of a demanding sample, seen with more or less of their surroundings, are compared
with the whole. Where no neighbourhood is enough, because the network looks at statistics of the
whole picture, neighbouring pieces are to be mixed. Knows spandrel's descriptors; nothing of plans,
pictures or memory.
"""

import copy
import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inference import precision
from inference.verdicts import Verdicts

# Neighbourhood in network pixels beyond which a cut changes a result by less than one 8-bit step
# in fp32, measured on the published weights (docs/engine.md, "Seams").
_RRDB = 80
_RRDB_SHALLOW = 48
_COMPACT_16 = 16

# Under what names spandrel's architectures keep the sides of their attention windows.
_WINDOWS = ("window_size", "split_size", "stripe_size", "patch_size", "ws")
# The grid where no window says otherwise: that of networks that halve the picture up to four times.
_GRID = 16
_COARSEST_GRID = 128

# To be raised whenever the sample or a limit changes: what was measured before is void then.
_EDITION = 1

_LADDER = (16, 32, 64, 96)
_CORE = 32
_BEYOND = 64
_ENOUGH = 0.5
"""8-bit steps. Half of what may show, since a sample is not every picture."""
_FLAT = 1.25
"""What counts as no further gain where no neighbourhood is enough."""
_BLEND = 32


@dataclass(frozen=True)
class Cutting:
    """How pictures may be cut for one network."""

    halo: int
    """Neighbourhood in input pixels that a piece needs around what is kept of its result."""
    align: int
    """Windows must start on multiples of this."""
    blend: int = 0
    """Input pixels over which neighbours are mixed; 0: cores laid side by side are exact."""
    whole: bool = False
    """Only whole pictures: no two runs on different pieces fit together."""
    error: float | None = None
    """8-bit steps by which a piece of the sample differed from the whole; `None`: not measured."""


def known(descriptor: Any) -> Cutting | None:
    """What is certain without a measurement. `descriptor` is spandrel's."""
    align = descriptor.size_requirements.multiple_of
    if descriptor.tiling.name == "INTERNAL":
        # It cuts the picture itself, and looks at all of it to do so.
        return Cutting(0, align, whole=True)
    model = descriptor.model
    if descriptor.architecture.id == "Compact":
        # Exact once it covers the receptive field: one pixel per convolution.
        return Cutting(_COMPACT_16 if model.num_conv <= 16 else int(model.num_conv) + 2, align)
    if descriptor.architecture.id == "ESRGAN":
        blocks = [tag for tag in descriptor.tags if tag.endswith("nb")]
        shallow = blocks and int(blocks[0].removesuffix("nb")) <= 6
        # Networks that fold pixels into channels need as many folded pixels.
        return Cutting((_RRDB_SHALLOW if shallow else _RRDB) * (model.shuffle_factor or 1), align)
    return None


def cutting(descriptor: Any, device: torch.device) -> Cutting:
    """How to cut for this network: what is known, else what a measurement on `device` says.

    A measurement takes as long as a picture of about 40,000 pixels and is the same every time. It
    is made in fp32, whatever the network runs in: in reduced precision kernels round differently
    with the shape of a window, which hides what is looked for.
    """
    return known(descriptor) or _measured(descriptor, device)


def remembered(
    descriptor: Any, device: torch.device, weights_sha256: str, verdicts: Verdicts
) -> Cutting:
    """As `cutting`, but measured only where no measurement of these weights was kept.

    What was kept in other surroundings, or can't be the result of a measurement, counts as none.
    """
    if certain := known(descriptor):
        return certain
    surroundings = f"cuts, edition {_EDITION}, {precision.surroundings(device)}"
    subject = f"{weights_sha256} {precision.name_of(torch.float32)}"
    kept = _as_measured(verdicts.get(surroundings, subject), grid(descriptor))
    if kept is None:
        kept = _measured(descriptor, device)
        verdicts.put(surroundings, subject, asdict(kept))
    return kept


def _as_measured(kept: object, align: int) -> Cutting | None:
    """A measurement's result from what was kept of it, `None` where it can't have been one."""
    if not isinstance(kept, dict):
        return None
    possible = [Cutting(0, align, whole=True)]
    if isinstance(error := kept.get("error"), float):
        rungs = [_up(rung, align) for rung in _LADDER]
        possible = [Cutting(rung, align, _up(_BLEND, 2 * align), error=error) for rung in rungs]
        if error <= _ENOUGH:
            possible += [Cutting(rung, align, error=error) for rung in rungs]
    # As texts: in Python 1 is as good as True, and 16.0 as 16.
    text = json.dumps(kept, sort_keys=True)
    return next((how for how in possible if json.dumps(asdict(how), sort_keys=True) == text), None)


def window_side(descriptor: Any) -> int:
    """The side of the squares to whose multiples a network fills pictures up within itself."""
    return max(_windows(descriptor), default=1)


def grid(descriptor: Any) -> int:
    """Multiples on which a window's origin leaves every grid of the network where it was.

    The grids are those of folded pixels and of attention windows; shifted windows are shifted by
    half of one against the same grid.
    """
    sides = _windows(descriptor)
    multiple = int(descriptor.size_requirements.multiple_of)
    common = math.lcm(multiple, *(sides or {_GRID}))
    # Windows that fit no common grid: the measurement shows what that does.
    return common if common <= _COARSEST_GRID else math.lcm(multiple, _GRID)


def _windows(descriptor: Any) -> set[int]:
    """All sides of its attention windows."""
    sides = set()
    for module in descriptor.model.modules():
        for name in _WINDOWS:
            value = getattr(module, name, None)
            for side in value if isinstance(value, list | tuple) else (value,):
                if isinstance(side, int) and side > 1:
                    sides.add(side)
    return sides


def demanding(height: int, width: int, channels: int) -> Tensor:
    """A sample of shape (1, channels, height, width) in [0, 1], always the same.

    Noise on every scale, as photos have, with hard edges in all directions: what carries farthest
    through a network.
    """
    rng = np.random.default_rng(6)
    planes = np.zeros((channels, height, width))
    for octave in (1, 2, 4, 8, 16, 32):
        coarse = rng.normal(0, octave**0.5, (channels, -(-height // octave), -(-width // octave)))
        planes += coarse.repeat(octave, 1).repeat(octave, 2)[:, :height, :width]
    planes = 0.5 + 0.06 * planes
    y, x = np.mgrid[:height, :width]
    stripes = (x + 2 * y) % 29 < 3
    checks = ((x // 12 + y // 12) % 5 == 0) & ((x // 3 + y // 3) % 2 == 0)
    planes[:, stripes] = 0.95
    planes[:, checks] = 0.05
    return torch.from_numpy(planes.clip(0, 1).astype(np.float32))[None]


class _Trial:
    """Compares pieces of a strip with the whole strip; the cuts lie left and right of a core.

    The strip goes on beyond the widest piece, with surroundings unlike it, so that a network that
    looks at statistics of the whole picture gives itself away.
    """

    def __init__(self, descriptor: Any, align: int, device: torch.device, turned: bool) -> None:
        self._network = descriptor
        self._turned = turned
        self._core = _up(max(_CORE, descriptor.size_requirements.minimum), align)
        self._reach = _up(_LADDER[-1], align) + _up(_BEYOND, align)
        strip = demanding(self._core, self._core + 2 * self._reach, descriptor.input_channels)
        strip[..., :_BEYOND] = 1
        strip[..., -_BEYOND:] = 1
        self._strip = strip.to(device)
        self._whole = self._run(self._strip)

    def repeats(self) -> bool:
        """Whether the same input gives the same result."""
        piece = self._strip[..., self._reach : self._reach + self._core]
        return _steps(self._run(piece), self._run(piece)) < _ENOUGH

    def error(self, halo: int) -> float:
        """8-bit steps at worst, within a core that sees `halo` pixels on either side."""
        start, end = self._reach - halo, self._reach + self._core + halo
        s = self._network.scale
        piece = self._run(self._strip[..., start:end])[..., halo * s : (halo + self._core) * s]
        return _steps(piece, self._whole[..., self._reach * s : (self._reach + self._core) * s])

    def _run(self, strip: Tensor) -> Tensor:
        # Cloned: some networks write into what they are given.
        result: Tensor = self._network((strip.mT if self._turned else strip).clone())
        return result.mT if self._turned else result


@torch.inference_mode()
def _measured(descriptor: Any, device: torch.device) -> Cutting:
    align = grid(descriptor)
    network = _in_fp32(descriptor, device)
    trial = _Trial(network, align, device, turned=False)
    if not trial.repeats():
        return Cutting(0, align, whole=True)
    *rungs, widest = sorted({_up(rung, align) for rung in _LADDER})
    error = trial.error(widest)
    enough = max(_ENOUGH, _FLAT * error)
    halo, below = widest, widest
    for rung in reversed(rungs):
        narrower = trial.error(rung)
        if narrower > enough:
            break
        halo, below, error = below, rung, narrower
    exact = enough == _ENOUGH and (below < widest or error <= _ENOUGH / 8)
    # Windows need not be square: the other direction must agree.
    turned = _Trial(network, align, device, turned=True)
    if exact and turned.error(below) > _ENOUGH:
        halo = widest
        exact = turned.error(widest) <= _ENOUGH
    if exact:
        return Cutting(halo, align, error=error)
    return Cutting(
        below, align, blend=_up(_BLEND, 2 * align), error=max(error, turned.error(below))
    )


def _in_fp32(descriptor: Any, device: torch.device) -> Any:
    """A copy that runs in fp32 and tells nobody how far it is."""
    network = copy.copy(descriptor)
    network._model = copy.deepcopy(descriptor.model).to(device, torch.float32)
    for module in network.model.modules():
        module._forward_hooks.clear()
    return network


def _steps(a: Tensor, b: Tensor) -> float:
    worst = float((a - b).abs().max()) * 255
    return worst if math.isfinite(worst) else math.inf


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
