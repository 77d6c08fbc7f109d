"""Which device `auto` is, and networks that are asked for twice."""

import pytest
import torch

from inference.shelf import Shelf
from tests.inference.networks import esrgan
from tests.inference.test_engine import RandomStore


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_is_cuda_then_mps_then_the_cpu(
    cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    assert Shelf(RandomStore(), "auto", 0).device.type == expected


def test_a_network_that_stays_is_the_same_one_with_the_same_verdict() -> None:
    store = RandomStore(net=esrgan())
    shelf = Shelf(store, "cpu", 1 << 30)

    first, _ = shelf.network("net", "auto")
    again, _ = shelf.network("net", "auto")

    assert first is again
    assert store.loads == ["net"]
    assert shelf.names == ("net",)
