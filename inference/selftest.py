"""Whether a fast way to run a network gives the right pixels. The fastest that does is chosen.

Reduced precision loses some networks, and fused or compiled layers have returned wrong pictures
before. So nothing but torch's plain layers is taken on trust: a small picture goes through the
network both ways, and the results are compared. Verdicts are kept. Knows spandrel's descriptors;
nothing of people's pictures.
"""

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inference import precision
from inference.memory import is_out_of_memory
from inference.verdicts import Verdicts
from inference.ways import Way, arithmetic, prepare, run, ways

# To be raised whenever the sample, a limit or a kernel changes: old verdicts are void then.
_EDITION = 2

_SIDE = 32

# How close to the reference a result must be, on [0, 1]: PSNR in dB.
_LEAST_DECIBELS = {torch.float16: 50.0, torch.bfloat16: 45.0}
# In fp32 the order of a sum may differ and nothing else. One wrong pixel would not show in PSNR.
_LARGEST_DIFFERENCE = 1e-4


def choose(
    descriptor: Any,
    device: torch.device,
    dtypes: tuple[torch.dtype, ...],
    weights_sha256: str,
    verdicts: Verdicts,
) -> Way:
    """The first way to run the network, in the order of `dtypes`, whose pixels are right.

    In each dtype fused layers come first. All are measured against plain layers in the last
    dtype, which need no test: torch's fp32, or the precision that was demanded. `descriptor` is
    spandrel's in fp32 on the CPU, and is left as it is.
    """
    *candidates, reference = (way for dtype in dtypes for way in ways(descriptor, device, dtype))
    surroundings = f"edition {_EDITION}, {precision.surroundings(device)}"
    expected: Tensor | None = None
    for way in candidates:
        subject = f"{weights_sha256} {way} against {reference}"
        verdict = verdicts.get(surroundings, subject)
        if not isinstance(verdict, bool):
            if expected is None:
                expected = _result(descriptor, device, reference)
            if expected is None:
                break  # a network that can't run at all: whoever loads it will say why
            actual = _result(descriptor, device, way)
            verdict = actual is not None and agree(actual, expected, way.dtype)
            verdicts.put(surroundings, subject, verdict)
        if verdict:
            return way
    return reference


def agree(actual: Tensor, expected: Tensor, dtype: torch.dtype) -> bool:
    """Whether a result is finite, and as close to what was expected as its dtype must be."""
    if actual.shape != expected.shape or not bool(actual.isfinite().all()):
        return False
    difference = actual.clamp(0, 1) - expected.clamp(0, 1)
    if dtype == torch.float32:
        return float(difference.abs().max()) <= _LARGEST_DIFFERENCE
    error = float(difference.square().mean())
    return error == 0 or -10 * math.log10(error) >= _LEAST_DECIBELS[dtype]


def sample(planes: int) -> Tensor:
    """A picture of shape (1, planes, 32, 32) in [0, 1], always the same.

    Gradients, an edge that is round and one that is slanted, fine texture, black and white.
    """
    y, x = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float32) / (_SIDE - 1)
    texture = 0.15 * np.sin(59 * x) * np.sin(40 * y) * (y > 0.55)
    disc = np.hypot(x - 0.35, y - 0.35) < 0.2
    bar = abs(x - 0.3 * y - 0.65) < 0.07
    gradients = (0.1 + 0.8 * x, 0.9 - 0.8 * y, 0.3 + 0.4 * x * y)
    picture = np.stack([gradients[plane % 3] + texture for plane in range(planes)])
    for plane in range(planes):
        picture[plane][disc] = (1.0, 0.85, 0.0)[plane % 3]
        picture[plane][bar] = (0.0, 0.1, 0.2)[plane % 3]
    picture[:, :3, -8:] = 1
    picture[:, -3:, :8] = 0
    return torch.from_numpy(picture[None].clip(0, 1).astype(np.float32))


@torch.inference_mode()
def _result(descriptor: Any, device: torch.device, way: Way) -> Tensor | None:
    """What a network makes of the sample that way, in fp32 on the CPU; `None` if it fails."""
    trial = copy.deepcopy(descriptor)
    try:
        prepare(trial, device, way)
        image = sample(descriptor.input_channels)
        more_columns, more_rows = descriptor.size_requirements.get_padding(_SIDE, _SIDE)
        image = nn.functional.pad(image, (0, more_columns, 0, more_rows), "replicate")
        image = image.to(device, way.dtype).contiguous(memory_format=torch.channels_last)
        with arithmetic(device):
            result = run(trial, image)
    except RuntimeError as error:
        # Scarce memory says nothing about pixels, and must not be remembered as if it did.
        if is_out_of_memory(error):
            raise
        return None
    return result.float().cpu()
