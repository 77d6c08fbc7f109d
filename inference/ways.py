"""How a network's layers are run: in which arithmetic, and by which kernels.

Knows spandrel's descriptors; not which way is right (`selftest`) or fast (`precision`).
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from inference import fused, precision
from inference.dense import settle

Kernels = Literal["onednn-fused", "plain"]


@dataclass(frozen=True)
class Way:
    """An arithmetic, and who does it."""

    dtype: torch.dtype
    kernels: Kernels = "plain"
    """`plain` are torch's own layers; the others replace some of them."""

    def __str__(self) -> str:
        return f"{precision.name_of(self.dtype)} {self.kernels}"


def ways(descriptor: Any, device: torch.device, dtype: torch.dtype) -> tuple[Way, ...]:
    """The ways to run a network in one dtype, fastest first. The last one is plain."""
    plain = Way(dtype)
    # Only where it was measured to gain, and where sequences are known to run in their order.
    is_rrdbnet = descriptor.architecture.id == "ESRGAN"
    if is_rrdbnet and fused.available(descriptor.model, device, dtype):
        return Way(dtype, "onednn-fused"), plain
    return (plain,)


def prepare(descriptor: Any, device: torch.device, way: Way) -> None:
    """Make a network ready to run that way, in place. The descriptor comes from `describe`."""
    descriptor.model.eval().requires_grad_(False)
    if way.kernels == "onednn-fused":
        settle(descriptor.model)
    descriptor.to(device, way.dtype)
    for weight in descriptor.model.parameters():
        if weight.dim() == 4:  # others refuse that order
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    if way.kernels == "onednn-fused":
        fused.fuse(descriptor.model)


def run(descriptor: Any, image: Tensor) -> Tensor:
    """What a network makes of an image of a size that it accepts, as it comes.

    Not the descriptor's own call, which ends by clamping: an infinity would pass for white.
    """
    result: Tensor = descriptor._call_fn(descriptor.model, image)
    return result


def arithmetic(device: torch.device, tuned: bool = False) -> AbstractContextManager[None]:
    """While this lasts, cuDNN computes fp32 in full, and looks for its fastest kernels if `tuned`.

    Left alone, it shortens fp32 to TF32, which has no more digits than fp16.
    """
    if device.type != "cuda":
        return nullcontext()
    flags: Any = torch.backends.cudnn.flags
    lasting: AbstractContextManager[None] = flags(enabled=True, benchmark=tuned, allow_tf32=False)
    return lasting
