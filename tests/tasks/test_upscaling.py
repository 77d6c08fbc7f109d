"""A worker's work on real jobs, with the real engine, in this process."""

import threading
import time
from collections.abc import Callable
from uuid import UUID

import numpy as np
import pytest
from PIL import Image

from db import batches, counts, files, recovery, views, workers
from db.errors import StorageFull
from db.upkeep import Metric
from db.work import Role, State
from inference.company import Company
from inference.engine import Engine
from inference.errors import OutOfMemory
from inference.options import Options
from inference.pyramid import PyramidReader
from inference.weights import ModelStore
from tasks import heartbeat, upscaling
from tasks.service import Service
from tasks.submissions import Upload, submit_batch
from tasks.upscaling import Upscaler
from tests.db.machine import Machine
from tests.tasks.conftest import Submit
from tests.tasks.pictures import FAST, picture

SLOW = "realesrgan-x4plus-anime-6b"


class Worker:
    """An upscaler whose worker can be asked to leave."""

    def __init__(self, service: Service, engine: Engine) -> None:
        self.service = service
        self.engine = engine
        self.is_leaving = False
        self.upscaler = Upscaler(
            service.store,
            engine,
            workers.register(service.store, "cpu"),
            lambda: self.is_leaving,
        )

    def work(self) -> int:
        """Do everything that waits; returns how many jobs that was."""
        number = 0
        while self.upscaler.upscale_next():
            number += 1
        return number


@pytest.fixture
def worker(service: Service) -> Worker:
    return Worker(service, Engine(ModelStore(service.folders.models), "cpu"))


def only_job(service: Service, batch_id: UUID, user_id: UUID) -> views.JobView:
    (job,) = views.show(service.store, batch_id, user_id).jobs
    return job


def leftovers(service: Service) -> int:
    """Blobs that no live file explains."""
    store = service.store
    named = len(list(store.blobs.finished()))
    live = sum(f.receipt_id is None for job in all_jobs(service) for f in job.files)
    return named - live + len(store.blobs.abandoned())


def all_jobs(service: Service) -> list[views.JobView]:
    from sqlalchemy import select

    from db.work import Batch

    with service.store.reading() as rows:
        found = rows.execute(select(Batch.id, Batch.user_id)).all()
    return [job for row in found for job in views.show(service.store, row.id, row.user_id).jobs]


def test_a_job_becomes_a_result_two_previews_and_a_report(
    service: Service, worker: Worker, ada: UUID, submit: Submit
) -> None:
    batch_id = submit(ada, scale=2)

    assert worker.work() == 1

    job = only_job(service, batch_id, ada)
    assert job.state is State.SUCCEEDED
    assert job.report is not None
    assert (job.report["input"], job.report["output"]) == (
        {"width": 24, "height": 16},
        {"width": 48, "height": 32},
    )
    assert job.report["model"] == FAST
    by_role = {(f.role, f.pictures): f for f in job.files}
    assert set(by_role) == {
        (Role.ORIGINAL, None),
        (Role.RESULT, None),
        (Role.PREVIEW, Role.ORIGINAL),
        (Role.PREVIEW, Role.RESULT),
    }
    assert {f.expires_at for f in job.files} == {by_role[Role.ORIGINAL, None].expires_at}
    stored = files.find(service.store, by_role[Role.RESULT, None].id, ada)
    with files.open(service.store, stored) as stream, Image.open(stream) as result:
        assert (result.format, result.size) == ("PNG", (48, 32))
    stored = files.find(service.store, by_role[Role.PREVIEW, Role.RESULT].id, ada)
    with files.open(service.store, stored) as stream:
        pyramid = PyramidReader(stream)
        assert (pyramid.width, pyramid.height) == (48, 32)
    assert leftovers(service) == 0


def test_the_result_is_what_the_engine_makes(
    service: Service, worker: Worker, ada: UUID, submit: Submit
) -> None:
    import io

    batch_id = submit(ada, precision="fp32")
    worker.work()
    expected = io.BytesIO()
    worker.engine.upscale(io.BytesIO(picture()), expected, Options(model=FAST, precision="fp32"))

    (result,) = [f for f in only_job(service, batch_id, ada).files if f.role is Role.RESULT]
    with (
        files.open(service.store, files.find(service.store, result.id, ada)) as stream,
        Image.open(stream) as made,
        Image.open(expected) as wanted,
    ):
        assert np.array_equal(np.asarray(made), np.asarray(wanted))


def test_a_damaged_picture_fails_once_with_its_reason_and_leaves_nothing(
    service: Service, worker: Worker, ada: UUID, upload: Callable[..., Upload]
) -> None:
    cut = picture(100, 80)[:-200]
    batch_id = submit_batch(service, ada, [upload(cut)], Options(model=FAST))

    assert worker.work() == 1

    job = only_job(service, batch_id, ada)
    assert (job.state, job.failure and job.failure.code) == (State.FAILED, "MALFORMED_IMAGE")
    assert leftovers(service) == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OutOfMemory("Not even 32 × 32 pixels fit.", "Free memory."), "OUT_OF_MEMORY"),
        (StorageFull(), "STORAGE_FULL"),
        (ValueError("/home/ada/secret.png"), "INTERNAL"),
    ],
    ids=["memory", "disk", "bug"],
)
def test_what_may_pass_is_tried_three_times_and_then_told(
    service: Service,
    worker: Worker,
    ada: UUID,
    submit: Submit,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    code: str,
) -> None:
    batch_id = submit(ada)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(worker.engine, "upscale", fail)

    assert worker.work() == 3
    job = only_job(service, batch_id, ada)
    assert (job.state, job.failure and job.failure.code) == (State.FAILED, code)
    assert job.failure is not None
    assert "secret" not in job.failure.message
    assert leftovers(service) == 0


