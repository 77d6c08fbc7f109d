"""A network ready to run: a call that turns pixels into more pixels.

Everything that depends on the architecture is here: size rules, halo, memory and work per pixel.
All of it comes from the weights through spandrel, never from a file name. Knows nothing of tiles,
files or formats.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inference import memory, planes
from inference.errors import UnsupportedModel
from inference.halo import Cutting, cutting, window_side
from inference.meter import Meter, OnWork
from inference.samples import Pixels, peak
from inference.split import STRIP_PIXELS, split
from inference.transfers import Download
from inference.ways import Kernels, Way, arithmetic, prepare, run

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


# Windows of one shape after which cuDNN looks for the fastest kernels for that shape. It takes
# longer than a window does, so there must be more of them to come: tiles, or pictures of one size.
# Padding all windows to a few sizes would save the wait, but not at the picture's border: what lies
# beyond it must be zero before every layer, not only before the first.
_TUNED_AFTER = 2


class Network:
    """One loaded network on one device, run in one way."""

    scale: int
    """Output size over input size."""
    bytes_per_pixel: float
    """Memory that one pixel of a window needs at the worst moment of a call; see `padded`."""
    bytes_per_strip_pixel: float
    """What each pixel of a strip needs besides, where the tail runs in strips; else 0."""

    def __init__(
        self,
        descriptor: Any,
        device: torch.device,
        dtype: torch.dtype,
        kernels: Kernels = "plain",
        cutting_of: Callable[[Any, torch.device], Cutting] = cutting,
    ) -> None:
        """`descriptor` is spandrel's; it is made ready for the device and dtype, not copied.

        `kernels` other than `plain` must have passed the self-test. `cutting_of`, called with
        descriptor and device when somebody asks for it, says how pictures may be cut. Raises
        `UnsupportedModel` for networks that don't turn 1, 3 or 4 channels into as many.
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
        self.kernels: Kernels = kernels
        self.architecture: str = descriptor.architecture.name
        self.tags: tuple[str, ...] = tuple(descriptor.tags)
        self.scale = descriptor.scale
        self._channels: int = descriptor.input_channels
        self._sizes = descriptor.size_requirements
        self._descriptor = descriptor
        self._cutting_of = cutting_of
        self._window_side = window_side(descriptor)
        self._seen: Counter[tuple[int, ...]] = Counter()
        prepare(descriptor, device, Way(dtype, kernels))
        self._split = split(descriptor)
        self._row_major = self._mixes_dtypes = False
        self._meter = Meter(descriptor.model)
        self._calibrate()

    def __call__(self, window: Pixels, on_work: OnWork | None = None) -> Pixels:
        """Enlarge pixels of shape (H, W, C) to (H * scale, W * scale, C), rounded, in their bits.

        C is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA). Alpha goes through the network on its
        own, as a grey picture, and stays within the range that the picture's alpha has around
        each pixel. `on_work(share)` is called after every layer with the share of this call that
        is done, in [0, 1]; an exception that it raises ends the call. Raises `NonFiniteResult`.
        """
        return self.batch([window], on_work)[0]

    def batch(self, windows: Sequence[Pixels], on_work: OnWork | None = None) -> list[Pixels]:
        """Enlarge windows of one shape and dtype together, each as a call would enlarge it.

        A GPU is faster with several small windows at once, a CPU is not. On a GPU `on_work` tells
        what was handed over to it, which is up to a strip ahead of what it has done.
        """
        height, width, channels = windows[0].shape
        s = self.scale
        results = [np.empty((height * s, width * s, channels), windows[0].dtype) for _ in windows]
        runs = planes.runs(channels, self._channels)
        tuned = self._is_worth_tuning((len(windows), height, width))
        with arithmetic(self.device, tuned):
            for index, taken in enumerate(runs):
                pixels = len(windows) * height * width
                self._meter.start(pixels, on_work, index / len(runs), 1 / len(runs))
                self._run(windows, taken, results)
        if channels in (2, 4):
            for window, result in zip(windows, results, strict=True):
                planes.confine_alpha(result[..., -1], window[..., -1], s)
        return results

    def _run(
        self, windows: Sequence[Pixels], taken: planes.Taken, results: Sequence[Pixels]
    ) -> None:
        """Fill the channels that are `taken`, each strip while the next one is on its way."""
        height, width, _ = results[0].shape
        before: tuple[slice, Download] | None = None
        for top, strip in self._strips(self._images(windows, taken)):
            bottom = min(height, top + strip.shape[-2])
            numbers = planes.samples(strip, taken, bottom - top, width, peak(results[0]))
            # Summed, not tested one by one: every NaN or infinity leaves its trace in the sum.
            now = slice(top, bottom), Download(numbers, strip.sum(dtype=torch.float32))
            if before:
                _place(*before, taken, results)
            before = now
        if before:
            _place(*before, taken, results)

    def _is_worth_tuning(self, shape: tuple[int, ...]) -> bool:
        self._seen[shape] += 1
        return self._seen[shape] > _TUNED_AFTER

    @cached_property
    def cutting(self) -> Cutting:
        """How pictures may be cut. Asking may take as long as a small picture, once."""
        return self._cutting_of(self._descriptor, self.device)

    @property
    def largest_window(self) -> int:
        """Pixels of a window above which one layer takes longer than a stop should wait."""
        if self.device.type != "cpu":
            return 1 << 62
        return int(_CPU_LAYER_WORK / self._meter.heaviest_per_pixel)

    @property
    def bytes_of_weights(self) -> int:
        model = self._descriptor.model
        return sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))

    def _images(self, windows: Sequence[Pixels], taken: planes.Taken) -> Tensor:
        images = [self._image(window, taken) for window in windows]
        return images[0] if len(images) == 1 else torch.cat(images)

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
            return run(self._descriptor, image)

    def _sample(self, image: Tensor) -> tuple[Tensor, int]:
        """Run a sample; return its result and the most bytes that were alive meanwhile.

        Runs in the first of several ways in which the network does not fail: some networks compute
        masks in fp32 whatever their weights are, and some take planes in one order of memory only.
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
                with memory.LiveBytes() as live:
                    return self._whole(image), live.peak
            except RuntimeError as error:
                errors.append(error)
                self._meter.forget()
        raise errors[0]

    def padded(self, height: int, width: int) -> int:
        """The pixels that a window takes memory and time for.

        Networks fill a window up to whole attention windows: 33 × 33 pixels to 64 × 64, where these
        have 32.
        """
        side = self._window_side
        return -(-height // side) * -(-width // side) * side**2

    def pixels_within(self, available: int) -> int:
        """Pixels, padding included, of the largest window that needs no more than these bytes."""
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
        width = side if self._sizes.square or self._split else 2 * side
        pixels = side * width
        image = self._image(np.zeros((side, width, 1), np.uint8), (0,) * self._channels)
        try:
            # Not in inference mode, which hides what composed operations allocate.
            with torch.no_grad():
                if self._split:
                    trunk, tail, result = self._split.sample(image)
                else:
                    result, whole = self._sample(image)
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
        self._meter.learn(pixels, set(self._split.tail.modules()) if self._split else set())
        values = self._channels * self.scale**2
        # The result in the network's dtype, twice in fp32 on its way to integers; then those.
        storing, stored = values * (self.dtype.itemsize + 8), 2 * values
        if self._split:
            self.bytes_per_strip_pixel = _OVERHEAD * max(tail / pixels, storing)
            self.bytes_per_pixel = _OVERHEAD * (trunk / pixels + stored)
            return
        self.bytes_per_strip_pixel = 0.0
        reduced = self.dtype != torch.float32 and self.device.type == "cpu"
        overhead = _OVERHEAD_16 if reduced else _OVERHEAD
        self.bytes_per_pixel = overhead * (max(whole / pixels, storing) + stored)


def _place(rows: slice, arriving: Download, taken: planes.Taken, results: Sequence[Pixels]) -> None:
    numbers, total = arriving.wait()
    if not np.isfinite(total):
        raise NonFiniteResult
    for result, of_one in zip(results, numbers, strict=True):
        result[rows, :, planes.made(taken)] = of_one
