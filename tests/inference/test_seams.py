"""No seam: cut pictures against whole ones, at every size at which a cut falls differently.

Compact is cheap, so the sizes are tried on it exhaustively; the two RRDBNets follow where their
halo is larger than the pieces. The whole picture through the same `Network` is the reference:
`test_engine` and `test_architectures` compare that with spandrel's own call.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from inference.canvas import Canvas
from inference.halo import demanding
from inference.loader import describe, load
from inference.network import Network
from inference.ways import ways
from inference.weights import ModelStore

Pixels = NDArray[np.uint8]

PHOTO = Path(__file__).parent.parent / "data" / "photos" / "rocket.jpg"
FAST, DEEP = "realesr-animevideov3", "realesrgan-x4plus"
TILE = 32
EDGES = (1, TILE - 1, TILE, TILE + 1, 2 * TILE - 1, 2 * TILE + 1)


@cache
def network(models_path: Path, name: str, dtype: torch.dtype = torch.float32) -> Network:
    weights = ModelStore(models_path).load(name).state_dict
    cpu = torch.device("cpu")
    # As the engine runs it: where this processor has them, with fused layers.
    return load(weights, cpu, lambda descriptor: ways(descriptor, cpu, dtype)[0])


@cache
def photo(width: int, height: int) -> Pixels:
    with Image.open(PHOTO) as image:
        pixels = np.asarray(image.convert("RGB"))[230 : 230 + height, 180 : 180 + width]
    assert pixels.shape == (height, width, 3)  # where fine detail is, and no more than there is
    return pixels


def hard(width: int, height: int) -> Pixels:
    sample = demanding(height, width, 3)[0].permute(1, 2, 0).numpy()
    return np.rint(sample * 255).astype(np.uint8)


def cut(network: Network, pixels: Pixels, tile: int) -> Pixels:
    return np.concatenate(list(Canvas(network, pixels, tile).rows()))


def steps(a: Pixels, b: Pixels) -> int:
    return int(np.abs(a.astype(int) - b).max())


@pytest.mark.parametrize("width", EDGES)
def test_compact_shows_no_cut_at_any_size_around_a_tile(models_path: Path, width: int) -> None:
    net = network(models_path, FAST)

    for height in EDGES:
        pixels = hard(width, height)
        assert steps(cut(net, pixels, TILE), net(pixels)) <= 1, (width, height)


@pytest.mark.parametrize("size", [(5000, 1), (1, 5000)], ids=str)
def test_compact_shows_no_cut_in_pictures_of_extreme_shape(
    models_path: Path, size: tuple[int, int]
) -> None:
    net = network(models_path, FAST)
    pixels = hard(*size)

    assert steps(cut(net, pixels, 500), net(pixels)) <= 1


def test_compact_shows_no_cut_in_a_photo(models_path: Path) -> None:
    net = network(models_path, FAST)
    pixels = photo(240, 180)
    whole = net(pixels)

    for tile in (90, 179):
        assert steps(cut(net, pixels, tile), whole) <= 1


@pytest.mark.parametrize(
    ("name", "size", "tile"),
    [
        (DEEP, (192, 8), 96),
        (DEEP, (8, 192), 96),
        (DEEP, (TILE + 1, 1), TILE),
        ("realesrgan-x4plus-anime-6b", (130, 8), 65),
        ("realesrgan-x4plus-anime-6b", (8, 130), 65),
        ("realesrgan-x4plus-anime-6b", (1, 300), 60),
    ],
    ids=str,
)
def test_rrdbnet_shows_no_cut_where_windows_see_less_than_the_picture(
    models_path: Path, name: str, size: tuple[int, int], tile: int
) -> None:
    net = network(models_path, name)
    pixels = photo(*size) if min(size) > 1 else hard(*size)

    assert steps(cut(net, pixels, tile), net(pixels)) <= 1


def test_the_deep_rrdbnet_shows_no_cut_in_a_photo(models_path: Path) -> None:
    net = network(models_path, DEEP)
    pixels = photo(240, 180)

    # One cut from top to bottom, which either window sees 80 pixels beyond.
    assert steps(cut(net, pixels, 180), net(pixels)) <= 1


@pytest.mark.parametrize("name", [FAST, "realesrgan-x4plus-anime-6b", DEEP])
def test_in_bf16_the_error_at_a_cut_is_as_elsewhere(models_path: Path, name: str) -> None:
    """The largest of many values is a matter of luck, and the fewer there are the smaller it is:
    the columns at the cuts must not be worse than the worst of all others by more than a tenth."""
    full, half = network(models_path, name), network(models_path, name, torch.bfloat16)
    # Wide enough that no window sees all of it.
    sizes = {FAST: (160, 72, 20), DEEP: (320, 64, 80)}
    width, height, tile = sizes.get(name, (96, 24, 24))
    pixels = photo(width, height)
    reference = full(pixels).astype(int)
    whole = np.abs(half(pixels) - reference)
    error = np.abs(cut(half, pixels, tile) - reference)

    s = full.scale
    columns = error.reshape(len(error), -1, s, 3).transpose(1, 0, 2, 3).reshape(width, -1)
    at_cut = np.zeros(width, bool)
    at_cut[[c + d for c in range(tile, width, tile) for d in (-1, 0)]] = True
    worst = columns[~at_cut].max()
    assert columns[at_cut].max() <= max(1.1 * worst, worst + 1)  # of whole steps, one is no more
    rare = np.percentile(columns, 99.9, axis=1)
    assert np.median(rare[at_cut]) <= 1.1 * rare[~at_cut].max()
    assert _psnr(error) >= _psnr(whole) - 0.1


def test_dat_gives_what_spandrel_gives_and_the_photo_again(models_path: Path) -> None:
    weights = ModelStore(models_path).load("dat-light-x2").state_dict
    pixels = photo(41, 33)

    result = network(models_path, "dat-light-x2")(pixels)

    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    expected = describe(weights)(image)[0].permute(1, 2, 0).numpy() * 255
    assert steps(result, np.rint(expected)) <= 1
    back = np.asarray(Image.fromarray(result).resize((41, 33), Image.Resampling.BOX))
    assert _psnr(back.astype(int) - pixels) > 30


def _psnr(error: NDArray[np.int_]) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, float(np.mean(error.astype(float) ** 2)))))
