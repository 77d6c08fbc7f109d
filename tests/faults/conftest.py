"""Real processes, a place to say figures, and a folder that they are all cleared from."""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.service import Running


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a line that is seen whether or not the test passes."""
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    capture = request.config.pluginmanager.get_plugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.write_line(f"\n{request.node.name}: {line}")

    return say


@pytest.fixture
def seed(say: Callable[[str], None]) -> int:
    """FAULTS_SEED, or a new one; printed."""
    seed = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(1_000_000))
    say(f"FAULTS_SEED={seed}")
    return seed


@pytest.fixture
def own_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    # A service sends this process's temporary files into its data folder.
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", tempfile.gettempdir())


@pytest.fixture
def running(tmp_path: Path, models_path: Path, own_temporary_files: None) -> Iterator[Running]:
    """A data folder with nobody serving it yet."""
    running = Running(tmp_path, models_path)
    try:
        yield running
    finally:
        running.close()
