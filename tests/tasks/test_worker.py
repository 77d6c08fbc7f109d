"""The worker that does several jobs beside each other, with real jobs in this process."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from sqlalchemy import select

from app.settings import Settings
from db import batches, views, workers
from db.work import Batch, Job, State
from inference import gathering
from inference.network import Network
from inference.options import Options
from tasks import estimates, pacing
from tasks import worker as worker_module
from tasks.service import Service
from tasks.submissions import Upload, submit_batch
from tasks.trying import submit_try
from tasks.worker import _Worker
from tests.tasks.conftest import Submit
from tests.tasks.pictures import FAST, picture

SLOW = "realesrgan-x4plus-anime-6b"
PATIENCE = 60.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it hangs"
        time.sleep(0.02)


class Running:
    """A worker of three hands, with the service as it sees it."""

    def __init__(self, settings: Settings) -> None:
        self.worker = _Worker(settings.model_copy(update={"pictures_at_once": 3}))
        self.service: Service
        self.status: int | None = None

    def work_until(self, done: Callable[[], bool]) -> None:
        """Work in this thread, as signals want it, until another one sees that it is done."""
        seen: list[bool] = []

        def watch() -> None:
            try:
                until(done)
                seen.append(True)
            finally:
                self.worker._leave()

        watcher = threading.Thread(target=watch)
        watcher.start()
        self.status = self.worker.run(self.service)
        watcher.join()
        assert seen, "it was not done"

    def jobs(self) -> list[views.JobView]:
        with self.service.store.reading() as rows:
            found = rows.execute(select(Batch.id, Batch.user_id)).all()
        return [
            job for row in found for job in views.show(self.service.store, row.id, row.user_id).jobs
        ]

    def states(self) -> list[State]:
        return [job.state for job in self.jobs()]


@pytest.fixture
def running(settings: Settings, service: Service) -> Iterator[Running]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    threads = threading.active_count()
    running = Running(settings)
    with Service.open(settings, running.worker.work_on) as opened:
        running.service = opened
        yield running
    for number, handler in handlers.items():
        signal.signal(number, handler)
    until(lambda: threading.active_count() <= threads)


def test_jobs_of_several_people_are_done_beside_each_other(
    running: Running,
    ada: UUID,
    bob: UUID,
    submit: Submit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(gathering._MOST_PIXELS, "cpu", 1 << 20)
    at_once: list[int] = []
    really = Network.batch

    def batch(network: Network, windows: list[object], *more: object) -> object:
        at_once.append(running.states().count(State.RUNNING))
        return really(network, windows, *more)

    monkeypatch.setattr(Network, "batch", batch)
    submit(ada, 5)
    submit(bob, 2)

    running.work_until(lambda: not {State.QUEUED, State.RUNNING} & {*running.states()})

    assert running.status == 0
    assert running.states() == [State.SUCCEEDED] * 7
    assert all(job.progress_done == job.progress_total > 0 for job in running.jobs())
    assert 1 < max(at_once) <= 3
    with running.service.store.reading() as rows:
        begun = rows.execute(select(Job.user_id).order_by(Job.started_at)).scalars().all()
    assert set(begun[:2]) == {ada, bob}  # they take turns, however many hands there are
    assert set(begun[2:4]) == {ada, bob}
    assert workers.count_alive(running.service.store) == 0


def test_it_counts_as_many_workers_as_it_does_jobs_at_once(running: Running) -> None:
    counted: list[int] = []

    running.work_until(
        lambda: bool(counted.append(workers.count_alive(running.service.store)) or counted)
    )

    assert counted == [3]
    assert workers.count_alive(running.service.store) == 0


def test_one_of_them_is_canceled_and_the_others_are_finished(
    running: Running, ada: UUID, bob: UUID, submit: Submit, upload: Callable[..., Upload]
) -> None:
    slow = submit_batch(
        running.service, ada, [upload(picture(160, 110))], Options(model=SLOW, scale=16)
    )
    submit(bob, 3)

    def state_of_the_slow_one() -> State:
        (job,) = views.show(running.service.store, slow, ada).jobs
        return job.state

    def done() -> bool:
        if state_of_the_slow_one() is State.RUNNING:
            batches.cancel(running.service.store, slow, ada)
        return not {State.QUEUED, State.RUNNING} & {*running.states()}

    running.work_until(done)

    assert state_of_the_slow_one() is State.CANCELED
    assert sorted(running.states()) == sorted([State.CANCELED] + [State.SUCCEEDED] * 3)


def test_asked_to_leave_it_hands_back_all_that_it_has(
    running: Running,
    ada: UUID,
    upload: Callable[..., Upload],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "FINISH_WITHIN", 0.2)
    batch_id = submit_batch(
        running.service,
        ada,
        [upload(picture(160, 110)) for _ in range(4)],
        Options(model=SLOW, scale=16),
    )

    running.work_until(lambda: running.states().count(State.RUNNING) == 3)

    assert running.states() == [State.QUEUED] * 4
    with running.service.store.reading() as rows:
        held = rows.execute(select(Job.attempts, Job.interruptions)).all()
    assert {tuple(one) for one in held} == {(0, 0)}
    assert not running.service.store.blobs.abandoned()
    batches.cancel(running.service.store, batch_id, ada)


def test_without_results_it_measures_one_network_and_all_have_an_estimate(
    running: Running, ada: UUID
) -> None:
    seen: list[estimates.Forecast] = []

    def is_measured() -> bool:
        seen.append(estimates.forecast(running.service, ada, 1))
        return bool(seen[-1].rates)

    running.work_until(is_measured)

    rates = seen[-1].rates
    assert rates[FAST].measured
    assert 1_000 < rates[FAST].pixels < 1e9
    assert rates[SLOW].pixels < rates[FAST].pixels
    assert running.jobs() == []


@pytest.mark.parametrize("known", ["results", "waiting"])
def test_it_does_not_measure_what_results_tell_or_will_tell(
    running: Running, ada: UUID, submit: Submit, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    measured: list[object] = []
    monkeypatch.setattr(pacing, "measure", lambda *_: measured.append(1) or 1.0)
    if known == "results":
        other = workers.register(running.service.store, "cpu")
        workers.paced(running.service.store, other, FAST, 300.0)
    else:
        submit(ada)

    running.work_until(lambda: State.QUEUED not in running.states())
    running.worker._express.leave(5)

    assert not measured


def test_what_cannot_be_measured_keeps_the_lane_from_nothing(
    running: Running, ada: UUID, upload: Callable[..., Upload], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> float:
        submit_try(running.service, ada, upload(), [FAST])
        raise MemoryError

    monkeypatch.setattr(pacing, "measure", fails)

    running.work_until(lambda: running.states() == [State.SUCCEEDED])
