"""How many threads a network may use: as many as the process has cores. Knows the system only."""

import os
from contextlib import suppress
from pathlib import Path


def keep_to_own_cores() -> int:
    """Let torch use the cores that this process was given, no more; return how many threads.

    torch counts the cores that the process may be scheduled on, but not what a container's quota
    leaves of them: threads beyond it are stopped in the middle of a layer, and all others wait. A
    smaller number that somebody set (`OMP_NUM_THREADS`) stays. Call it once, at the start of a
    process that runs networks.
    """
    import torch

    threads = min(torch.get_num_threads(), cores())
    torch.set_num_threads(threads)
    return threads


def cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores that this process may use, at least 1: by its affinity and its control group's quota.

    A quota between two numbers of cores counts as the smaller one.
    """
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, available if quota is None else min(available, int(quota)))


def _quota(cgroup: Path) -> float | None:
    """Cores' worth of time, `None` where there is no limit. Inside a container the root is it."""
    with suppress(OSError, ValueError):  # no such hierarchy, or "max"
        microseconds, period = (cgroup / "cpu.max").read_text().split()
        return int(microseconds) / int(period)
    with suppress(OSError, ValueError, ZeroDivisionError):
        microseconds = (cgroup / "cpu/cpu.cfs_quota_us").read_text()
        period = (cgroup / "cpu/cpu.cfs_period_us").read_text()
        return int(microseconds) / int(period) if int(microseconds) > 0 else None
    return None
