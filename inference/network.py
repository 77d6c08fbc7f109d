"""A network ready to run: a call that turns pixels into more pixels.

Everything that depends on the architecture is here: size rules, halo, memory and work per pixel.
All of it comes from the weights through spandrel, never from a file name. Knows nothing of tiles,
files or formats.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inference.errors import UnsupportedModel
from inference.meter import Meter, OnWork
from inference.split import split

Pixels = NDArray[np.uint8]

# Neighbourhood in network pixels beyond which a cut changes a result by less than one 8-bit step
# in fp32, measured on the published weights (docs/engine.md, "Seams").
_WIDEST_HALO = 80
_HALO_SHALLOW_RRDB = 48
_HALO_COMPACT_16 = 16

# An allowance for what is alive beside a layer's input and output: activations kept for residuals,
# scratch space of the convolution. Where it is too small, the picture is cut smaller on the way.
_OVERHEAD = 1.5

# A layer's multiplications per call on a CPU, half a second's worth or so: between two layers is
# where a stop is noticed.
_CPU_LAYER_WORK = 0.12e12


class NonFiniteResult(ArithmeticError):
    """The network produced NaN or infinity, as half precision can."""


class Network:
    """One loaded network on one device in one dtype."""

    scale: int
    """Output size over input size."""
    align: int
    """Windows must start on multiples of this."""
    halo: int
    """Neighbourhood in input pixels that a window needs around what is kept of its result."""
    bytes_per_pixel: float
    """Memory that one pixel of a window needs at the worst moment of a call."""

    def __init__(self, descriptor: Any, device: torch.device, dtype: torch.dtype) -> None:
        """`descriptor` is spandrel's; it is moved to the device and dtype, not copied.

        Raises `UnsupportedModel` for networks that don't turn 1, 3 or 4 channels into as many.
        """
        if descriptor.input_channels != descriptor.output_channels or (
            descriptor.input_channels not in (1, 3, 4)
        ):
            raise UnsupportedModel(
                f"This network turns {descriptor.input_channels} channels into "
                f"{descriptor.output_channels}.",
                "Only networks that keep 1, 3 or 4 channels can be used.",
            )
        self.device = device
        self.dtype = dtype
        self.architecture: str = descriptor.architecture.name
        self.tags: tuple[str, ...] = tuple(descriptor.tags)
        self.scale = descriptor.scale
        self.align = descriptor.size_requirements.multiple_of
        self._channels: int = descriptor.input_channels
        self._sizes = descriptor.size_requirements
        self._descriptor = descriptor
        descriptor.model.eval()
        descriptor.to(device, dtype)
        descriptor.model.to(memory_format=torch.channels_last)
        self._split = split(descriptor)
        self.halo = _halo(descriptor) * (self._split.unshuffle if self._split else 1)
        self._meter = Meter(descriptor.model)
        self.bytes_per_pixel = self._calibrate()

    def __call__(self, window: Pixels, on_work: OnWork | None = None) -> Pixels:
        """Enlarge pixels of shape (H, W, C) to (H * scale, W * scale, C), rounded, in 8 bits.

        C is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA). Alpha goes through the network on its
        own, as a grey picture, and stays within the range that the picture's alpha has around
        each pixel. `on_work(share)` is called after every layer with the share of this call that
        is done, in [0, 1]; an exception that it raises ends the call. Raises `NonFiniteResult`.
        """
        height, width, channels = window.shape
        s = self.scale
        result = np.empty((height * s, width * s, channels), np.uint8)
        passes = list(self._passes(channels))
        for index, taken in enumerate(passes):
            self._meter.start(height * width, on_work, index / len(passes), 1 / len(passes))
            for top, strip in self._strips(self._planes(window, taken)):
                _store(strip, taken, result[top : top + strip.shape[-2]])
        if channels in (2, 4):
            _confine_alpha(result[..., -1], window[..., -1], s)
        return result

    @property
    def largest_window(self) -> int:
        """Pixels of a window above which one layer takes longer than a stop should wait."""
        if self.device.type != "cpu":
            return 1 << 62
        return int(_CPU_LAYER_WORK / self._meter.heaviest_per_pixel)

    @property
    def bytes_of_weights(self) -> int:
        return sum(p.numel() * p.element_size() for p in self._descriptor.model.parameters())

    def _passes(self, channels: int) -> Iterator[tuple[int | None, ...]]:
        """Which picture channels each run of the network takes; `None` is an opaque plane."""
        colour = range(channels - (channels in (2, 4)))
        alpha = channels - 1 if channels in (2, 4) else None
        if self._channels == 1:
            yield from ((c,) for c in range(channels))
            return
        rgb = tuple(colour) if len(colour) == 3 else (0, 0, 0)
        if self._channels == 4:
            yield (*rgb, alpha)
            return
        yield rgb
        if alpha is not None:
            yield (alpha,) * 3

    def _planes(self, window: Pixels, taken: tuple[int | None, ...]) -> Tensor:
        """(1, C, H, W) in [0, 1], padded to the sizes that the network accepts."""
        planes = [
            np.full(window.shape[:2], 255, np.uint8) if c is None else window[..., c] for c in taken
        ]
        image = torch.from_numpy(np.stack(planes)[None]).to(self.device)
        image = image.to(self.dtype).div_(255)
        height, width = window.shape[:2]
        pad_w, pad_h = self._sizes.get_padding(width, height)
        # The edge's own pixels, mirrored as far as there are any, then repeated.
        mirror_w, mirror_h = min(pad_w, width - 1), min(pad_h, height - 1)
        if mirror_w or mirror_h:
            image = nn.functional.pad(image, (0, mirror_w, 0, mirror_h), "reflect")
        if pad_w > mirror_w or pad_h > mirror_h:
            image = nn.functional.pad(
                image, (0, pad_w - mirror_w, 0, pad_h - mirror_h), "replicate"
            )
        return image.contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def _strips(self, image: Tensor) -> Iterator[tuple[int, Tensor]]:
        if self._split is None:
            yield 0, self._descriptor(image)
            return
        yield from self._split.strips(image)

    def _calibrate(self) -> float:
        """Run once on a small picture to learn work per pixel; return bytes per pixel."""
        side = max(32, self._sizes.minimum)
        side += -side % self.align
        image = self._planes(np.zeros((side, side, 1), np.uint8), (0,) * self._channels)
        tail = set(self._split.tail.modules()) if self._split else set()
        try:
            with torch.inference_mode():
                result = self._descriptor(image)
        except RuntimeError as error:
            raise UnsupportedModel(
                f"The network fails on a sample of {side} × {side} pixels.",
                str(error).split("\n")[0],
            ) from error
        if result.shape[-2:] != (side * self.scale, side * self.scale):
            raise UnsupportedModel(
                f"The network turns {side} pixels into {result.shape[-1]} where {self.scale}x was "
                "expected."
            )
        self._meter.learn(side * side, tail)
        output = self._channels * self.scale**2 * (4 + self.dtype.itemsize)
        return _OVERHEAD * self._meter.bytes_per_pixel + output


def _halo(descriptor: Any) -> int:
    model = descriptor.model
    if descriptor.architecture.id == "Compact":
        # Exact once it covers the receptive field: one pixel per convolution.
        return _HALO_COMPACT_16 if model.num_conv <= 16 else int(model.num_conv) + 2
    if descriptor.architecture.id == "ESRGAN":
        blocks = [tag for tag in descriptor.tags if tag.endswith("nb")]
        if blocks and int(blocks[0].removesuffix("nb")) <= 6:
            return _HALO_SHALLOW_RRDB
    return _WIDEST_HALO


def _store(strip: Tensor, taken: tuple[int | None, ...], result: Pixels) -> None:
    """Round a strip of shape (1, C, h, w) into rows of the result, averaging repeated channels."""
    strip = strip[0, :, : result.shape[0], : result.shape[1]].float()
    if not math.isfinite(strip.sum().item()):
        raise NonFiniteResult
    strip = strip.clamp(0, 1).mul_(255)
    for channel in {c for c in taken if c is not None}:
        planes = [index for index, c in enumerate(taken) if c == channel]
        plane = strip[planes[0]] if len(planes) == 1 else strip[planes].mean(dim=0)
        result[..., channel] = plane.round_().to(torch.uint8).cpu().numpy()


def _confine_alpha(result: Pixels, alpha: Pixels, scale: int) -> None:
    """Keep alpha between the least and the most of each pixel's 3x3 neighbourhood, in place.

    Networks leave solid areas one or two steps off, which shows as a veil or as pinholes.
    """
    near = torch.from_numpy(np.pad(alpha, 1, "edge").astype(np.float32))[None]
    most = nn.functional.max_pool2d(near, 3, stride=1)[0]
    least = -nn.functional.max_pool2d(-near, 3, stride=1)[0]
    for bound, limit in ((np.maximum, least), (np.minimum, most)):
        grown = limit.numpy().astype(np.uint8).repeat(scale, axis=0).repeat(scale, axis=1)
        bound(result, grown, out=result)
