"""How long it will take is said from what was measured here, or not at all."""

from collections.abc import Callable
from uuid import UUID

import pytest

from db import jobs, waiting, workers
from db.work import Role
from inference import catalog
from tasks import estimates
from tasks.service import Service
from tests.db.machine import Machine
from tests.db.situations import kept
from tests.tasks.conftest import Submit
from tests.tasks.pictures import FAST

Finish = Callable[..., None]


@pytest.fixture
def finish(service: Service, machine: Machine) -> Finish:
    """The next job takes some seconds."""

    def finish(seconds: float, **report: object) -> None:
        claim = jobs.claim_next(service.store, workers.register(service.store, "cpu"))
        assert claim is not None
        machine.passes(seconds=seconds)
        jobs.finish(service.store, claim, [kept(service.store, b"x", Role.RESULT)], report, 1)

    return finish


def test_nothing_is_said_where_nothing_was_measured(
    service: Service, ada: UUID, bob: UUID, submit: Submit
) -> None:
    assert estimates.forecast(service, ada, 1) == estimates.Forecast({}, 0, 1)
    submit(bob)
    assert estimates.forecast(service, ada, 1).ahead is None


def test_what_was_measured_counts_and_others_follow_by_how_much_work_they_are(
    service: Service, ada: UUID, submit: Submit, finish: Finish
) -> None:
    submit(ada)  # 24 × 16
    finish(2)

    rates = estimates.forecast(service, ada, 1).rates

    assert rates[FAST] == estimates.Rate(192, True)
    assert rates["realesrgan-x4plus"].pixels == pytest.approx(192 * 1.24 / 35.85)
    assert not rates["realesrgan-x4plus"].measured
    assert "dat-light-x2" not in rates


def test_the_measured_model_that_is_most_alike_is_asked() -> None:
    rates = estimates.rates({"realesrgan-x4plus": 100.0, FAST: 9000.0})

    assert rates["realesrgan-x4plus-anime-6b"].pixels == pytest.approx(100 * 35.85 / 11.41)
    assert rates["realesr-general-x4v3"].pixels == pytest.approx(9000 * 1.24 / 2.42)


def test_a_result_of_two_passes_counts_the_second_too(
    service: Service, ada: UUID, submit: Submit, finish: Finish
) -> None:
    submit(ada)
    finish(1, passes=2, network_scale=4)

    assert waiting.pace(service.store) == {FAST: 24 * 16 * 17.0}


def test_what_others_wait_for_comes_before(
    service: Service, ada: UUID, bob: UUID, submit: Submit, finish: Finish
) -> None:
    submit(bob)
    finish(2)
    submit(bob, 3)
    # Users take turns: before ada's first picture comes one of bob's, before her third all three.
    assert estimates.forecast(service, ada, 1).ahead == pytest.approx(2 + 1)
    assert estimates.forecast(service, ada, 3).ahead == pytest.approx(3 * (2 + 1))


def test_what_waits_for_two_passes_counts_the_second_too(
    service: Service, ada: UUID, bob: UUID, submit: Submit, finish: Finish
) -> None:
    submit(bob)
    finish(2)
    submit(bob, scale=8)

    assert estimates.forecast(service, ada, 1).ahead == pytest.approx(2 * 17 + 1)


def test_only_models_that_suit_any_picture_are_chosen_for_people() -> None:
    assert all(catalog.find(name) for name in catalog.BEST_FIRST)
    works = [model.work for name in catalog.BEST_FIRST if (model := catalog.find(name))]
    assert None not in works
