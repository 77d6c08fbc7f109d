"""RRDBNet's dense blocks, joining what their convolutions look at in one place instead of many.

Every convolution of such a block sees the block's input and all that the ones before it made. torch
joins these in new memory each time, of five different sizes a block, and the gaps that they leave
cost more than the arrays. Joined in one place the numbers are the same. Knows layers only.
"""

from typing import Any

import torch
from torch import Tensor, nn


class Room:
    """Memory that all dense blocks of a network take turns in, while a `with` statement lasts."""

    def __init__(self) -> None:
        self._memory: Tensor | None = None

    def __enter__(self) -> None:
        self._memory = None

    def __exit__(self, *_: object) -> None:
        self._memory = None

    def joined(self, images: list[Tensor], widest: int) -> Tensor:
        """The channels of all images side by side, valid until the next call.

        `widest` is the most channels that will be asked for at this size.
        """
        count, _, height, width = images[0].shape
        needed = count * height * width * widest
        if self._memory is None or self._memory.numel() < needed:
            self._memory = None  # gone before there is more
            self._memory = images[0].new_empty(needed)
        channels = sum(image.shape[1] for image in images)
        place = self._memory[: count * height * width * channels]
        # In the order of memory in which oneDNN takes images: all channels of a pixel together.
        side_by_side = place.view(count, height, width, channels).permute(0, 3, 1, 2)
        return torch.cat(images, dim=1, out=side_by_side)


class DenseBlock(nn.Module):
    """spandrel's `ResidualDenseBlock_5C`, in a room that it shares."""

    def __init__(self, block: Any, room: Room) -> None:
        super().__init__()
        self.growing = nn.ModuleList((block.conv1, block.conv2, block.conv3, block.conv4))
        self.last = block.conv5
        self._grown_by = [_convolution(layer).out_channels for layer in self.growing]
        self._room = room

    def forward(self, image: Tensor) -> Tensor:
        widest = image.shape[1] + sum(self._grown_by)
        made = [image]
        for layer in self.growing:
            seen = image if len(made) == 1 else self._room.joined(made, widest)
            made.append(layer(seen))
        seen = self._room.joined(made, widest)
        made.clear()  # it is all in the room, and the last layer needs memory too
        result: Tensor = self.last(seen)
        return result.mul_(0.2).add_(image)


def share_room(model: nn.Module) -> Room:
    """Replace all dense blocks of a model, in place; return the room that they share.

    The room has to be entered whenever the model runs, or it keeps its memory afterwards.
    """
    room = Room()
    for parent in list(model.modules()):
        for name, block in list(parent.named_children()):
            # Those with a shortcut of their own, as ESRGAN+ has, stay as they are.
            if type(block).__name__ == "ResidualDenseBlock_5C" and block.conv1x1 is None:
                setattr(parent, name, DenseBlock(block, room))
    return room


def _convolution(layer: nn.Module) -> Any:
    """The one that makes the channels of a layer, which may have been replaced."""
    return next(module for module in layer.modules() if hasattr(module, "out_channels"))
