"""Counts the work of a network's layers, as they run.

What a picture costs is learnt from one small sample, so it holds for any architecture. Knows
layers only; nothing of pictures or of what a report is for.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

OnWork = Callable[[float], None]


class Meter:
    """Counts the work of a network's layers as they run, through forward hooks."""

    def __init__(self, model: nn.Module) -> None:
        self.heaviest_per_pixel = 1.0
        self.bytes_per_pixel = 1.0
        self._total_per_pixel = 1.0
        self._sample: list[tuple[nn.Module, int, int]] | None = []
        self._done = 0
        self._report: Callable[[int], None] | None = None
        for module in model.modules():
            if not any(module.children()):
                module.register_forward_hook(self._after_layer)

    def forget(self) -> None:
        """Start over: the sample was not finished."""
        self._sample = []

    def learn(self, pixels: int, tail: set[nn.Module]) -> None:
        """Take what was counted so far as what `pixels` cost. Layers of `tail` run in strips."""
        sample, self._sample = self._sample or [], None
        self._total_per_pixel = sum(work for _, work, _ in sample) / pixels
        whole = [layer for layer in sample if layer[0] not in tail]
        self.heaviest_per_pixel = max(work for _, work, _ in whole) / pixels
        self.bytes_per_pixel = max(size for _, _, size in whole) / pixels

    def start(self, pixels: int, on_work: OnWork | None, begin: float, share: float) -> None:
        """Report from now on: `begin`, plus `share` times the part of `pixels` that is done."""
        expected = self._total_per_pixel * pixels
        self._done = 0
        self._report = on_work and (lambda done: on_work(begin + share * min(1.0, done / expected)))

    def _after_layer(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if not isinstance(output, Tensor):
            return
        weight = getattr(module, "weight", None)
        per_value = weight.shape[1:].numel() if isinstance(weight, Tensor) else 1
        work = output.numel() * per_value
        if self._sample is not None:
            tensors = [t for t in (*inputs, output) if isinstance(t, Tensor)]
            self._sample.append((module, work, sum(t.numel() * t.element_size() for t in tensors)))
        self._done += work
        if self._report:
            self._report(self._done)
