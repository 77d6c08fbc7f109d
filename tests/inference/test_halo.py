"""How networks say they may be cut, against networks of which the answer is known."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save

from inference import halo
from inference.canvas import Canvas
from inference.halo import Cutting, cutting, demanding, grid, remembered
from inference.loader import describe
from inference.network import Network
from inference.shelf import Shelf
from inference.spandrel_import import spandrel
from inference.verdicts import FILE, Verdicts
from inference.weights import ModelStore
from tests.inference.architectures import weights_of
from tests.inference.networks import compact, esrgan, random_weights, span

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("network", "halo"),
    [
        (esrgan(blocks=7), 80),
        (esrgan(blocks=6), 48),
        (esrgan(blocks=6, scale=4, shuffle=2), 96),
        (compact(convolutions=16), 16),
        (compact(convolutions=32), 34),
    ],
    ids=str,
)
def test_the_published_families_are_known(network: torch.nn.Module, halo: int) -> None:
    how = cutting(describe(random_weights(network)), CPU)

    assert (how.halo, how.blend, how.whole, how.error) == (halo, 0, False, None)


def test_a_network_that_cuts_by_itself_is_never_cut() -> None:
    descriptor = describe(random_weights(compact()))
    descriptor.tiling = spandrel.ModelTiling.INTERNAL

    assert cutting(descriptor, CPU).whole


def test_a_network_that_draws_at_random_is_never_cut() -> None:
    assert cutting(describe(weights_of("AuraSR")), CPU).whole


@pytest.mark.parametrize("name", ["SPAN", "PLKSR", "DAT", "SwinIR", "SAFMN"])
def test_what_was_measured_to_be_exact_is_so_on_another_picture(name: str) -> None:
    network = Network(describe(weights_of(name)), CPU, torch.float32)
    how = network.cutting
    pixels = np.random.default_rng(8).integers(0, 256, (24, 150, 3), np.uint8)

    whole = network(pixels).astype(int)
    cut = np.concatenate(list(Canvas(network, pixels, max(40, how.align)).rows()))

    assert how.blend == 0
    assert how.error is not None
    assert how.error <= 0.5
    assert np.abs(cut - whole).max() <= 1


@pytest.mark.parametrize("name", ["RCAN", "OmniSR"])
def test_networks_that_see_the_whole_picture_are_to_be_mixed(name: str) -> None:
    how = cutting(describe(weights_of(name)), CPU)

    assert how.blend >= 32
    assert how.error is not None
    assert how.error > 0.05


@pytest.mark.parametrize("name", ["RCAN", "OmniSR"])
def test_mixing_softens_the_edge_at_a_cut_of_a_network_that_sees_the_whole_picture(
    name: str,
) -> None:
    """A ramp, of which the two tiles see the dark and the bright half, in 16 bits."""
    network = Network(describe(weights_of(name)), CPU, torch.float32)
    ramp = np.linspace(5_000, 60_000, 256).round().astype(np.uint16)
    pixels = np.broadcast_to(ramp[None, :, None], (16, 256, 3)).copy()
    whole = network(pixels).astype(float)
    last = 128 * network.scale - 1

    def edge() -> float:
        """By how much the error changes from the last column of one tile to the other's first."""
        rows = np.concatenate(list(Canvas(network, pixels, 128).rows()))
        error = (rows - whole).mean(axis=(0, 2))
        return float(abs(error[last + 1] - error[last]))

    mixed = edge()
    network.cutting = replace(network.cutting, blend=0)

    assert mixed < 0.6 * edge()


@pytest.mark.parametrize(
    ("name", "multiple"), [("SwinIR", 8), ("CRAFT", 16), ("DITN", 8), ("SPAN", 16)]
)
def test_the_grid_is_that_of_the_windows(name: str, multiple: int) -> None:
    assert grid(describe(weights_of(name))) == multiple


