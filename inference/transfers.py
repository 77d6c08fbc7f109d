"""Numbers on their way to a device and back, so that the device need not wait for them.

On CUDA, which is also torch's name for ROCm, both ways go through pinned memory, and what comes
back is copied on a stream of its own while the device works on. The CUDA half was written without
a device at hand and has not run. On other devices these are plain copies.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def upload(numbers: NDArray[Any], device: torch.device) -> Tensor:
    """The same numbers on the device. On a CPU the tensor looks into the array."""
    tensor = torch.from_numpy(numbers)
    if device.type != "cuda":
        return tensor.to(device)
    # Pinned memory goes back to torch's cache only once the copy is done.
    return tensor.pin_memory().to(device, non_blocking=True)


class Download:
    """Tensors of one device on their way back, from the moment this is made."""

    def __init__(self, *tensors: Tensor) -> None:
        self._copied: torch.cuda.Event | None = None
        device = tensors[0].device
        if device.type != "cuda":
            self._here = [tensor.cpu() for tensor in tensors]
            return
        back = _way_back(device)
        back.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(back):
            self._here = [
                torch.empty_like(tensor, device="cpu", pin_memory=True).copy_(
                    tensor, non_blocking=True
                )
                for tensor in tensors
            ]
            self._copied = back.record_event()
        for tensor in tensors:
            # Its memory must not be given to the next layer before the copy is done.
            tensor.record_stream(back)

    def wait(self) -> list[NDArray[Any]]:
        """The numbers, as soon as they are here."""
        if self._copied is not None:
            self._copied.synchronize()
        return [np.asarray(tensor.numpy()) for tensor in self._here]


@cache
def _way_back(device: torch.device) -> Any:
    stream: Any = torch.cuda.Stream
    return stream(device)
