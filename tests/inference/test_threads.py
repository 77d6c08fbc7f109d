"""How many cores a process has, by its affinity and its container's quota."""

import os
from pathlib import Path

import pytest
import torch

from inference import threads
from inference.threads import cores, keep_to_own_cores


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)), raising=False)


def cgroup(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        place = folder / name.replace("__", "/").replace("cpu_max", "cpu.max")
        place = place.with_name(place.name.replace("cpu_cfs", "cpu.cfs"))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content + "\n")
    return folder


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"cpu_max": "max 100000"}, 8),
        ({"cpu_max": "400000 100000"}, 4),
        ({"cpu_max": "250000 100000"}, 2),
        ({"cpu_max": "50000 100000"}, 1),
        ({"cpu_max": "1600000 100000"}, 8),
        ({"cpu_max": "nonsense"}, 8),
        ({"cpu__cpu_cfs_quota_us": "-1", "cpu__cpu_cfs_period_us": "100000"}, 8),
        ({"cpu__cpu_cfs_quota_us": "300000", "cpu__cpu_cfs_period_us": "100000"}, 3),
    ],
    ids=str,
)
def test_a_quota_counts_whole_cores(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    assert cores(cgroup(tmp_path, **files)) == expected


def test_affinity_counts_before_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {3}, raising=False)

    assert cores(Path("/nowhere")) == 1


def test_a_system_without_affinity_counts_its_processors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)

    assert cores(tmp_path) == 5


def test_torch_gets_no_more_threads_than_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        monkeypatch.setattr(threads, "cores", lambda: 3)
        assert (keep_to_own_cores(), torch.get_num_threads()) == (3, 3)
        monkeypatch.setattr(threads, "cores", lambda: 8)
        assert (keep_to_own_cores(), torch.get_num_threads()) == (3, 3)
    finally:
        torch.set_num_threads(before)
