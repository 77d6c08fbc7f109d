"""Convolutions that do what comes after them too, with weights laid out once: oneDNN, on a CPU.

torch's own convolution lays its weights out anew at every call, and the activation or the sum after
it goes through the result a second time. What is replaced here computes the same sums; only in bf16
it is closer to the truth, since what comes after sees them before they are rounded. Whether a
processor really gives the same pixels is for `selftest` to say. Knows layers only.

Measured and left out: nothing gains from laying out a convolution without an activation beside it,
nor from a PReLU of one slope per channel, which torch's oneDNN operators do not have.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

# Only a hint: oneDNN chooses the layout mostly by channels, and lays out anew at the call where a
# picture of another size wants another one.
_TYPICAL_SIDE = 256

_lay_out: Any = getattr(torch._C._nn, "mkldnn_reorder_conv2d_weight", None)

_Activation = nn.LeakyReLU | nn.ReLU


def available(model: nn.Module, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether this torch has the operators, for this device and dtype, and the model needs them."""
    return (
        device.type == "cpu"
        and dtype in (torch.float32, torch.bfloat16)
        and torch._C._has_mkldnn
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise_")
        and _lay_out is not None
        and any(True for _ in _pairs(model))
    )


class FusedConv(nn.Module):
    """A convolution and the ReLU or LeakyReLU after it."""

    weight: Tensor
    """In oneDNN's own layout, with the shape of the convolution's."""

    def __init__(self, convolution: nn.Conv2d, activation: _Activation) -> None:
        super().__init__()
        self.out_channels = convolution.out_channels
        self.kernel_size = convolution.kernel_size
        self.padding = convolution.padding
        self._geometry = _geometry(convolution)
        leaky = isinstance(activation, nn.LeakyReLU)
        self._activation = ("leaky_relu", [activation.negative_slope]) if leaky else ("relu", [])
        packed = _laid_out(convolution.weight, self._geometry)
        self.register_buffer("weight", packed, persistent=False)
        bias = convolution.bias
        self.register_buffer("bias", None if bias is None else bias.detach(), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            image, self.weight, self.bias, *self._geometry, *self._activation, ""
        )
        return result


class AddedConv(nn.Module):
    """A convolution of which a share is added to another image, in that image's memory."""

    weight: Tensor
    """The convolution's times the share. In oneDNN's own layout once `lay_out` was called."""

    def __init__(self, convolution: nn.Conv2d, share: float) -> None:
        """`convolution` is in fp32: in another dtype its weights would be rounded twice."""
        super().__init__()
        self._geometry = _geometry(convolution)
        weight, bias = convolution.weight.detach(), convolution.bias
        self.register_buffer("weight", weight * share, persistent=False)
        shared = None if bias is None else bias.detach() * share
        self.register_buffer("bias", shared, persistent=False)

    def lay_out(self) -> None:
        """Lay the weights out as oneDNN wants them; they can't be converted any more."""
        self.weight = _laid_out(self.weight, self._geometry)

    def forward(self, image: Tensor, onto: Tensor) -> Tensor:
        """Add to `onto`, and return it."""
        added: Tensor = torch.ops.mkldnn._convolution_pointwise_(
            onto, image, self.weight, self.bias, *self._geometry, "add", 1.0, None, [], None
        )
        return added


def can_be_added(layer: nn.Module) -> bool:
    """Whether an `AddedConv` can be made of a layer."""
    # By exact type: what is derived from it may do more.
    return type(layer) is nn.Conv2d and _pads_with_zeros(layer)


def fuse(model: nn.Module) -> None:
    """Replace every convolution that an activation follows in a sequence; lay out all `AddedConv`s.

    In place, for a model that is on the CPU in the dtype in which it will run. The activation's
    place is taken by an identity, so that sequences keep their numbering.
    """
    for module in model.modules():
        if isinstance(module, AddedConv):
            module.lay_out()
    for sequence, place, convolution, activation in list(_pairs(model)):
        sequence[place] = FusedConv(convolution, activation)
        sequence[place + 1] = nn.Identity()


def _pairs(model: nn.Module) -> Iterator[tuple[nn.Sequential, int, nn.Conv2d, _Activation]]:
    # By exact type: what is derived from these may do more, or be looked into by its network.
    for sequence in model.modules():
        if type(sequence) is not nn.Sequential:
            continue
        for place, (first, second) in enumerate(pairwise(sequence)):
            if (
                type(first) is nn.Conv2d
                and _pads_with_zeros(first)
                and isinstance(second, _Activation)
            ):
                yield sequence, place, first, second


def _pads_with_zeros(convolution: nn.Conv2d) -> bool:
    return convolution.padding_mode == "zeros" and not isinstance(convolution.padding, str)


def _geometry(convolution: nn.Conv2d) -> tuple[list[int], list[int], list[int], int]:
    """Padding, stride, dilation and groups, as the operators take them."""
    return (
        [int(side) for side in convolution.padding],
        list(convolution.stride),
        list(convolution.dilation),
        convolution.groups,
    )


def _laid_out(weight: Tensor, geometry: tuple[list[int], list[int], list[int], int]) -> Tensor:
    sample = [1, weight.shape[1] * geometry[-1], _TYPICAL_SIDE, _TYPICAL_SIDE]
    packed: Tensor = _lay_out(weight.detach().contiguous().to_mkldnn(), *geometry, sample)
    return packed
