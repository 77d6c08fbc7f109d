"""How much work a network is, counted on its layers. Knows nothing of time."""

from typing import Any

import torch
from torch import Tensor, nn


def flops_per_pixel(descriptor: Any, side: int = 32) -> float:
    """Multiplications and additions of all convolutions and linear layers, per input pixel.

    Counted in one call on `side` × `side` pixels, each multiplication with its addition as two;
    activations and resizing are left out, as is usual. `descriptor` is spandrel's, on the CPU.
    """
    counted = 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal counted
        if isinstance(layer, nn.Linear):
            per_value = layer.in_features
        else:
            assert isinstance(layer, nn.Conv2d)
            height, width = layer.kernel_size
            per_value = layer.in_channels // layer.groups * height * width
        counted += 2 * per_value * output.numel()

    hooks = [
        layer.register_forward_hook(count)
        for layer in descriptor.model.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    try:
        with torch.inference_mode():
            descriptor(torch.zeros(1, descriptor.input_channels, side, side))
    finally:
        for hook in hooks:
            hook.remove()
    return counted / side**2
