"""RRDBNet's trunk in few arrays, which stay where they are from its first layer to its last.

Every convolution of a dense block sees the block's input and all that the ones before it made.
torch joins these in new memory each time, of five different sizes a block, and the gaps that they
leave cost as much as the arrays. Here what is seen grows where it lies, and what a block makes is
added to the running picture by its last convolution. Knows layers only.
"""

from typing import Any

import torch
from torch import Tensor, nn

from inference.fused import AddedConv, can_be_added

_SHARE = 0.2
"""Of what a block makes, in its result; the same for three of them together."""

# Pixels that are moved by way of a copy, where they are too few to be moved directly.
_FEW_PIXELS = 64


class Room:
    """Memory for what the convolutions of a dense block see, one block after another."""

    def __init__(self, image: Tensor, channels: int) -> None:
        """For images of this shape, and as many channels at most."""
        count, _, height, width = image.shape
        self._memory = image.new_empty(count * height * width * channels)

    def joined(self, first: Tensor, second: Tensor) -> Tensor:
        """The channels of two images side by side, valid until the next call."""
        place = self._place(first.shape, first.shape[1] + second.shape[1])
        return torch.cat((first, second), dim=1, out=place)

    def grown(self, seen: Tensor, more: Tensor) -> Tensor:
        """What this or `joined` gave last, with more channels beside; valid until the next call.

        Every pixel moves to a higher place. So the last ones go first, as many at once as leave
        their old places altogether.
        """
        old, new = seen.shape[1], seen.shape[1] + more.shape[1]
        place = self._place(seen.shape, new)
        of_old, of_more, of_new = map(_by_pixels, (seen, more, place))
        end = len(of_new)
        while end:
            begin = -(-end * old // new)
            moving = of_old[begin:end]
            if end - begin < _FEW_PIXELS:
                begin = max(0, end - _FEW_PIXELS)
                moving = of_old[begin:end].clone()
            torch.cat((moving, of_more[begin:end]), dim=1, out=of_new[begin:end])
            end = begin
        return place

    def _place(self, shape: torch.Size, channels: int) -> Tensor:
        count, _, height, width = shape
        place = self._memory[: count * height * width * channels]
        # In the order of memory in which oneDNN takes images: all channels of a pixel together.
        return place.view(count, height, width, channels).permute(0, 3, 1, 2)


class DenseBlock(nn.Module):
    """spandrel's `ResidualDenseBlock_5C`, adding to its input in place."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.growing = nn.ModuleList((block.conv1, block.conv2, block.conv3, block.conv4))
        self.last = AddedConv(block.conv5[0], _SHARE)
        self.widest: int = self.last.weight.shape[1]
        """Channels that its last convolution sees."""

    def forward(self, image: Tensor, room: Room) -> Tensor:
        first, *others = self.growing
        seen = room.joined(image, first(image))
        for layer in others:
            seen = room.grown(seen, layer(seen))
        added: Tensor = self.last(seen, image)
        return added


class Trunk(nn.Module):
    """spandrel's `ShortcutBlock` of RRDBs and a convolution."""

    def __init__(self, shortcut: Any) -> None:
        super().__init__()
        *rrdbs, self.last = shortcut.sub
        self._threes = [
            [DenseBlock(block) for block in (rrdb.RDB1, rrdb.RDB2, rrdb.RDB3)] for rrdb in rrdbs
        ]
        self.blocks = nn.ModuleList(block for three in self._threes for block in three)
        self._widest = max(block.widest for three in self._threes for block in three)

    def forward(self, image: Tensor) -> Tensor:
        room = Room(image, self._widest)
        running, made = image.clone(), torch.empty_like(image)
        for three in self._threes:
            made.copy_(running)
            for block in three:
                block(made, room)
            running.add_(made, alpha=_SHARE)
        del room, made  # the last layer needs memory too
        result: Tensor = self.last(running)
        return result.add_(image)


def settle(model: nn.Module) -> None:
    """Replace the trunks of a model, in place; it must be in fp32 on the CPU.

    Its weights may be converted afterwards.
    """
    for parent in list(model.modules()):
        for name, block in list(parent.named_children()):
            if _is_trunk(block):
                setattr(parent, name, Trunk(block))


def _is_trunk(block: Any) -> bool:
    if type(block).__name__ != "ShortcutBlock" or type(block.sub) is not nn.Sequential:
        return False
    *rrdbs, last = block.sub
    return bool(rrdbs) and type(last) is nn.Conv2d and all(map(_is_rrdb, rrdbs))


def _is_rrdb(block: Any) -> bool:
    """Of the usual kind: one whose dense blocks have shortcuts within, as ESRGAN+ has, is none."""
    return type(block).__name__ == "RRDB" and all(
        type(part).__name__ == "ResidualDenseBlock_5C"
        and part.conv1x1 is None
        and len(part.conv5) == 1
        and can_be_added(part.conv5[0])
        for part in block.children()
    )


def _by_pixels(image: Tensor) -> Tensor:
    """Of shape (pixels, channels); looks into the image where its pixels lie one by one."""
    return image.permute(0, 2, 3, 1).reshape(-1, image.shape[1])
