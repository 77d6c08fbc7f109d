"""A disk without room: told plainly, nothing half-written counts, and it mends itself.

Needs to mount a small tmpfs: runs as root on Linux, and is skipped elsewhere with the reason.
"""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from app import cli_service
from app.settings import Settings
from db import batches, keys, sweeps, users, workers
from db.connection import checkpoint_truncate
from db.errors import StorageFull
from db.upkeep import SweepKind
from db.work import State
from inference.engine import Engine
from inference.options import Options
from inference.weights import ModelStore
from tasks.deletion import delete_batch
from tasks.recovery import recover
from tasks.retention import reconcile_leftovers, sweep
from tasks.service import Service, prepare
from tasks.submissions import Upload, submit_batch
from tasks.upscaling import Upscaler
from tests.db.machine import Machine
from tests.faults import ledger
from tests.faults.service import Running
from tests.tasks.pictures import FAST, picture

MIB = 1024 * 1024


class Disk:
    """A file system of few MiB, and a file of no use that fills what is left of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        self._filler = root / "filler"

    def fill(self, leave: int = 0) -> None:
        """Take all room but `leave` bytes."""
        with self._filler.open("ab", buffering=0) as filler:
            for size in (MIB, 4096, 512):
                try:
                    while filler.write(b"\1" * size) == size:
                        pass
                except OSError:
                    continue
        if leave:
            with self._filler.open("r+b") as filler:
                filler.truncate(max(0, self._filler.stat().st_size - leave))

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    root = tmp_path / "disk"
    root.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", str(root)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("DISK FULL IS NOT TESTED: there is no mount command here.")
    if mounted.returncode:
        pytest.skip(f"DISK FULL IS NOT TESTED: no tmpfs can be mounted ({mounted.stderr.strip()}).")
    try:
        yield Disk(root)
    finally:
        subprocess.run(["umount", "--lazy", str(root)], check=True)


@pytest.fixture
def machine() -> Machine:
    return Machine(wall=datetime.now(UTC).timestamp())


@pytest.fixture
def service(
    disk: Disk, models_path: Path, machine: Machine, own_temporary_files: None
) -> Iterator[Service]:
    settings = Settings(data_dir=disk.data, device="cpu")
    prepare(settings)
    settings.models_dir.symlink_to(models_path)
    with Service.open(settings, readers=machine.readers) as service:
        yield service


@pytest.fixture
def ada(service: Service) -> UUID:
    return users.ensure_user(service.store, users.LOCAL, "ada")


def hand_in(service: Service, user_id: UUID, data: bytes, key: str | None = None) -> UUID:
    path = service.folders.inbox / "upload"
    path.write_bytes(data)
    try:
        return submit_batch(service, user_id, [Upload(path, "a.png")], Options(model=FAST), key)
    finally:
        path.unlink(missing_ok=True)


def work(service: Service) -> int:
    """Do what waits, as a worker's thread does; how many attempts that was."""
    engine = Engine(ModelStore(service.folders.models), "cpu")
    upscaler = Upscaler(
        service.store, engine, workers.register(service.store, "cpu"), lambda: False
    )
    number = 0
    while upscaler.upscale_next():
        number += 1
    return number


def test_handing_in_until_nothing_fits_any_more_and_going_on_when_it_does(
    service: Service, ada: UUID, disk: Disk, machine: Machine
) -> None:
    disk.fill(leave=MIB)
    promised = list[UUID]()
    with pytest.raises(OSError, match=r"No space left|storage is full"):
        _hand_in_for_ever(service, ada, promised)
    assert len(promised) > 2
    # What is told when the upload itself still fits, and nothing else does.
    disk.free()
    path = service.folders.inbox / "upload"
    path.write_bytes(picture(160, 110))
    disk.fill()
    with pytest.raises(StorageFull):
        submit_batch(service, ada, [Upload(path, "a.png")], Options(model=FAST))

    assert path.exists(), "an upload is removed only when it was taken over"
    assert len(ledger.jobs(service)) == len(promised)
    disk.free()
    path.unlink()
    assert work(service) == len(promised)
    ended = ledger.check_jobs(service, len(promised))
    assert ended.share == 1
    machine.passes(minutes=16)
    reconcile_leftovers(service.store)
    ledger.check_no_scraps(service)


def _hand_in_for_ever(service: Service, user_id: UUID, promised: list[UUID]) -> None:
    for _ in range(500):
        try:
            promised.append(hand_in(service, user_id, picture(160, 110)))
        except StorageFull as error:
            raise OSError(error.message) from error
    raise AssertionError("the disk does not fill")


