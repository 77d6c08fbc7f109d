"""A network ready to run: a call that turns pixels into more pixels.

Everything that depends on the architecture is here: size rules, halo, memory and work per pixel.
All of it comes from the weights through spandrel, never from a file name. Knows nothing of tiles,
files or formats.
"""

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference import memory, planes
from inference.errors import UnsupportedModel
from inference.halo import Cutting, cutting
from inference.meter import Meter, OnWork
from inference.split import STRIP_PIXELS, split

Pixels = NDArray[np.uint8]

# An allowance for what kernels take for themselves while they run, and for what the allocator
# cannot use again. Where it is too small, the picture is cut smaller on the way.
_OVERHEAD = 1.15
# The same where a whole network runs in 16 bits on a CPU: attention keeps fp32 beside them.
_OVERHEAD_16 = 1.6

# A layer's multiplications per call on a CPU, half a second's worth or so: between two layers is
# where a stop is noticed.
_CPU_LAYER_WORK = 0.12e12


class NonFiniteResult(ArithmeticError):
    """The network produced NaN or infinity, as half precision can."""


class Network:
    """One loaded network on one device in one dtype."""

    scale: int
    """Output size over input size."""
    bytes_per_pixel: float
    """Memory that one pixel of a window needs at the worst moment of a call."""
    bytes_per_strip_pixel: float
    """What each pixel of a strip needs besides, where the tail runs in strips; else 0."""

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
        self._channels: int = descriptor.input_channels
        self._sizes = descriptor.size_requirements
        self._descriptor = descriptor
        descriptor.model.eval()
        descriptor.to(device, dtype)
        for weight in descriptor.model.parameters():
            if weight.dim() == 4:  # others refuse that order
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self._split = split(descriptor)
        self._meter = Meter(descriptor.model)
        self._calibrate()

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
        runs = planes.runs(channels, self._channels)
        for index, taken in enumerate(runs):
            self._meter.start(height * width, on_work, index / len(runs), 1 / len(runs))
            for top, strip in self._strips(self._image(window, taken)):
                if not math.isfinite(strip.float().sum().item()):
                    raise NonFiniteResult
                planes.store(strip, taken, result[top : top + strip.shape[-2]])
        if channels in (2, 4):
            planes.confine_alpha(result[..., -1], window[..., -1], s)
        return result

    @cached_property
    def cutting(self) -> Cutting:
        """How pictures may be cut. Asking may take as long as a small picture, once."""
        return cutting(self._descriptor, self.device)

    @property
    def largest_window(self) -> int:
        """Pixels of a window above which one layer takes longer than a stop should wait."""
        if self.device.type != "cpu":
            return 1 << 62
        return int(_CPU_LAYER_WORK / self._meter.heaviest_per_pixel)

    @property
    def bytes_of_weights(self) -> int:
        return sum(p.numel() * p.element_size() for p in self._descriptor.model.parameters())

    def _image(self, window: Pixels, taken: planes.Taken) -> Tensor:
        return planes.tensor(window, taken, self.device, self.dtype, self._sizes.get_padding)

    @torch.inference_mode()
    def _strips(self, image: Tensor) -> Iterator[tuple[int, Tensor]]:
        if self._split is None:
            yield 0, self._whole(image)
            return
        yield from self._split.strips(image)

    def _whole(self, image: Tensor) -> Tensor:
        if self._row_major:
            image = image.contiguous()
        with torch.autocast(self.device.type, self.dtype, enabled=self._mixes_dtypes):
            result: Tensor = self._descriptor(image)
        return result

    def _sample(self, image: Tensor) -> Tensor:
        """Run a sample, in the first of several ways in which the network does not fail.

        Some networks compute masks in fp32 whatever their weights are, and some take planes in
        one order of memory only.
        """
        ways = [(False, False), (False, True), (True, False), (True, True)]
        if self.dtype == torch.float32:
            ways = [(False, False), (True, False)]
        errors = []
        for self._row_major, self._mixes_dtypes in ways:
            try:
                if self._row_major:
                    for weight in self._descriptor.model.parameters():
                        weight.data = weight.data.contiguous()
                return self._whole(image)
            except RuntimeError as error:
                errors.append(error)
                self._meter.forget()
        raise errors[0]

    def pixels_within(self, available: int) -> int:
        """Pixels of the largest window that needs no more than these bytes."""
        small = available / (self.bytes_per_pixel + self.bytes_per_strip_pixel)
        if small <= STRIP_PIXELS:
            return int(small)
        strips = self.bytes_per_strip_pixel * STRIP_PIXELS
        return int((available - strips) / self.bytes_per_pixel)

    def _calibrate(self) -> None:
        """Run once on a small picture to learn work and memory per pixel."""
        side = max(32, self._sizes.minimum)
        side += -side % self._sizes.multiple_of
        # Not square: networks keep masks for the square that they were trained on, ready made.
        width = side if self._sizes.square else 2 * side
        image = self._image(np.zeros((side, width, 1), np.uint8), (0,) * self._channels)
        tail = set(self._split.tail.modules()) if self._split else set()
        try:
            # Not in inference mode, which hides what composed operations allocate.
            with torch.no_grad():
                result = self._sample(image)
                self._meter.learn(side * width, tail)
                with memory.LiveBytes() as whole:
                    self._whole(image)
        except RuntimeError as error:
            raise UnsupportedModel(
                f"The network fails on a sample of {width} × {side} pixels.",
                str(error).split("\n")[0],
            ) from error
        if result.shape[-2:] != (side * self.scale, width * self.scale):
            raise UnsupportedModel(
                f"The network turns {width} pixels into {result.shape[-1]} where {self.scale}x was "
                "expected."
            )
        pixels = side * width
        per_pixel = whole.peak / pixels
        values = self._channels * self.scale**2
        # The result in the network's dtype, twice in fp32 on its way to integers; then those.
        storing, stored = values * (self.dtype.itemsize + 8), 2 * values
        self.bytes_per_strip_pixel = 0.0
        if self._split:
            with torch.no_grad(), memory.LiveBytes() as trunk:
                self._split.trunk(torch.pixel_unshuffle(image, self._split.unshuffle))
            self.bytes_per_strip_pixel = _OVERHEAD * max(per_pixel, storing)
            per_pixel = trunk.peak / pixels
        else:
            per_pixel = max(per_pixel, storing)
        reduced = self._split is None and self.dtype != torch.float32 and self.device.type == "cpu"
        self.bytes_per_pixel = (_OVERHEAD_16 if reduced else _OVERHEAD) * (per_pixel + stored)
