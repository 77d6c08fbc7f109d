"""What every room's tests may use."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MODELS = Path(__file__).parent.parent / ".cache" / "models"
_NEEDED = ("realesrgan-x4plus", "realesrgan-x4plus-anime-6b", "realesr-animevideov3")
_NEEDED += ("dat-light-x2",)


@pytest.fixture(autouse=True)
def _own_temporary_files() -> Iterator[None]:
    """A service sends its process's temporary files into its data folder: not beyond the test."""
    before = tempfile.tempdir, os.environ.get("TMPDIR")
    yield
    tempfile.tempdir = before[0]
    if before[1] is None:
        os.environ.pop("TMPDIR", None)
    else:
        os.environ["TMPDIR"] = before[1]


@pytest.fixture(scope="session")
def models_path() -> Path:
    """A folder with real networks, not to be changed."""
    missing = [name for name in _NEEDED if not (_MODELS / f"{name}.safetensors").exists()]
    if missing:
        pytest.fail(f"{', '.join(missing)} missing in {_MODELS}: run `make weights` first.")
    return _MODELS
