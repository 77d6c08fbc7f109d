"""Networks whose tail can run in strips without changing a bit.

RRDBNet (ESRGAN) works at the picture's own size and enlarges at the very end. The trunk needs a
wide neighbourhood and about 1 KB per pixel; the tail needs two pixels of neighbourhood and ten
times the memory. So the trunk sees the whole window at once, and the tail follows strip by strip
with its full halo. Every output pixel is computed from the same numbers in the same order as in
one piece.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from inference.fused import FusedConv
from inference.memory import LiveBytes

# 3x3 convolutions of the tail reach 1 + 0.5 + 0.25 + 0.25 pixels of the trunk's grid at most (one
# at each enlarged size, two more at the last), whatever the number of enlargements.
_HALO = 2
# Of the trunk. A layer of the tail takes 4 KB for each in fp32; larger strips were no faster.
STRIP_PIXELS = 8_192
_LEAST_ROWS = 16


class TrunkAndTail:
    """An RRDBNet in two parts.

    `scale` is output pixels per trunk pixel, `unshuffle` input pixels per trunk pixel.
    """

    def __init__(self, network: Any) -> None:
        self.trunk: nn.Sequential = network.model[:2]
        self.tail: nn.Sequential = network.model[2:]
        self.scale: int = network.scale
        self.unshuffle: int = network.shuffle_factor or 1

    def strips(self, image: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Yield (first output row, result of shape (N, C, rows, W)) from top to bottom.

        `image` has shape (N, C, H, W), both sides a multiple of `unshuffle`.
        """
        if self.unshuffle > 1:
            image = torch.pixel_unshuffle(image, self.unshuffle)
        features = self.trunk(image)
        height, width = features.shape[-2:]
        rows = max(_LEAST_ROWS, STRIP_PIXELS // (width * len(features)))
        for top in range(0, height, rows):
            bottom = min(height, top + rows)
            first, last = max(0, top - _HALO), min(height, bottom + _HALO)
            result = self.tail(features[:, :, first:last])
            start = (top - first) * self.scale
            yield top * self.scale, result[:, :, start : start + (bottom - top) * self.scale]

    def sample(self, image: Tensor) -> tuple[int, int, Tensor]:
        """Run both parts over a whole image.

        Returns the most bytes that were alive in the trunk, the same for the tail, what it was
        given included, and the result.
        """
        with LiveBytes() as trunk:
            features = self.trunk(torch.pixel_unshuffle(image, self.unshuffle))
        given = features.nbytes
        with LiveBytes() as tail:
            result = self.tail(features)
        return trunk.peak, given + tail.peak, result


def split(descriptor: Any) -> TrunkAndTail | None:
    """The two parts of a spandrel descriptor's network, or `None` when it has no such shape."""
    network = descriptor.model
    if descriptor.architecture.id != "ESRGAN" or not isinstance(network.model, nn.Sequential):
        return None
    for module in network.model[2:].children():
        if isinstance(module, nn.Conv2d | FusedConv):
            if module.kernel_size != (3, 3) or module.padding != (1, 1):
                return None
        elif not isinstance(module, nn.Upsample | nn.LeakyReLU | nn.Identity):
            return None
    return TrunkAndTail(network)
