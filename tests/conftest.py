"""What every room's tests may use."""

from pathlib import Path

import pytest

_MODELS = Path(__file__).parent.parent / ".cache" / "models"
_NEEDED = ("realesrgan-x4plus", "realesrgan-x4plus-anime-6b", "realesr-animevideov3")


@pytest.fixture(scope="session")
def models_path() -> Path:
    """A folder with real networks, not to be changed."""
    missing = [name for name in _NEEDED if not (_MODELS / f"{name}.safetensors").exists()]
    if missing:
        pytest.fail(f"{', '.join(missing)} missing in {_MODELS}: run `make weights` first.")
    return _MODELS
