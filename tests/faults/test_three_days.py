"""Three days, and whether a picture can be read in the first two and found after the third."""

import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from app.settings import Settings
from db import files, keys, sweeps, users, workers
from db.errors import Gone
from db.holds import end_hold, open_hold
from db.upkeep import HoldReason, SweepKind
from inference.engine import Engine
from inference.options import Options
from inference.weights import ModelStore
from tasks import audit
from tasks.retention import reconcile_leftovers, sweep
from tasks.scheduler import _scheduler
from tasks.service import Service, prepare
from tasks.submissions import Upload, submit_batch
from tasks.upscaling import Upscaler
from tests.db.machine import Machine
from tests.faults import ledger
from tests.faults.canary import Canary, Hit, search
from tests.faults.service import Running
from tests.tasks.pictures import FAST

ALIVE = {"first four hours": range(4), "last four": range(20, 24), "one in six": range(5, 24, 6)}
ROLES = 4  # original, result, and a preview of each


@pytest.fixture
def canary() -> Canary:
    return Canary()


@pytest.fixture
def machine() -> Machine:
    return Machine(wall=datetime.now(UTC).timestamp())


@pytest.fixture
def service(
    tmp_path: Path, models_path: Path, machine: Machine, own_temporary_files: None
) -> Iterator[Service]:
    settings = Settings(data_dir=tmp_path / "data", device="cpu")
    prepare(settings)
    settings.models_dir.symlink_to(models_path)
    with Service.open(settings, readers=machine.readers) as service:
        yield service


@pytest.fixture
def ada(service: Service) -> UUID:
    return users.ensure_user(service.store, users.LOCAL, "ada")


def upload(service: Service, canary: Canary) -> Upload:
    path = service.folders.inbox / "upload"
    path.write_bytes(canary.picture())
    return Upload(path, "cat.png")


def upscale(service: Service, user_id: UUID, canary: Canary) -> list[UUID]:
    """Hand the canary in and do it; its files."""
    before = {file.id for file in ledger.stored(service)}
    batch_id = submit_batch(service, user_id, [upload(service, canary)], Options(model=FAST))
    engine = Engine(ModelStore(service.folders.models), "cpu")
    worker_id = workers.register(service.store, "cpu")
    assert Upscaler(service.store, engine, worker_id, lambda: False).upscale_next()
    workers.sign_off(service.store, worker_id)
    assert batch_id
    made = [file.id for file in ledger.stored(service) if file.id not in before]
    assert len(made) == ROLES
    return made


def is_readable(service: Service, file_id: UUID, user_id: UUID) -> bool:
    try:
        with files.open(service.store, files.find(service.store, file_id, user_id)) as stream:
            return len(stream.read()) > 0
    except Gone:
        return False


def secrets_of(service: Service) -> dict[str, bytes]:
    """What leads to the bytes of the files that are there now."""
    store = service.store
    with keys.reading(store.keys) as rows:
        found = rows.execute(select(keys.FileKey.file_id, keys.FileKey.key)).all()
    assert found
    secrets = {f"key {row.file_id}": row.key for row in found}
    for file in ledger.stored(service):
        if file.blob_name is not None:
            secrets[f"blob {file.id}"] = file.blob_name.encode()
            secrets[f"id {file.id}"] = file.id.hex.encode()
            secrets[f"bytes of id {file.id}"] = file.id.bytes
            secrets[f"long id {file.id}"] = str(file.id).encode()
    return secrets


def traces(folder: Path, secrets: dict[str, bytes], canary: Canary) -> set[Hit]:
    """What is found of the files, but for the row that says that there was one."""
    return {
        hit
        for hit in search([folder], secrets, canary)
        if not ("id " in hit.what and hit.where.startswith(f"{folder.name}/app.db"))
    }


def fresh_scheduler(service: Service) -> None:
    """What a scheduler does that was started just now and does not live to see an interval."""
    jobs = [j for j in _scheduler(service).get_jobs() if j.next_run_time <= datetime.now(UTC)]
    assert {job.id for job in jobs} == {"retention", "reconcile", "recovery"}
    for job in jobs:
        job.func()


def test_while_it_is_kept_a_picture_lies_nowhere_in_plain(
    service: Service, ada: UUID, canary: Canary
) -> None:
    upload(service, canary)
    in_plain = search([service.folders.data], {}, canary)
    assert {hit.how for hit in in_plain} >= {"raw", "picture"}
    assert {hit.where for hit in in_plain} == {"data/inbox/upload"}

    upscale(service, ada, canary)

    assert search([service.folders.data], {}, canary) == set()
    found = traces(service.folders.data, secrets_of(service), canary)
    where = {what: {h.where for h in found if h.what.startswith(what)} for what in ("key", "blob")}
    assert where["key"] <= {"data/keys.db", "data/keys.db-wal"}
    assert where["key"]
    assert any("blobs/" in place for place in where["blob"])


@pytest.mark.parametrize("sweeping", [True, False], ids=["swept", "never swept"])
def test_a_file_can_be_read_until_the_last_second_of_48_hours(
    service: Service, ada: UUID, canary: Canary, machine: Machine, sweeping: bool
) -> None:
    made = upscale(service, ada, canary)
    for _ in range(47):
        machine.passes(hours=1)
        if sweeping:
            fresh_scheduler(service)
    machine.passes(minutes=59, seconds=59)
    if sweeping:
        fresh_scheduler(service)
    assert all(is_readable(service, file_id, ada) for file_id in made)
    opened = files.open(service.store, files.find(service.store, made[0], ada))

    machine.passes(seconds=1)

    assert not any(is_readable(service, file_id, ada) for file_id in made)
    with pytest.raises(Gone):
        opened.read()
    opened.close()
    if sweeping:
        fresh_scheduler(service)
        assert ledger.check_receipts(service) == ROLES


