"""Which dtypes are tried, in which order, by device and by what a network supports."""

from types import SimpleNamespace

import pytest
import torch

from inference import precision
from inference.errors import InvalidOptions
from inference.precision import dtypes

FP32, FP16, BF16 = torch.float32, torch.float16, torch.bfloat16


def network(half: bool = True, bfloat16: bool = True) -> SimpleNamespace:
    return SimpleNamespace(supports_half=half, supports_bfloat16=bfloat16)


@pytest.mark.parametrize(
    ("supports", "expected"),
    [
        (network(), (FP16, BF16, FP32)),
        (network(half=False), (BF16, FP32)),
        (network(bfloat16=False), (FP16, FP32)),
        (network(half=False, bfloat16=False), (FP32,)),
    ],
    ids=str,
)
def test_cuda_tries_fp16_then_bf16_then_fp32(
    supports: SimpleNamespace, expected: tuple[torch.dtype, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)

    assert dtypes("auto", torch.device("cuda"), supports) == expected


def test_cuda_without_bf16_in_hardware_leaves_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)

    assert dtypes("auto", torch.device("cuda"), network()) == (FP16, FP32)


@pytest.mark.parametrize("fast", [True, False])
def test_a_cpu_tries_bf16_only_where_it_is_fast(
    fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "bf16_is_fast", lambda: fast)
    cpu = torch.device("cpu")

    assert dtypes("auto", cpu, network()) == ((BF16, FP32) if fast else (FP32,))
    assert dtypes("auto", cpu, network(bfloat16=False)) == (FP32,)


def test_other_devices_try_fp16_where_the_network_supports_it() -> None:
    assert dtypes("auto", torch.device("mps"), network()) == (FP16, FP32)
    assert dtypes("auto", torch.device("mps"), network(half=False)) == (FP32,)


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_a_precision_that_is_demanded_is_the_only_one(device: str) -> None:
    for name, dtype in (("fp32", FP32), ("fp16", FP16), ("bf16", BF16)):
        assert dtypes(name, torch.device(device), network()) == (dtype,)


def test_a_precision_that_the_network_does_not_support_is_refused() -> None:
    with pytest.raises(InvalidOptions, match="does not work in fp16"):
        dtypes("fp16", torch.device("cpu"), network(half=False))


@pytest.mark.parametrize(("bf16", "fp32", "fast"), [(1.0, 2.0, True), (2.0, 1.0, False)])
def test_whether_bf16_is_fast_is_measured_where_the_hardware_has_it(
    bf16: float, fp32: float, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "has_bf16_hardware", lambda: True)
    monkeypatch.setattr(precision, "_seconds", {BF16: bf16, FP32: fp32}.__getitem__)
    threads = torch.get_num_threads()

    assert precision.bf16_is_fast.__wrapped__() is fast
    assert torch.get_num_threads() == threads


def test_where_bf16_is_emulated_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_flags", lambda: ("avx2", "avx512f"))
    monkeypatch.setattr(precision, "_seconds", lambda dtype: pytest.fail("was measured"))

    assert not precision.bf16_is_fast.__wrapped__()


def test_a_measurement_is_a_short_time() -> None:
    assert 0 < precision._seconds(FP32) < 1