def test_a_full_disk_in_the_middle_of_the_result_is_recovered_from(
    service: Service, worker: Worker, ada: UUID, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = submit(ada)
    really = files.Writer.finish
    calls = []

    def full_once(writer: files.Writer, **size: int) -> files.Kept:
        calls.append(1)
        if len(calls) == 2:
            raise StorageFull
        return really(writer, **size)

    monkeypatch.setattr(files.Writer, "finish", full_once)

    assert worker.work() == 2
    assert only_job(service, batch_id, ada).state is State.SUCCEEDED
    assert leftovers(service) == 0
    assert counts.total(service.store, Metric.SUCCEEDED) == 1


def in_the_background(worker: Worker) -> threading.Thread:
    thread = threading.Thread(target=worker.work)
    thread.start()
    deadline = time.monotonic() + 20
    while not worker.engine.loaded and time.monotonic() < deadline:
        time.sleep(0.02)
    return thread


def test_a_running_job_stops_within_a_second_of_being_canceled(
    service: Service, worker: Worker, ada: UUID, upload: Callable[..., Upload]
) -> None:
    batch_id = submit_batch(
        service, ada, [upload(picture(160, 110))], Options(model=SLOW, scale=16)
    )
    thread = in_the_background(worker)
    time.sleep(1)

    asked = time.monotonic()
    batches.cancel(service.store, batch_id, ada)
    thread.join(20)

    assert time.monotonic() - asked < 3  # one second is promised; this machine may be busy
    assert only_job(service, batch_id, ada).state is State.CANCELED
    assert leftovers(service) == 0


def test_a_leaving_worker_hands_its_job_back_and_nothing_is_held_against_it(
    service: Service, worker: Worker, ada: UUID, upload: Callable[..., Upload]
) -> None:
    batch_id = submit_batch(
        service, ada, [upload(picture(160, 110))], Options(model=SLOW, scale=16)
    )
    thread = threading.Thread(target=worker.upscaler.upscale_next)
    thread.start()
    time.sleep(1)
    worker.is_leaving = True
    thread.join(20)

    job = only_job(service, batch_id, ada)
    assert job.state is State.QUEUED
    assert leftovers(service) == 0
    worker.is_leaving = False
    batches.cancel(service.store, batch_id, ada)


def test_progress_is_written_while_the_engine_works(
    service: Service, worker: Worker, ada: UUID, upload: Callable[..., Upload]
) -> None:
    batch_id = submit_batch(
        service, ada, [upload(picture(160, 110))], Options(model=FAST, scale=16)
    )
    thread = in_the_background(worker)
    seen = set()
    while thread.is_alive():
        job = only_job(service, batch_id, ada)
        seen.add((job.progress_done, job.progress_total))
        time.sleep(0.1)

    assert len(seen) > 1
    job = only_job(service, batch_id, ada)
    assert job.state is State.SUCCEEDED
    assert job.progress_done == job.progress_total > 0


def test_a_worker_that_lost_its_lease_throws_its_result_away(
    service: Service,
    worker: Worker,
    ada: UUID,
    submit: Submit,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch_id = submit(ada)
    really = worker.engine.upscale

    def slept(*arguments: object, **more: object) -> object:
        report = really(*arguments, **more)
        machine.passes(seconds=31)
        assert recovery.recover(service.store).queued == 1
        return report

    monkeypatch.setattr(heartbeat, "_EVERY", 60)
    monkeypatch.setattr(worker.engine, "upscale", slept)
    worker.upscaler.upscale_next()
    monkeypatch.undo()

    assert only_job(service, batch_id, ada).state is State.QUEUED
    assert leftovers(service) == 0


def test_models_stay_loaded_for_the_next_job(
    service: Service, worker: Worker, ada: UUID, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(ada, 2)
    loads = []
    really = ModelStore.load
    monkeypatch.setattr(
        ModelStore, "load", lambda store, name: loads.append(name) or really(store, name)
    )

    assert worker.work() == 2
    assert loads == [FAST]
    assert worker.engine.loaded == (FAST,)


@pytest.mark.parametrize(("kept", "times"), [(600_000_000, 1), (400_000_000, 0)])
def test_much_memory_is_given_back_once_nothing_waits(
    worker: Worker,
    ada: UUID,
    submit: Submit,
    monkeypatch: pytest.MonkeyPatch,
    kept: int,
    times: int,
) -> None:
    given: list[list[State]] = []
    batch_id = submit(ada, 2)

    def give_back() -> None:
        given.append([job.state for job in views.show(worker.service.store, batch_id, ada).jobs])

    monkeypatch.setattr(upscaling, "kept_memory", lambda: kept)
    monkeypatch.setattr(upscaling, "give_back_freed_memory", give_back)

    worker.work()

    assert given == [[State.SUCCEEDED] * 2] * times


def test_nothing_is_given_back_while_somebody_else_is_at_work(
    worker: Worker, ada: UUID, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[None] = []
    monkeypatch.setattr(upscaling, "kept_memory", lambda: 600_000_000)
    monkeypatch.setattr(upscaling, "give_back_freed_memory", lambda: given.append(None))
    company = Company()
    store = worker.service.store
    beside = Upscaler(
        store, worker.engine, workers.register(store, "cpu"), lambda: False, company=company
    )
    submit(ada, 2)

    with company.entered():
        beside.upscale_next()
        beside.upscale_next()
    assert not given

    submit(ada)
    beside.upscale_next()
    assert len(given) == 1
