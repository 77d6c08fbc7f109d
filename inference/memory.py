"""How much memory there is, and how much was used. Knows the operating system, no networks."""

import gc
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from inference.allocator import kept_memory


def available(device: torch.device) -> int:
    """Bytes that can still be allocated on the device.

    For the CPU: what the kernel calls available, or what is left of the control group's limit
    (containers), whichever is less; and what this process keeps of the memory that it freed.
    """
    if device.type == "cuda":
        free, _total = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + cached
    candidates = [_meminfo_available(), _cgroup_left(), _address_space_left()]
    return (
        min((value for value in candidates if value is not None), default=4 << 30) + kept_memory()
    )


def _meminfo_available() -> int | None:
    if (kilobytes := _field("/proc/meminfo", "MemAvailable:")) is not None:
        return kilobytes * 1024
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return None


def _field(path: str, name: str) -> int | None:
    with suppress(OSError):
        for line in Path(path).read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return None


def _cgroup_left() -> int | None:
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            root = Path("/sys/fs/cgroup")
            return int((root / limit).read_text()) - int((root / used).read_text())
        except (OSError, ValueError):  # no such hierarchy, or "max"
            continue
    return None


def _address_space_left() -> int | None:
    limit, _hard = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return None
    return max(0, limit - pages * resource.getpagesize())


class PeakMemory:
    """Peak memory from its creation on: the process's resident memory, or the GPU's allocations."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            return
        with suppress(OSError):
            # Linux: "5" resets the high-water mark of resident memory (proc(5), clear_refs).
            Path("/proc/self/clear_refs").write_text("5")

    @property
    def bytes(self) -> int:
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        if (kilobytes := _field("/proc/self/status", "VmHWM:")) is not None:
            return kilobytes * 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


_weakly: Any = StorageWeakRef


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most bytes that results of torch's operations took at one time, on any device.

    Counts every storage from the operation that made it until nothing refers to it any more;
    what was there before is not counted, nor what a kernel takes and gives back within itself.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # What would keep the compiler out of this imports it first, for more than a second.
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._live: dict[int, tuple[Any, int]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        # What oneDNN has laid out for itself has no storage, and is not made while a network runs.
        known = {x.untyped_storage()._cdata for x in given if x.layout == torch.strided}
        result = func(*args, **(kwargs or {}))
        self._live = {key: kept for key, kept in self._live.items() if not kept[0].expired()}
        for made in tree_leaves(result):
            if isinstance(made, torch.Tensor) and made.layout == torch.strided:
                storage = made.untyped_storage()
                # A view's storage is that of what it looks into.
                if storage._cdata not in known:
                    self._live[storage._cdata] = _weakly(storage), storage.nbytes()
        self.peak = max(self.peak, sum(size for _, size in self._live.values()))
        return result


def let_go() -> None:
    """Have what nobody refers to any more given back, after memory ran out."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out, on whatever device.

    On the CPU torch raises a plain RuntimeError, so its allocator's own name is looked for; looser
    words would take other faults for a lack of memory and retry them for ever.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and (
        "DefaultCPUAllocator: can't allocate memory" in str(error)
        or "DefaultCPUAllocator: not enough memory" in str(error)
        or "MPS backend out of memory" in str(error)
    )
