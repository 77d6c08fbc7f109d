"""A network ready to run: a call that turns pixels into more pixels.

Everything that depends on the architecture is here: size rules, halo, memory and work per pixel.
All of it comes from the weights through spandrel, never from a file name. Knows nothing of tiles,
files or formats.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inference import planes
from inference.errors import UnsupportedModel
from inference.meter import Meter, OnWork
from inference.samples import Pixels, peak
from inference.split import split
from inference.transfers import Download
from inference.ways import Kernels, Way, arithmetic, prepare, run

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


# Windows of one shape after which cuDNN looks for the fastest kernels for that shape. It takes
# longer than a window does, so there must be more of them to come: tiles, or pictures of one size.
# Padding all windows to a few sizes would save the wait, but not at the picture's border: what lies
# beyond it must be zero before every layer, not only before the first.
_TUNED_AFTER = 2


class Network:
    """One loaded network on one device, run in one way."""

    scale: int
    """Output size over input size."""
    align: int
    """Windows must start on multiples of this."""
    halo: int
    """Neighbourhood in input pixels that a window needs around what is kept of its result."""
    bytes_per_pixel: float
    """Memory that one pixel of a window needs at the worst moment of a call."""

    def __init__(
        self,
        descriptor: Any,
        device: torch.device,
        dtype: torch.dtype,
        kernels: Kernels = "plain",
    ) -> None:
        """`descriptor` is spandrel's; it is made ready for the device and dtype, not copied.

        `kernels` other than `plain` must have passed the self-test. Raises `UnsupportedModel` for
        networks that don't turn 1, 3 or 4 channels into as many.
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
        self.align = descriptor.size_requirements.multiple_of
        self._channels: int = descriptor.input_channels
        self._sizes = descriptor.size_requirements
        self._descriptor = descriptor
        self._seen: Counter[tuple[int, ...]] = Counter()
        prepare(descriptor, device, Way(dtype, kernels))
        self._split = split(descriptor)
        self.halo = _halo(descriptor) * (self._split.unshuffle if self._split else 1)
        self._meter = Meter(descriptor.model)
        self.bytes_per_pixel = self._calibrate()

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
            yield 0, run(self._descriptor, image)
            return
        yield from self._split.strips(image)

    def _calibrate(self) -> float:
        """Run once on a small picture to learn work per pixel; return bytes per pixel."""
        side = max(32, self._sizes.minimum)
        side += -side % self.align
        image = self._image(np.zeros((side, side, 1), np.uint8), (0,) * self._channels)
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


def _place(rows: slice, arriving: Download, taken: planes.Taken, results: Sequence[Pixels]) -> None:
    numbers, total = arriving.wait()
    if not np.isfinite(total):
        raise NonFiniteResult
    for result, of_one in zip(results, numbers, strict=True):
        result[rows, :, planes.made(taken)] = of_one


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
