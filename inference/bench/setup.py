"""What a run of the benchmarks is asked to measure. Knows nothing of how."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

Result = dict[str, Any]
"""What a part measured: plain values, as they go into the JSON file."""

PHOTOS = Path(__file__).parents[2] / "tests" / "data" / "photos"
PHOTO = PHOTOS / "rocket.jpg"

X4PLUS = "realesrgan-x4plus"
ANIME = "realesrgan-x4plus-anime-6b"
COMPACT = "realesr-animevideov3"
NETWORKS = (COMPACT, ANIME, X4PLUS)


@dataclass(frozen=True)
class Setup:
    """One run of the benchmarks."""

    models: Path
    """Folder with the installed networks."""
    folder: Path
    """Empty, for files that nobody needs afterwards."""
    photo: Path = PHOTO
    networks: tuple[str, ...] = NETWORKS
    ways: tuple[str, ...] | None = None
    """Names of `ways.WAYS`; `None` for all that can run here."""
    runs: int = 3
    """How often everything is measured. Medians are told."""
    device: str = "cpu"
    """Where the part `gpu` runs; all others run on the CPU."""
    tiny: bool = False
    """Sizes that only prove that a part works. Its figures mean nothing."""
