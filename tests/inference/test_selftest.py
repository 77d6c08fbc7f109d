"""Which way a network is run: the fastest that gives the right pixels, and never another."""

import math
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.torch_version import TorchVersion

from inference import precision, selftest
from inference.engine import Engine
from inference.fused import FusedConv
from inference.loader import describe
from inference.options import Options
from inference.report import Report
from inference.selftest import agree, choose, sample
from inference.verdicts import FILE, Verdicts
from inference.ways import Way
from inference.weights import ModelStore
from tests.inference.networks import compact, esrgan, random_weights, span

CPU = torch.device("cpu")
AUTO = (torch.bfloat16, torch.float32)

needs_onednn = pytest.mark.skipif(
    not torch._C._has_mkldnn, reason="this torch was built without oneDNN"
)


@pytest.fixture
def fast_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a CPU that multiplies bf16 faster than fp32; the numbers are the same on any."""
    monkeypatch.setattr(precision, "bf16_is_fast", lambda: True)


class Store:
    """One network under every name, without a folder."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self._weights = weights

    def load(self, name: str) -> SimpleNamespace:
        info = SimpleNamespace(source="random", weights_sha256="0" * 64)
        return SimpleNamespace(state_dict=self._weights, info=info)


class Runs(list[Way]):
    """The ways in which samples went through networks."""


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    seen = Runs()
    really = selftest._result

    def counted(descriptor: Any, device: torch.device, way: Way) -> Tensor | None:
        seen.append(way)
        return really(descriptor, device, way)

    monkeypatch.setattr(selftest, "_result", counted)
    return seen


def good() -> dict[str, Tensor]:
    return random_weights(esrgan())


def lost_in_bf16() -> dict[str, Tensor]:
    """A Compact that adds 100 to a channel and takes it away again: bf16 has steps of 0.5 there."""
    network = compact()
    weights = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    convolutions = [name for name, value in weights.items() if value.dim() == 4]
    for name in convolutions:
        weights[name][0, 0, 1, 1] = 1
    weights[convolutions[-1]][:, 0, 1, 1] = 1
    weights[convolutions[0].replace("weight", "bias")][0] = 100
    weights[convolutions[-1].replace("weight", "bias")][:] = -100
    return weights


def upscale(engine: Engine, model: str = "any", **options: Any) -> Report:
    source = BytesIO()
    pixels = np.arange(24 * 20 * 3, dtype=np.uint8).reshape(24, 20, 3)
    Image.fromarray(pixels).save(source, "PNG")
    return engine.upscale(source, BytesIO(), Options(model=model, **options))


@pytest.mark.usefixtures("fast_bf16")
def test_a_network_that_bf16_keeps_runs_in_bf16() -> None:
    assert upscale(Engine(Store(good()), "cpu")).dtype == "bf16"


@pytest.mark.usefixtures("fast_bf16")
def test_a_network_that_bf16_loses_is_really_run_in_fp32() -> None:
    engine = Engine(Store(lost_in_bf16()), "cpu")

    assert upscale(engine).dtype == "fp32"
    assert engine._shelf.network("any", "auto")[0].dtype == torch.float32


@pytest.mark.usefixtures("fast_bf16")
def test_a_precision_that_is_demanded_is_used_without_a_test_of_it(runs: Runs) -> None:
    assert upscale(Engine(Store(lost_in_bf16()), "cpu"), precision="bf16").dtype == "bf16"
    assert runs == []


def test_where_bf16_is_slow_it_is_not_even_tried(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "bf16_is_fast", lambda: False)

    assert upscale(Engine(Store(good()), "cpu")).dtype == "fp32"
    assert {way.dtype for way in runs} <= {torch.float32}


@needs_onednn
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_fused_layers_are_used_where_they_are_right_and_the_report_says_so(precision: str) -> None:
    assert upscale(Engine(Store(good()), "cpu"), precision=precision).kernels == "onednn-fused"
    for others in (compact(), span()):
        engine = Engine(Store(random_weights(others)), "cpu")
        assert upscale(engine, precision=precision).kernels == "plain"


def slightly_off(layer: FusedConv, image: Tensor) -> Tensor:
    return really(layer, image) + 0.05


def one_wrong_pixel(layer: FusedConv, image: Tensor) -> Tensor:
    result = really(layer, image).clone()
    result[0, :, -1, -1] += 0.05
    return result


def no_numbers(layer: FusedConv, image: Tensor) -> Tensor:
    return really(layer, image) * math.nan


def unsupported(layer: FusedConv, image: Tensor) -> Tensor:
    raise RuntimeError("could not create a primitive")


really = FusedConv.forward


@needs_onednn
@pytest.mark.parametrize("wrong", [slightly_off, one_wrong_pixel, no_numbers, unsupported])
def test_a_fused_layer_with_wrong_pixels_is_never_used(
    wrong: Callable[[FusedConv, Tensor], Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FusedConv, "forward", wrong)
    engine = Engine(Store(good()), "cpu")

    assert upscale(engine, precision="fp32").kernels == "plain"
    network, _ = engine._shelf.network("any", "fp32")
    assert not any(isinstance(m, FusedConv) for m in network._descriptor.model.modules())


@needs_onednn
@pytest.mark.usefixtures("fast_bf16")
def test_wrong_fused_layers_do_not_cost_the_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FusedConv, "forward", slightly_off)

    report = upscale(Engine(Store(good()), "cpu"))

    assert (report.dtype, report.kernels) == ("bf16", "plain")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A folder of one's own with a small network in it."""
    file = tmp_path / "net.safetensors"
    save_file(random_weights(esrgan()), file)
    store = ModelStore(tmp_path / "models")
    store.add(file, "net")
    return store