def test_the_sample_is_always_the_same_and_uses_the_whole_range() -> None:
    sample = demanding(32, 64, 3)

    assert torch.equal(sample, demanding(32, 64, 3))
    assert sample.shape == (1, 3, 32, 64)
    assert (float(sample.min()), float(sample.max())) == pytest.approx((0.05, 0.95), abs=0.06)


MEASURED = Cutting(32, 16, error=0.25)


@pytest.fixture
def measurements(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The descriptors that were measured. All give `MEASURED`."""
    made: list[Any] = []

    def measured(descriptor: Any, device: torch.device) -> Cutting:
        made.append(descriptor)
        return MEASURED

    monkeypatch.setattr(halo, "_measured", measured)
    return made


def in_another_process(folder: Path, weights: str = "a") -> Cutting:
    return remembered(describe(random_weights(span())), CPU, weights * 64, Verdicts(folder))


def test_a_measurement_is_there_for_the_next_process(
    measurements: list[Any], tmp_path: Path
) -> None:
    first, second = in_another_process(tmp_path), in_another_process(tmp_path)

    assert first == second == MEASURED
    assert len(measurements) == 1


def test_a_measurement_holds_for_one_network_one_torch_and_one_processor(
    measurements: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_another_process(tmp_path)
    in_another_process(tmp_path, "b")
    assert len(measurements) == 2
    monkeypatch.setattr(torch, "__version__", "9.0")
    in_another_process(tmp_path)
    assert len(measurements) == 3
    monkeypatch.setattr(halo.precision, "cpu_flags", lambda: ("other",))
    in_another_process(tmp_path)
    assert len(measurements) == 4


@pytest.mark.parametrize(
    "spoilt",
    [
        True,
        {},
        {"halo": "32"},
        {"halo": 31},
        {"halo": 32.0},
        {"halo": -32},
        {"align": 8},
        {"whole": 0},
        {"blend": 8},
        {"error": 4.0},
        {"error": None},
        {"more": 1},
    ],
    ids=repr,
)
def test_what_cannot_have_been_measured_is_measured_again_and_replaced(
    measurements: list[Any], tmp_path: Path, spoilt: bool | dict[str, Any]
) -> None:
    in_another_process(tmp_path)
    stored = json.loads((tmp_path / FILE).read_text())
    ((where, kept),) = stored.items()
    ((subject, fields),) = kept.items()
    assert fields == asdict(MEASURED)
    if isinstance(spoilt, dict) and spoilt:
        spoilt = {**fields, **spoilt}
    (tmp_path / FILE).write_text(json.dumps({where: {subject: spoilt}}))

    assert in_another_process(tmp_path) == MEASURED

    assert len(measurements) == 2
    assert json.loads((tmp_path / FILE).read_text()) == stored


@pytest.mark.parametrize(
    "how",
    [Cutting(0, 16, whole=True), Cutting(96, 16, 32, error=2.5), Cutting(16, 16, error=0.0)],
    ids=str,
)
def test_all_that_a_measurement_may_say_is_kept(
    how: Cutting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halo, "_measured", lambda *_: how)
    in_another_process(tmp_path)
    monkeypatch.setattr(halo, "_measured", lambda *_: pytest.fail("measured again"))

    assert in_another_process(tmp_path) == how


def test_an_engine_keeps_measurements_beside_its_models(
    measurements: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "net.safetensors").write_bytes(save(random_weights(span())))
    store = ModelStore(tmp_path / "models")
    store.add(tmp_path / "net.safetensors")

    for _ in range(2):
        network, _ = Shelf(store, "cpu", 1 << 30).network("net", "fp32")
        assert network.cutting == MEASURED

    assert len(measurements) == 1


def test_what_is_known_is_neither_measured_nor_kept(
    measurements: list[Any], tmp_path: Path
) -> None:
    remembered(describe(random_weights(compact())), CPU, "a" * 64, Verdicts(tmp_path))

    assert measurements == []
    assert list(tmp_path.iterdir()) == []
