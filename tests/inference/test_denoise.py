"""Denoising between two models, through real files."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from inference.engine import Engine
from inference.errors import InvalidOptions, InvalidWeights, ModelUnavailable
from inference.loader import load
from inference.options import Options
from inference.report import Report
from inference.ways import Way
from inference.weight_files import weights_sha256
from inference.weights import ModelStore
from tests.inference.networks import compact, random_weights

STRONG, WEAK = "realesr-general-x4v3", "realesr-general-wdn-x4v3"


def install(folder: Path, name: str, seed: int, convolutions: int = 32) -> dict[str, torch.Tensor]:
    weights = random_weights(compact(convolutions), seed)
    file = folder / f"{name}.safetensors"
    save_file(weights, file)
    ModelStore(folder / "models").add(file, name)
    return weights


def upscale(folder: Path, denoise: float | None) -> tuple[NDArray[np.uint8], Report]:
    pixels = np.random.default_rng(1).integers(0, 256, (9, 11, 3), np.uint8)
    source, sink = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels).save(source, "PNG")
    options = Options(model=STRONG, precision="fp32", denoise=denoise)
    report = Engine(ModelStore(folder / "models"), "cpu").upscale(source, sink, options)
    return np.asarray(Image.open(sink)), report


@pytest.mark.parametrize("denoise", [0.0, 0.3, 1.0])
def test_the_strength_mixes_the_weights_of_two_models(tmp_path: Path, denoise: float) -> None:
    a, b = install(tmp_path, STRONG, seed=1), install(tmp_path, WEAK, seed=2)
    mixed = {key: denoise * a[key] + (1 - denoise) * b[key] for key in a}
    pixels = np.random.default_rng(1).integers(0, 256, (9, 11, 3), np.uint8)
    expected = load(mixed, torch.device("cpu"), lambda _: Way(torch.float32))(pixels)

    result, report = upscale(tmp_path, denoise)

    assert np.array_equal(result, expected)
    assert (report.model, report.denoise) == (STRONG, denoise)
    assert report.weights_sha256 == weights_sha256(mixed)


def test_without_a_strength_the_model_is_as_it_is_and_needs_no_other(tmp_path: Path) -> None:
    weights = install(tmp_path, STRONG, seed=1)

    _, report = upscale(tmp_path, None)

    assert report.denoise is None
    assert report.weights_sha256 == weights_sha256(weights)


def test_a_missing_partner_is_named(tmp_path: Path) -> None:
    install(tmp_path, STRONG, seed=1)

    with pytest.raises(ModelUnavailable, match=f"pull {WEAK}"):
        upscale(tmp_path, 0.5)


def test_networks_of_different_shapes_are_not_mixed(tmp_path: Path) -> None:
    install(tmp_path, STRONG, seed=1)
    install(tmp_path, WEAK, seed=2, convolutions=16)

    with pytest.raises(InvalidWeights, match="different shapes"):
        upscale(tmp_path, 0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": STRONG, "denoise": 1.1},
        {"model": STRONG, "denoise": -0.1},
        {"model": STRONG, "denoise": float("nan")},
        {"model": WEAK, "denoise": 0.5},
        {"denoise": 0.5},
    ],
    ids=str,
)
def test_strengths_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidOptions, match="denois"):
        Options(**wrong)
