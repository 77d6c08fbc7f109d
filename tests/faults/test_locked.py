"""Somebody holds a database: told plainly, nothing is lost, and what was missed is caught up."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from app.settings import Settings
from db import keys, users, workers
from db.errors import DatabaseBusy
from db.store import Store
from inference.engine import Engine
from inference.options import Options
from inference.weights import ModelStore
from tasks.broker import Queue
from tasks.limits import Limits
from tasks.recovery import recover
from tasks.retention import reconcile_leftovers, sweep
from tasks.service import Service, folders_of, prepare
from tasks.submissions import Upload, submit_batch
from tasks.upscaling import Upscaler
from tests.db.machine import Machine
from tests.faults import ledger
from tests.faults.service import Running
from tests.tasks.pictures import FAST, picture

IMPATIENT, PATIENT = 0.3, 1.0  # seconds for each of three attempts
DATABASES = ("app.db", "keys.db")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else can write."""
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        yield
        holder.execute("ROLLBACK")
    finally:
        holder.close()


@contextmanager
def locked_for(path: Path, seconds: float) -> Iterator[None]:
    """The same from another thread, which lets go by itself."""
    has_it = threading.Event()

    def hold() -> None:
        with locked(path):
            has_it.set()
            time.sleep(seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    assert has_it.wait(20)
    yield
    thread.join()


@pytest.fixture
def machine() -> Machine:
    return Machine(wall=datetime.now(UTC).timestamp())


@pytest.fixture
def settings(tmp_path: Path, models_path: Path, own_temporary_files: None) -> Settings:
    settings = Settings(data_dir=tmp_path / "data", device="cpu")
    prepare(settings)
    settings.models_dir.symlink_to(models_path)
    return settings


@contextmanager
def opened(settings: Settings, machine: Machine, patience: float) -> Iterator[Service]:
    folders = folders_of(settings)
    store = Store.open(
        folders.rows_url,
        folders.keys_url,
        folders.blobs,
        busy_timeout=patience,
        readers=machine.readers,
    )
    with Service(folders, store, Queue(folders.queue), Limits.of(settings)) as service:
        yield service


def hand_in(service: Service, user_id: UUID) -> UUID:
    path = service.folders.inbox / "upload"
    path.write_bytes(picture())
    try:
        return submit_batch(service, user_id, [Upload(path, "a.png")], Options(model=FAST), "key")
    finally:
        path.unlink(missing_ok=True)


def upscaler(service: Service) -> Upscaler:
    engine = Engine(ModelStore(service.folders.models), "cpu")
    return Upscaler(service.store, engine, workers.register(service.store, "cpu"), lambda: False)


@pytest.mark.parametrize("name", DATABASES)
def test_who_has_no_patience_is_told_so_and_catches_up(
    settings: Settings, machine: Machine, name: str
) -> None:
    with opened(settings, machine, IMPATIENT) as service:
        ada = users.ensure_user(service.store, users.LOCAL, "ada")
        with locked(settings.data_dir / name), pytest.raises(DatabaseBusy):
            hand_in(service, ada)
        assert ledger.jobs(service) == []

        batch_id = hand_in(service, ada)
        assert hand_in(service, ada) == batch_id
        worker = upscaler(service)
        if name == "app.db":
            with locked(settings.data_dir / name), pytest.raises(DatabaseBusy):
                worker.upscale_next()
        else:
            with locked(settings.data_dir / name):
                while worker.upscale_next():
                    pass
            (job,) = ledger.jobs(service)
            assert (job.error_code, job.attempts) == ("DATABASE_BUSY", 3)
            ledger.check_jobs(service, 1)
            return
        assert worker.upscale_next()
        assert ledger.check_jobs(service, 1).share == 1

        machine.passes(hours=48)
        with locked(settings.data_dir / name), pytest.raises(DatabaseBusy):
            sweep(service)
        assert sweep(service).files == 4
        reconcile_leftovers(service.store)
        ledger.check_no_scraps(service)


def test_a_job_whose_end_could_not_be_written_down_is_done_again(
    settings: Settings, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(settings, machine, IMPATIENT) as service:
        ada = users.ensure_user(service.store, users.LOCAL, "ada")
        hand_in(service, ada)
        worker = upscaler(service)
        really = worker._engine.upscale
        held = locked(settings.data_dir / "app.db")

        def and_then_it_is_locked(*arguments: object, **more: object) -> object:
            report = really(*arguments, **more)
            held.__enter__()
            return report

        monkeypatch.setattr(worker._engine, "upscale", and_then_it_is_locked)
        with pytest.raises(DatabaseBusy):
            worker.upscale_next()
        held.__exit__(None, None, None)
        monkeypatch.undo()

        assert {job.state for job in ledger.jobs(service)} == {"running"}
        machine.passes(seconds=31)
        assert recover(service) == 1
        assert worker.upscale_next()
        ended = ledger.check_jobs(service, 1)
        assert (ended.share, ended.interruptions) == (1, 1)
        machine.passes(minutes=16)
        reconcile_leftovers(service.store)
        ledger.check_no_scraps(service)


@pytest.mark.parametrize("name", DATABASES)
def test_who_has_patience_notices_nothing(settings: Settings, machine: Machine, name: str) -> None:
    with opened(settings, machine, PATIENT) as service:
        ada = users.ensure_user(service.store, users.LOCAL, "ada")
        with locked_for(settings.data_dir / name, 2 * PATIENT):
            hand_in(service, ada)
        with locked_for(settings.data_dir / name, 2 * PATIENT):
            assert upscaler(service).upscale_next()
        assert ledger.check_jobs(service, 1).share == 1
        machine.passes(hours=48)
        with locked_for(settings.data_dir / name, 2 * PATIENT):
            assert sweep(service).files == 4
        assert not keys.known(service.store.keys)
        ledger.check_no_scraps(service)


def test_a_locked_queue_refuses_no_batch(settings: Settings, machine: Machine) -> None:
    with opened(settings, machine, PATIENT) as service:
        ada = users.ensure_user(service.store, users.LOCAL, "ada")
        with locked_for(settings.data_dir / "queue.db", 6):  # huey waits for five
            batch_id = hand_in(service, ada)

        assert [job.batch_id for job in ledger.jobs(service)] == [batch_id]
        assert hand_in(service, ada) == batch_id
        assert service.queue._huey.storage.queue_size() == 0
        assert recover(service) == 1
        assert service.queue._huey.storage.queue_size() == 1


def test_who_only_nudges_does_all_else_without_a_queue(
    settings: Settings, machine: Machine
) -> None:
    folders_of(settings).queue.write_bytes(b"this is no database, whatever it was" * 100)
    with opened(settings, machine, PATIENT) as service:
        ada = users.ensure_user(service.store, users.LOCAL, "ada")
        hand_in(service, ada)
        machine.passes(hours=48)
        assert sweep(service).files == 1
        folders_of(settings).queue.unlink()
        hand_in(service, users.ensure_user(service.store, users.LOCAL, "bob"))
        assert service.queue._huey.storage.queue_size() == 1


@pytest.mark.faults
@pytest.mark.parametrize("name", [*DATABASES, "queue.db"])
def test_the_service_outlives_thirty_seconds_of_a_locked_database(
    running: Running, name: str
) -> None:
    service, ada = running.service, running.user("ada")
    path = running.settings.data_dir / name
    running.hand_in(ada, [picture(160, 110)] * 10, scale=16)
    running.start()
    running.until(lambda: ledger.running(service), 60, "a job runs")

    with locked_for(path, 30):
        began = time.monotonic()
        if name == "queue.db":
            running.hand_in(ada, [picture()], scale=2)
        else:
            with pytest.raises(DatabaseBusy):
                running.hand_in(ada, [picture()], scale=2)
            for left in service.folders.inbox.iterdir():
                left.unlink()
        assert time.monotonic() - began < 25
        running.kill("scheduler")
    handed_in = len(ledger.jobs(service))
    assert handed_in == (11 if name == "queue.db" else 10)

    running.until(lambda: ledger.all_ended(service), 240, "every job has ended")
    ended = ledger.check_jobs(service, handed_in)
    assert set(ended.reasons) <= {"DATABASE_BUSY"}
    assert ended.share >= 0.9
    assert not running.has_died()

    running.passes(hours=48)
    before = running.output.stat().st_size
    with locked_for(path, 30):
        running.kill("scheduler")
        if name == "queue.db":  # which has nothing to do with deleting
            running.until(lambda: not keys.known(service.store.keys), 25, "all keys have gone")
    running.until(lambda: running.has_said("scheduler_ready", before), 60, "it is back")
    running.until(lambda: not keys.known(service.store.keys), 60, "all keys have gone")
    assert running.stop() == 0
    sweep(service)
    reconcile_leftovers(service.store)
    ledger.check_no_scraps(service)


@pytest.mark.faults
def test_the_service_starts_although_the_rows_are_locked_for_thirty_seconds(
    running: Running,
) -> None:
    running.hand_in(running.user("ada"), [picture()], scale=2)
    with locked_for(running.settings.data_dir / "app.db", 30):
        running.start()

    running.until(lambda: ledger.all_ended(running.service), 90, "the job has ended")
    assert not running.has_died()
    assert ledger.check_jobs(running.service, 1).share == 1
    assert running.stop() == 0
