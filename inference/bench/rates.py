"""How fast a device multiplies, and how a call is timed on it. Knows nothing of networks."""

import statistics
import time
from collections.abc import Callable

import torch

from inference.bench.setup import Result
from inference.threads import keep_to_own_cores

# The engine looks for the best algorithm when a shape comes the third time.
_WARM_UP = 4


def seconds(run: Callable[[], object], device: torch.device, runs: int) -> float:
    """The median of several calls, each to its end on the device, after some that warm it up."""
    spent = []
    for _ in range(_WARM_UP + runs):
        _finish(device)
        begin = time.perf_counter()
        run()
        _finish(device)
        spent.append(time.perf_counter() - begin)
    return statistics.median(spent[_WARM_UP:])


def matmul_tflops(device: torch.device, dtype: torch.dtype, side: int, runs: int) -> float:
    """What the product of two random matrices of `side` × `side` reaches, in TFLOP/s."""
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    with torch.inference_mode():
        return 2 * side**3 / seconds(lambda: left @ right, device, runs) / 1e12


def cpu_rates(side: int) -> Result:
    """TFLOP/s of a matrix product on the CPU, as `fp32` and `bf16`.

    Flags promise bf16 where a virtual machine then computes it no faster than fp32.
    """
    keep_to_own_cores()
    device = torch.device("cpu")
    return {
        "fp32": matmul_tflops(device, torch.float32, side, 9),
        "bf16": matmul_tflops(device, torch.bfloat16, side, 9),
    }


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
