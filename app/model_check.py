"""What `models check` tells of a model: what it is, what it needs, and whether it works.

The sample is run as spandrel runs it, without the engine, so that it says something about the
weights alone. Then the engine enlarges a strip whole and in two pieces, in fp32, and the largest
difference is told: about 20,000 pixels go through the network for it, and twice as many before
that where the engine has to measure how the network may be cut.
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.canvas import Canvas
from inference.halo import demanding
from inference.loader import describe
from inference.network import Network
from inference.weight_files import read_weights, weights_sha256
from inference.weights import ModelStore

_SIDE = 48
_STRIP_HEIGHT = 32
_DOUBTFUL = 20.0
_SUFFIXES = (".safetensors", ".pth", ".ckpt", ".pt", ".param", ".bin")


def check(store: ModelStore, subject: str) -> Iterator[tuple[str, str]]:
    """Lines of facts about a file, or an installed model, as names and values.

    A path that exists is a file; everything else is a name. Raises `EngineError`s.
    """
    path = Path(subject)
    if path.exists() or path.name != subject or path.suffix in _SUFFIXES:
        weights = read_weights(path)
        state_dict, notes = weights.state_dict, " ".join(weights.notes)
        yield "file", str(path)
    else:
        stored = store.load(subject)
        state_dict, notes = stored.state_dict, stored.info.notes
        yield "model", stored.info.name
        yield "source", stored.info.source
        yield "licence", " ".join((stored.info.licence or "unknown", stored.info.licence_url))
    descriptor = describe(state_dict)
    size = descriptor.size_requirements
    tags = ", ".join(descriptor.tags)
    yield "architecture", descriptor.architecture.name + (f" ({tags})" if tags else "")
    yield "scale", f"{descriptor.scale}x"
    yield "channels", f"{descriptor.input_channels} in, {descriptor.output_channels} out"
    square = ", square" if size.square else ""
    yield "sizes", f"at least {size.minimum} pixels, multiples of {size.multiple_of}{square}"
    yield "tiling", descriptor.tiling.name.lower()
    halves = (("fp16", descriptor.supports_half), ("bf16", descriptor.supports_bfloat16))
    yield "precision", ", ".join(["fp32", *(name for name, supported in halves if supported)])
    yield "stored in", _dtypes(state_dict.values())
    yield "weights", f"SHA-256 {weights_sha256(state_dict)}"
    if notes:
        yield "note", notes
    yield "sample", _try(descriptor)
    channels = descriptor.input_channels
    if channels == descriptor.output_channels and channels in (1, 3, 4):
        yield "cuts", _cut(Network(descriptor, torch.device("cpu"), torch.float32), channels)


def _dtypes(tensors: Any) -> str:
    return ", ".join(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors}))


def _try(descriptor: Any) -> str:
    """Enlarge the sample, and see whether it is still the same picture."""
    image = torch.from_numpy(sample(descriptor.input_channels))
    started = time.perf_counter()
    with torch.inference_mode():
        result = descriptor.eval()(image)
    seconds = time.perf_counter() - started
    height, width = result.shape[-2:]
    ran = f"{_SIDE} × {_SIDE} became {width} × {height} in {seconds:.2f} s"
    if result.shape[1] != image.shape[1]:
        return ran
    likeness = _psnr(torch.nn.functional.interpolate(result, (_SIDE, _SIDE), mode="area"), image)
    doubt = "" if likeness >= _DOUBTFUL else ": low, look at what it makes before using it"
    return f"{ran}; scaled back down, {likeness:.1f} dB PSNR to what went in{doubt}"


def _cut(network: Network, channels: int) -> str:
    """Enlarge a strip whole and in two pieces; both see less than all of it."""
    how = network.cutting
    if how.whole:
        return "none: it works on whole pictures only"
    core = -(-(how.halo + how.blend + _SIDE) // how.align) * how.align
    strip = demanding(_STRIP_HEIGHT, 2 * core, channels)[0].permute(1, 2, 0).numpy()
    pixels = np.rint(strip * 255).astype(np.uint8)
    canvas = Canvas(network, pixels, core)
    cut = np.concatenate(list(canvas.rows())).astype(int)
    worst = int(np.abs(cut - network(pixels)).max())
    seen = f"{how.halo} pixels around each piece"
    mixed = f", neighbours mixed over {how.blend}" if how.blend else ""
    steps = "1 step" if worst == 1 else f"{worst} steps"
    return (
        f"{seen}{mixed}; {2 * core} × {_STRIP_HEIGHT} in {canvas.tiles_done} pieces differ from "
        f"the whole by {steps} of 255 at most"
    )


def sample(channels: int) -> NDArray[np.float32]:
    """A picture of shape (1, channels, 48, 48) in [0, 1]: soft gradients, a disc and a bar."""
    y, x = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float32) / (_SIDE - 1)
    disc = np.hypot(x - 0.35, y - 0.4) < 0.2
    bar = abs(x - y * 0.3 - 0.6) < 0.06
    planes = [0.2 + 0.6 * x, 0.8 - 0.6 * y, 0.3 + 0.4 * x * y, np.ones_like(x)]
    for plane, inside, on_bar in zip(planes[:3], (0.9, 0.3, 0.2), (0.1, 0.2, 0.6), strict=True):
        plane[disc] = inside
        plane[bar] = on_bar
    return np.stack([planes[c % 4] for c in range(channels)])[None].astype(np.float32)


def _psnr(a: Tensor, b: Tensor) -> float:
    error = float(((a - b) ** 2).mean())
    return 10 * math.log10(1 / error) if error else math.inf