@pytest.mark.parametrize("room", [0, 64, 128, 192, 256, 320, 448, 640], ids=lambda kib: f"{kib}k")
def test_wherever_the_disk_becomes_full_under_a_job_nothing_half_done_is_called_done(
    service: Service, ada: UUID, disk: Disk, machine: Machine, room: int
) -> None:
    batch_id = hand_in(service, ada, picture(160, 110))
    disk.fill(leave=room * 1024)
    try:
        work(service)
    except StorageFull:
        assert room < 256, "so full that not even the failure could be written down"
    (job,) = ledger.jobs(service)
    if job.state == State.FAILED:
        assert job.error_code == "STORAGE_FULL"
    assert not list((service.store.blobs.root / "new").iterdir())

    disk.free()
    machine.passes(seconds=31)
    recover(service)
    work(service)

    (job,) = ledger.jobs(service)
    ended = ledger.check_jobs(service, 1)
    assert set(ended.reasons) <= {"STORAGE_FULL"}
    machine.passes(minutes=16)
    reconcile_leftovers(service.store)
    ledger.check_no_scraps(service)
    delete_batch(service, batch_id, ada)
    ledger.check_no_scraps(service)


def test_a_sweep_deletes_on_a_full_disk(
    service: Service, ada: UUID, disk: Disk, machine: Machine
) -> None:
    for _ in range(3):
        hand_in(service, ada, picture(160, 110))
    machine.passes(hours=48)
    disk.fill()

    assert sweep(service).files == 3

    assert not list(service.store.blobs.finished())
    assert not keys.known(service.store.keys)
    assert ledger.check_receipts(service) == 3
    last = sweeps.last(service.store, SweepKind.RETENTION)
    assert last is not None
    assert last.deleted >= 3
    disk.free()
    ledger.check_no_scraps(service)


@pytest.mark.parametrize("hours", [1, 48])
def test_catching_up_on_a_full_disk_does_what_it_can_and_lets_the_service_start(
    service: Service,
    ada: UUID,
    disk: Disk,
    machine: Machine,
    caplog: pytest.LogCaptureFixture,
    hours: int,
) -> None:
    hand_in(service, ada, picture(160, 110))
    machine.passes(hours=hours)
    checkpoint_truncate(service.store.rows)
    disk.fill()

    cli_service.bring_up_to_date(Settings(data_dir=disk.data), machine.readers)

    left = len(list(service.store.blobs.finished()))
    assert (left, len(keys.known(service.store.keys))) == ((1, 1) if hours < 48 else (0, 0))
    told = [record.code for record in caplog.records if record.message == "not_up_to_date"]
    assert set(told) == {"STORAGE_FULL"}, "one small picture makes no room for its receipt"
    disk.free()
    assert sweep(service).files == (0 if hours < 48 else 1)
    assert ledger.check_receipts(service) == (0 if hours < 48 else 1)


def test_a_batch_is_deleted_on_a_full_disk(service: Service, ada: UUID, disk: Disk) -> None:
    batch_id = hand_in(service, ada, picture(160, 110))
    disk.fill()

    assert delete_batch(service, batch_id, ada) == 1

    assert not list(service.store.blobs.finished())
    assert ledger.check_receipts(service) == 1


def test_a_promised_batch_is_promised_although_its_nudges_did_not_fit(
    service: Service, ada: UUID, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = batches.create

    def and_then_it_is_full(*arguments: object, **more: object) -> batches.Created:
        created = really(*arguments, **more)
        disk.fill()
        return created

    monkeypatch.setattr(batches, "create", and_then_it_is_full)
    batch_id = hand_in(service, ada, picture())
    monkeypatch.undo()

    assert [job.batch_id for job in ledger.jobs(service)] == [batch_id]
    disk.free()
    assert recover(service) == 1


def test_the_service_starts_sweeps_and_goes_on_with_a_full_disk(
    disk: Disk, tmp_path: Path, models_path: Path, own_temporary_files: None
) -> None:
    running = Running(tmp_path, models_path, disk.data)
    try:
        service, ada = running.service, running.user("ada")
        running.hand_in(ada, [picture(160, 110)], scale=2)
        running.start()
        running.until(lambda: ledger.all_ended(service), 60, "the first is done")
        assert running.stop() == 0
        made = len(ledger.stored(service))
        running.hand_in(ada, [picture(160, 110)], scale=16)  # the result does not fit
        running.passes(seconds=31)
        disk.fill()

        running.start()
        running.until(lambda: running.has_said("worker_ready"), 60, "a worker is ready")
        running.passes(hours=19)  # not yet due, and still time to start
        disk.free()
        before = running.output.stat().st_size
        running.kill("scheduler")
        running.until(lambda: running.has_said("scheduler_ready", before), 60, "it is back")
        running.until(lambda: ledger.all_ended(service), 120, "all has ended")
        running.passes(hours=48)
        disk.fill()
        running.kill("scheduler")
        running.until(lambda: not keys.known(service.store.keys), 60, "all keys have gone")
        running.until(lambda: not list(service.store.blobs.finished()), 20, "all bytes have gone")
        disk.free()
        assert running.stop() == 0
        ended = ledger.check_jobs(service, 2)
        assert set(ended.reasons) <= {"STORAGE_FULL"}
        sweep(service)
        assert ledger.check_receipts(service) == len(ledger.stored(service)) > made
        ledger.check_no_scraps(service)
    finally:
        running.close()
