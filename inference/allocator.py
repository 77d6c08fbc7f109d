"""The C library's memory allocator, told what this program does. Linux with glibc only."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # malloc.h


def keep_freed_memory() -> bool:
    """Let the process keep what it frees, for its next large array; true where that worked.

    Every layer of a network frees arrays of megabytes and asks for the like at once. By default
    glibc hands each of them back to the kernel, which fills them with zeros again: a quarter of
    the time of RRDBNet on a CPU. The price is about 200 MB more at the peak. Call it once, at the
    start of a process that runs networks. The same through `GLIBC_TUNABLES` would need the
    process to start itself anew, and measured no better.

    All threads share one heap: those of other threads than the first keep nothing of this size,
    and a large picture in one of them took half as long again.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_ARENA_MAX, 1))
    return all(mallopt(parameter, value) for parameter, value in wanted)


def give_back_freed_memory() -> None:
    """Hand all pages that are freed and kept back to the kernel; glibc only.

    For after work that leaves many small gaps, which no large array fits into.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


_MALLINFO2 = ["arena", "ordblks", "smblks", "hblks", "hblkhd"]
_MALLINFO2 += ["usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"]


class _Mallinfo2(ctypes.Structure):
    """What glibc tells of its memory since 2.33 (mallinfo(3))."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in _MALLINFO2)


def kept_memory() -> int:
    """Bytes that the process has freed and kept, and will use again before it asks for more.

    0 where the C library does not tell.
    """
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo is None:
        return 0
    mallinfo.restype = _Mallinfo2
    return int(mallinfo().fordblks)
