"""Peak memory of the real command: it follows the budget and the input, not the output."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from inference.weights import ModelStore
from tests.inference.networks import compact, random_weights

ROOT = Path(__file__).parent.parent.parent
WIDTH = 1500
BUDGET = 100_000_000
# The rows of a tile of at most 400 pixels: what a budget of 100 MB gives this network.
BAND = 4 * 400 * 4 * WIDTH * 3
# What glibc does not find again among what it was told to keep, which depends on how the threads
# meet, and the encoder's own.
SLACK = 90_000_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts in kilobytes of Linux")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small random network, so that pixels are what takes memory and time."""
    folder = tmp_path_factory.mktemp("models")
    save_file(random_weights(compact()), folder / "small.pth.safetensors")
    ModelStore(folder / "installed").add(folder / "small.pth.safetensors", "small")
    return folder / "installed"


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    status: int
    peak: int
    """Bytes that were resident at most."""
    said: str


# A process counts as its own peak what the process that started it had at that moment, and tests
# have much: a small one stands in between.
BETWEEN = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
print(done.stderr)
"""


def upscale(models: Path, source: Path, target: Path, budget: int = BUDGET) -> Ended:
    command = [sys.executable, "-m", "app", "upscale", str(source), str(target)]
    command += ["--models", str(models), "--model", "small", "--memory", str(budget / 1e9)]
    done = subprocess.run(
        [sys.executable, "-c", BETWEEN, *command],
        cwd=ROOT,
        # One thread: how many of them allocate at once is no property of the engine.
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    numbers, said = done.stdout.split("\n", 1)
    status, peak = map(int, numbers.split())
    return Ended(status, peak, said)


def picture(path: Path, height: int) -> Path:
    """Hills and valleys with some grain, which no codec makes nothing of."""
    down, across = np.mgrid[:height, :WIDTH].astype(np.float32) / 40
    grain = np.random.default_rng(1).integers(0, 12, (height, WIDTH, 3))
    hills = 120 + 50 * np.sin(down)[..., None] + 50 * np.cos(across)[..., None] + grain
    Image.fromarray(hills.astype(np.uint8)).save(path, compress_level=1)
    return path


@pytest.fixture(scope="module")
def bare(models: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """The peak of a command that has next to nothing to do: interpreter, libraries, weights."""
    folder = tmp_path_factory.mktemp("bare")
    ended = upscale(models, picture(folder / "in.png", 8), folder / "out.png")
    assert ended.status == 0, ended.said
    return ended.peak


def test_peak_memory_follows_the_budget_and_the_input_and_not_the_output(
    models: Path, bare: int, tmp_path: Path
) -> None:
    peaks = {}
    for height in (1000, 3500):
        source = picture(tmp_path / f"{height}.png", height)
        target = tmp_path / f"{height}_out.png"
        ended = upscale(models, source, target)
        assert ended.status == 0, ended.said
        with Image.open(target) as image:
            assert image.size == (4 * WIDTH, 4 * height)
        peaks[height] = ended.peak

    # As it is decoded, a picture is there twice: with Pillow in four bytes, in an array in three.
    decoded = {height: 7 * WIDTH * height for height in peaks}
    # The taller one's result has 180 MB more of pixels.
    assert peaks[3500] - peaks[1000] < decoded[3500] - decoded[1000] + SLACK
    # Beside the network, two bands of rows are alive: one being made, one being encoded.
    assert peaks[3500] < bare + BUDGET + 2 * BAND + decoded[3500] + SLACK


def test_what_needs_the_whole_picture_is_refused_when_the_budget_does_not_hold_it(
    models: Path, tmp_path: Path
) -> None:
    source = picture(tmp_path / "in.png", 1000)

    ended = upscale(models, source, tmp_path / "out.jpg", 90_000_000)

    assert ended.status == 2
    assert "which can take 104 MB of memory for 6000 × 4000 pixels; 90 MB may be used" in ended.said
    assert "Choose PNG" in ended.said
    assert not (tmp_path / "out.jpg").exists()
