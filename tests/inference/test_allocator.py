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


def test_it_is_never_negative() -> None:
    assert kept_memory() >= 0