@needs_onednn
@pytest.mark.usefixtures("fast_bf16")
def test_a_verdict_is_found_out_once_and_kept_beside_the_models(
    store: ModelStore, runs: Runs
) -> None:
    first = upscale(Engine(store, "cpu"), "net")
    tested = len(runs)
    second = upscale(Engine(store, "cpu"), "net")

    assert tested == 2
    assert len(runs) == tested
    assert (
        (second.dtype, second.kernels) == (first.dtype, first.kernels) == ("bf16", "onednn-fused")
    )
    assert (store.path / FILE).exists()
    assert store.names() == ["net"]


@needs_onednn
@pytest.mark.usefixtures("fast_bf16")
@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(torch, "__version__", TorchVersion("2.99.0")),
        lambda patch: patch.setattr(precision, "cpu_flags", lambda: ("avx2", "new")),
        lambda patch: patch.setattr(selftest, "_EDITION", -1),
    ],
    ids=["torch", "processor flags", "edition of the test"],
)
def test_a_verdict_holds_for_one_torch_one_processor_and_one_test(
    store: ModelStore,
    runs: Runs,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pytest.MonkeyPatch], None],
) -> None:
    upscale(Engine(store, "cpu"), "net")
    tested = len(runs)

    change(monkeypatch)
    Engine(store, "cpu")._shelf.network("net", "auto")

    assert len(runs) == 2 * tested


@pytest.mark.usefixtures("fast_bf16")
def test_a_verdict_holds_for_one_network(runs: Runs) -> None:
    kept = Verdicts(None)
    bad, fine = describe(lost_in_bf16()), describe(good())

    assert choose(bad, CPU, AUTO, "a" * 64, kept) == Way(torch.float32)
    assert choose(fine, CPU, AUTO, "b" * 64, kept).dtype == torch.bfloat16
    before = len(runs)
    assert choose(bad, CPU, AUTO, "a" * 64, kept) == Way(torch.float32)
    assert len(runs) == before


def test_scarce_memory_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def scarce(*_: object) -> None:
        raise torch.OutOfMemoryError("scripted")

    kept = Verdicts(None)
    descriptor = describe(good())
    with monkeypatch.context() as patch:
        patch.setattr(selftest, "prepare", scarce)
        with pytest.raises(torch.OutOfMemoryError):
            choose(descriptor, CPU, AUTO, "a" * 64, kept)

    assert choose(descriptor, CPU, AUTO, "a" * 64, kept).dtype == torch.bfloat16


def test_the_network_under_test_is_left_as_it_was() -> None:
    descriptor = describe(good())
    before = {name: value.clone() for name, value in descriptor.model.state_dict().items()}

    choose(descriptor, CPU, AUTO, "a" * 64, Verdicts(None))

    after = descriptor.model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize("planes", [1, 3, 4])
def test_the_sample_has_dark_light_edges_and_texture_in_every_plane(planes: int) -> None:
    picture = sample(planes)

    assert picture.shape == (1, planes, 32, 32)
    assert torch.equal(picture, sample(planes))
    for plane in picture[0]:
        assert plane.min() == 0
        assert plane.max() == 1
        assert ((plane[:, 1:] - plane[:, :-1]).abs() > 0.3).sum() > 10
        assert len(plane.unique()) > 300


@pytest.mark.parametrize(
    ("dtype", "error", "right"),
    [
        (torch.float32, 0.00009, True),
        (torch.float32, 0.00011, False),
        (torch.bfloat16, 10 ** (-45.1 / 20), True),
        (torch.bfloat16, 10 ** (-44.9 / 20), False),
        (torch.float16, 10 ** (-50.1 / 20), True),
        (torch.float16, 10 ** (-49.9 / 20), False),
    ],
)
def test_how_far_a_result_may_be_off(dtype: torch.dtype, error: float, right: bool) -> None:
    expected = torch.full((1, 3, 8, 8), 0.5)

    assert agree(expected + error, expected, dtype) is right
    assert agree(expected, expected, dtype)


def test_only_what_can_be_seen_counts_and_no_number_is_never_right() -> None:
    white = torch.full((1, 3, 8, 8), 1.0)
    holed = white.clone()
    holed[0, 0, 0, 0] = math.nan

    assert agree(white * 3, white * 2, torch.float32)
    assert not agree(holed, white, torch.float16)
    assert not agree(white[..., :4], white, torch.float16)


def test_the_published_networks_pass_in_bf16(models_path: Path) -> None:
    """So that a limit or a sample that is too strict shows; the small ones, for time."""
    for name in ("realesr-animevideov3", "realesrgan-x4plus-anime-6b"):
        descriptor = describe(ModelStore(models_path).load(name).state_dict)

        assert choose(descriptor, CPU, AUTO, "a" * 64, Verdicts(None)).dtype == torch.bfloat16


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("make", [esrgan, compact, span])
def test_a_gpu_runs_in_fp16_what_fp16_keeps(make: Callable[[], nn.Module]) -> None:
    cuda = torch.device("cuda")
    descriptor = describe(random_weights(make()))
    dtypes = precision.dtypes("auto", cuda, descriptor)

    way = choose(descriptor, cuda, dtypes, "a" * 64, Verdicts(None))

    assert dtypes[-1] == torch.float32
    assert way == Way(torch.float16 if descriptor.supports_half else dtypes[0])
