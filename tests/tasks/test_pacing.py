"""What a worker measures as it begins, by a clock that the test turns."""

from collections.abc import Callable
from pathlib import Path

import pytest

from inference import catalog
from inference.engine import Engine
from inference.weights import ModelStore
from tasks import pacing
from tests.tasks.pictures import FAST

Measured = Callable[[list[float]], tuple[float, int]]


@pytest.fixture
def measured(models_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measured:
    """The pace where runs take so many seconds, and how many runs there were."""

    def measured(seconds: list[float]) -> tuple[float, int]:
        left = list(seconds)
        monkeypatch.setattr(pacing, "_seconds", lambda *_: left.pop(0))
        model = catalog.find(FAST)
        assert model is not None
        pace = pacing.measure(Engine(ModelStore(models_path), "cpu"), model, lambda: False)
        return pace, len(seconds) - len(left)

    return measured


def test_the_best_run_counts_for_others_were_disturbed(measured: Measured) -> None:
    assert measured([9.0, 0.4, 0.5, 0.25, 0.3]) == (256 * 256 / 0.25, 5)


def test_a_slow_machine_is_not_kept_long(measured: Measured) -> None:
    assert measured([9.0, 2.0, 99.0]) == (128 * 128 / 2.0, 2)


def test_what_loads_the_network_does_not_count(measured: Measured) -> None:
    assert measured([0.001, 0.4, 0.5, 0.5, 0.5]) == (256 * 256 / 0.5, 5)


def test_the_lightest_is_a_listed_model_of_known_work() -> None:
    lightest = pacing.lightest(["realesrgan-x4plus", FAST, "dat-light-x2", "somebodys-own"])

    assert lightest is not None
    assert lightest.name == FAST
    assert pacing.lightest(["dat-light-x2", "somebodys-own"]) is None
