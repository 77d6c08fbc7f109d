"""The C library's memory allocator, told what this program does. Linux with glibc only."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h


def keep_freed_memory() -> bool:
    """Let the process keep what it frees, for its next large array; true where that worked.

    Every layer of a network frees arrays of megabytes and asks for the like at once. By default
    glibc hands each of them back to the kernel, which fills them with zeros again: a quarter of
    the time of RRDBNet on a CPU. The price is about 200 MB more at the peak. Call it once, at the
    start of a process that runs networks. The same through `GLIBC_TUNABLES` would need the
    process to start itself anew, and measured no better.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))
