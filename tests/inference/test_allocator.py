"""Memory that was freed and kept counts as free."""

import ctypes
import subprocess
import sys

import pytest

from inference.allocator import kept_memory

_SCRIPT = """
import ctypes, torch
from inference import memory
from inference.allocator import keep_freed_memory, kept_memory

keep_freed_memory()
def count():
    return kept_memory(), memory.available(torch.device("cpu")), memory._meminfo_available()
before = count()
large = torch.ones(64_000_000)
del large
after = count()
print(after[0] - before[0], after[1] - after[2] - after[0])
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="this C library does not tell"
)
def test_what_a_process_freed_and_kept_is_available_to_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True
    )

    grown, beyond = map(int, done.stdout.split())
    assert 250_000_000 <= grown <= 260_000_000
    assert beyond <= 0  # a control group may leave less than the kernel has


_GIVING_BACK = """
from pathlib import Path
import torch
from inference.allocator import give_back_freed_memory, keep_freed_memory

keep_freed_memory()
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
layers = [torch.ones(100_000) for _ in range(500)]
kept = layers[::2]
del layers
before = resident()
give_back_freed_memory()
print(before - resident())
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library has no such call"
)
def test_gaps_between_what_is_still_used_go_back_to_the_kernel() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _GIVING_BACK], capture_output=True, text=True, check=True
    )

    assert int(done.stdout) > 80_000_000  # of 100 MB, but for pages that are half in use


_IN_A_THREAD = """
import resource, threading
import torch
from inference.allocator import keep_freed_memory

keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def work():
    for _ in range(10):  # until gaps that are large enough have settled
        torch.ones(30_000_000)
    before = faults()
    for _ in range(10):
        torch.ones(30_000_000)
    print(faults() - before)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="there is nothing to set")
def test_another_thread_than_the_first_keeps_what_it_frees_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_THREAD], capture_output=True, text=True, check=True
    )

    # 120 MB are 29,297 pages, each time, where they are asked for anew.
    assert int(done.stdout) < 29_000


def test_it_is_never_negative() -> None:
    assert kept_memory() >= 0
