"""Which arithmetic a network runs in, by device and by what the network supports."""

import platform
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


def choose(requested: Precision, device: torch.device, descriptor: Any) -> torch.dtype:
    """The dtype to run in. `descriptor` is spandrel's.

    `auto` gives fp16 on CUDA, bf16 on a CPU that multiplies it in hardware, else fp32, and never
    what the network does not support. Raises `InvalidOptions` when a precision is demanded that
    the network does not support.
    """
    supported = {
        "fp32": True,
        "fp16": descriptor.supports_half,
        "bf16": descriptor.supports_bfloat16,
    }
    if requested != "auto":
        if not supported[requested]:
            raise InvalidOptions(f"This network does not work in {requested}.", "Use auto or fp32.")
        return _DTYPES[requested]
    if device.type == "cuda":
        if supported["fp16"]:
            return torch.float16
        if supported["bf16"] and torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.bfloat16
    if device.type == "cpu" and supported["bf16"] and has_bf16_hardware():
        return torch.bfloat16
    return torch.float32


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
