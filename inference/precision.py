"""Which arithmetics a network may run in, best first, by device and by what the network supports.

Whether the best one is good enough for a network's pixels is for `selftest` to find out.
"""

import platform
import time
from functools import cache
from pathlib import Path
from typing import Any

import torch

from inference.errors import InvalidOptions
from inference.options import Precision

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_NAMES: dict[torch.dtype, str] = {dtype: name for name, dtype in _DTYPES.items()}

# Flags that decide how fast a network runs on a CPU; every published figure names them.
_TELLING_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16")
_TELLING_FLAGS_ARM = ("asimd", "bf16", "i8mm", "sve", "sve2", "svebf16")

# Of the convolution by which bf16 is compared with fp32: a few milliseconds, all in the cache.
_PROBE_CHANNELS, _PROBE_SIDE, _PROBE_RUNS = 64, 48, 5


def dtypes(requested: Precision, device: torch.device, descriptor: Any) -> tuple[torch.dtype, ...]:
    """The dtypes to try in turn; the last one is right in any case. `descriptor` is spandrel's.

    `auto` gives fp16, bf16, fp32 on CUDA, which is also torch's name for ROCm; bf16, fp32 on a CPU
    that multiplies bf16 faster than fp32; fp16, fp32 on other devices, of which none was at hand
    to try. What the network does not support is left out. A precision that is demanded is the only
    one. Raises `InvalidOptions` when the network does not support it.
    """
    supported = {
        "fp32": True,
        "fp16": descriptor.supports_half,
        "bf16": descriptor.supports_bfloat16,
    }
    if requested != "auto":
        if not supported[requested]:
            raise InvalidOptions(f"This network does not work in {requested}.", "Use auto or fp32.")
        return (_DTYPES[requested],)
    if device.type == "cpu":
        fast = {"bf16": supported["bf16"] and bf16_is_fast()}
    elif device.type == "cuda":
        bf16 = supported["bf16"] and torch.cuda.is_bf16_supported(including_emulation=False)
        fast = {"fp16": supported["fp16"], "bf16": bf16}
    else:
        fast = {"fp16": supported["fp16"]}
    return (*(_DTYPES[name] for name, usable in fast.items() if usable), torch.float32)


@cache
def bf16_is_fast() -> bool:
    """Whether a convolution takes less time in bf16 than in fp32 on this CPU.

    Flags alone don't tell. With `avx512_bf16` an EPYC takes half the time of fp32; a Xeon whose
    host hides its AMX units takes nearly twice: 87 against 160 GFLOP/s a core. Where bf16 is
    emulated, it is slower in any case and nothing is tried.
    """
    if not has_bf16_hardware():
        return False
    threads = torch.get_num_threads()
    # Several threads would also wait for each other, and for whoever else is on the machine.
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            return _seconds(torch.bfloat16) < _seconds(torch.float32)
    finally:
        torch.set_num_threads(threads)


def _seconds(dtype: torch.dtype) -> float:
    """The least processor time of a convolution like those of RRDBNet."""
    side, channels = _PROBE_SIDE, _PROBE_CHANNELS
    layer: Any = torch.nn.Conv2d(channels, channels, 3, padding=1, dtype=dtype)
    layer.to(memory_format=torch.channels_last)
    image = torch.ones(1, channels, side, side, dtype=dtype)
    image = image.contiguous(memory_format=torch.channels_last)
    layer(image)
    spent = []
    for _ in range(_PROBE_RUNS):
        begin = time.thread_time()
        layer(image)
        spent.append(time.thread_time() - begin)
    return min(spent)


def surroundings(device: torch.device) -> str:
    """What the numbers depend on that a network gives on a device, beside its weights."""
    where = [f"torch {torch.__version__}, {device.type}", *cpu_flags()]
    if device.type == "cuda":
        toolkit = torch.version.cuda or torch.version.hip
        cudnn: Any = torch.backends.cudnn
        name = torch.cuda.get_device_name(device)
        where = [
            f"torch {torch.__version__}, {name}, CUDA or ROCm {toolkit}, cuDNN {cudnn.version()}"
        ]
    return " ".join(where)


def name_of(dtype: torch.dtype) -> str:
    return _NAMES[dtype]


def has_bf16_hardware() -> bool:
    """Whether this CPU multiplies bf16. Where it is emulated it is slower than fp32."""
    return not {"avx512_bf16", "amx_bf16", "bf16", "svebf16"}.isdisjoint(cpu_flags())


@cache
def cpu_flags() -> tuple[str, ...]:
    """The processor flags that decide how fast a network runs here, empty where unknown."""
    telling = _TELLING_FLAGS if platform.machine() in ("x86_64", "AMD64") else _TELLING_FLAGS_ARM
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ()
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            present = set(value.split())
            return tuple(flag for flag in telling if flag in present)
    return ()