@pytest.mark.parametrize("alive", ALIVE)
def test_nothing_is_left_after_72_hours_of_a_scheduler_that_hardly_lives(
    service: Service, ada: UUID, canary: Canary, machine: Machine, alive: str
) -> None:
    secrets, over = dict[str, bytes](), []
    for hour in range(96):
        if hour in (0, 12):
            over += [(hour + 72, made) for made in [upscale(service, ada, canary)]]
            secrets |= secrets_of(service)
        for _ in range(12):
            # Killed before its interval of ten minutes is over, and started again.
            if hour % 24 in ALIVE[alive]:
                fresh_scheduler(service)
            machine.passes(minutes=5)
        for end, made in over:
            assert all(is_readable(service, f, ada) for f in made) is (hour + 1 < end - 24)
        gone = {str(f) for end, made in over if hour + 1 >= end for f in made}
        if hour + 1 in {end for end, _ in over}:
            past = {what: s for what, s in secrets.items() if what.split()[-1] in gone}
            assert past
            assert traces(service.folders.data, past, canary) == set()
            assert not {f.id for f in ledger.stored(service) if str(f.id) in gone and f.blob_name}
            assert audit.findings(service) == []

    assert not keys.known(service.store.keys)
    assert not list(service.store.blobs.finished())
    assert ledger.check_receipts(service) == 2 * ROLES


def test_without_any_sweep_the_search_would_find_it(
    service: Service, ada: UUID, canary: Canary, machine: Machine
) -> None:
    upscale(service, ada, canary)
    secrets = secrets_of(service)
    machine.passes(hours=72)

    found = {hit.what.split()[0] for hit in traces(service.folders.data, secrets, canary)}

    assert {"key", "blob"} <= found
    assert audit.findings(service)


def test_a_held_file_outlives_the_three_days_unread_and_goes_when_the_hold_ends(
    service: Service, ada: UUID, canary: Canary, machine: Machine
) -> None:
    held, *others = upscale(service, ada, canary)
    secrets = secrets_of(service)
    until = service.store.clock.now() + timedelta(days=5)
    hold = open_hold(service.store, [held], HoldReason.LEGAL_CLAIM, until)
    for _ in range(12 * 6):
        machine.passes(hours=1)
        fresh_scheduler(service)

    found = {hit.what.split()[-1] for hit in traces(service.folders.data, secrets, canary)}
    assert found == {str(held)}
    assert not is_readable(service, held, ada)
    assert set(keys.known(service.store.keys)) == {held}
    assert audit.findings(service) == []
    assert ledger.check_receipts(service) == len(others)

    end_hold(service.store, hold)
    fresh_scheduler(service)

    assert traces(service.folders.data, secrets, canary) == set()
    assert ledger.check_receipts(service) == ROLES
    ledger.check_no_scraps(service)


def test_three_days_of_the_real_processes(
    running: Running, canary: Canary, say: Callable[[str], None]
) -> None:
    service, folder = running.service, running.settings.data_dir
    ada = running.user("ada")
    batch_id = running.hand_in(ada, [canary.picture()])
    running.start()
    running.until(lambda: ledger.all_ended(service), 60, "the picture is done")
    assert ledger.check_jobs(service, 1).share == 1
    made = [file.id for file in ledger.stored(service)]
    expires_at = ledger.stored(service)[0].expires_at
    secrets = secrets_of(service)
    assert batch_id

    def swept() -> datetime | None:
        past = sweeps.last(service.store, SweepKind.RETENTION)
        return past and past.started_at

    def left() -> float:
        return float((expires_at - service.store.clock.now()).total_seconds())

    def another_scheduler() -> None:
        before = swept()
        running.kill("scheduler")
        running.until(lambda: swept() != before, 60, "a new scheduler has swept")

    running.passes(hours=47)
    another_scheduler()
    os.kill(running.pid("scheduler"), signal.SIGSTOP)  # as good as dead, for twenty hours
    running.passes(seconds=left() - 3)
    assert all(is_readable(service, file_id, ada) for file_id in made)
    running.until(lambda: left() <= 0, 10, "48 hours are over")
    assert not any(is_readable(service, file_id, ada) for file_id in made)
    for _ in range(20):
        running.passes(hours=1)
        assert not any(is_readable(service, file_id, ada) for file_id in made)
    assert len(keys.known(service.store.keys)) == ROLES, "somebody else has swept"

    another_scheduler()
    for _ in range(3):
        running.passes(seconds=300)
        another_scheduler()
    running.passes(seconds=left() + 24 * 3600)

    assert traces(running.settings.data_dir, secrets, canary) == set()
    assert search([running.output], secrets, canary) == set()
    assert running.stop() == 0
    assert traces(folder, secrets, canary) == set()
    assert ledger.check_receipts(service) == ROLES
    sweep(service)
    reconcile_leftovers(service.store)
    ledger.check_no_scraps(service)
    say(f"{len(secrets)} secrets searched for on {len(list(folder.rglob('*')))} surfaces")
