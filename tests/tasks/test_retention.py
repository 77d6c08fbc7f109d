"""A sweep, an audit and a deletion, with the clock in the test's hand."""

import os
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from db import counts, files, sweeps, views
from db.audit import Kind
from db.errors import Gone, NotFound
from db.upkeep import Metric, SweepKind
from db.work import State
from tasks import retention
from tasks.audit import findings
from tasks.deletion import delete_batch
from tasks.recovery import recover
from tasks.service import Service
from tests.db.machine import Machine
from tests.tasks.conftest import Submit


def original_of(service: Service, batch_id: UUID, user_id: UUID) -> UUID:
    return views.show(service.store, batch_id, user_id).jobs[0].files[0].id


def touch(path: Path, machine: Machine, **age: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"bytes of somebody")
    return set_time(path, machine, **age)


def set_time(path: Path, machine: Machine, **age: float) -> Path:
    at = machine.wall - timedelta(**age).total_seconds()
    os.utime(path, (at, at))
    return path


def test_files_can_be_read_until_the_second_before_48_hours_and_not_after(
    service: Service, ada: UUID, submit: Submit, machine: Machine
) -> None:
    file_id = original_of(service, submit(ada), ada)
    machine.passes(hours=47, minutes=59, seconds=59)
    with files.open(service.store, files.find(service.store, file_id, ada)) as stream:
        assert stream.read(8) == b"\x89PNG\r\n\x1a\n"

    machine.passes(seconds=1)

    with pytest.raises(Gone):
        files.find(service.store, file_id, ada)


def test_a_sweep_deletes_bytes_and_keys_and_leaves_receipts(
    service: Service, ada: UUID, submit: Submit, machine: Machine
) -> None:
    batch_id = submit(ada, 3)
    machine.passes(hours=48)

    swept = retention.sweep(service)

    assert swept.files == 3
    assert retention.sweep(service).files == 0
    assert not list(service.store.blobs.finished())
    receipts = [j.files[0].receipt_id for j in views.show(service.store, batch_id, ada).jobs]
    assert len(set(receipts)) == 3
    assert None not in receipts
    assert findings(service) == []


def test_abandoned_uploads_and_scratch_go_after_an_hour(service: Service, machine: Machine) -> None:
    old = touch(service.folders.inbox / "ada" / "old", machine, hours=1, seconds=1)
    new = touch(service.folders.inbox / "ada" / "new", machine, minutes=59)
    scratch = touch(service.folders.scratch / "left" / "over", machine, hours=2)
    from_the_future = touch(service.folders.scratch / "later", machine, hours=-30)
    assert {f.kind for f in findings(service)} == {Kind.FILE_PAST_ITS_TIME}

    swept = retention.sweep(service)

    assert swept.uploads == 1
    assert not old.exists()
    assert not scratch.exists()
    assert not from_the_future.exists()
    assert new.exists()
    assert findings(service) == []


def test_folders_go_with_the_last_file_in_them(service: Service, machine: Machine) -> None:
    inbox = service.folders.inbox
    old = touch(inbox / "ada" / "one" / "old", machine, hours=2)
    new = touch(inbox / "ada" / "two" / "new", machine, minutes=59)
    alone = touch(inbox / "bob" / "three" / "old", machine, hours=2)
    just_made = inbox / "eve" / "four"
    just_made.mkdir(parents=True)
    for folder, hours in ((old.parent, 2), (alone.parent, 2), (alone.parent.parent, 2)):
        set_time(folder, machine, hours=hours)
    for folder in (just_made, just_made.parent):
        set_time(folder, machine, hours=0)

    retention.sweep(service)

    left = {str(path.relative_to(inbox)) for path in inbox.rglob("*")}
    assert left == {"ada", "ada/two", "ada/two/new", "eve", "eve/four"}
    assert new.exists()


def test_a_file_that_comes_into_a_folder_just_now_keeps_it(
    service: Service, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = service.folders.inbox / "ada"
    folder.mkdir()
    set_time(folder, machine, hours=2)
    rmdir = Path.rmdir

    def beaten(path: Path) -> None:
        (path / "new").touch()
        rmdir(path)

    monkeypatch.setattr(Path, "rmdir", beaten)

    assert retention.sweep(service).uploads == 0
    assert (folder / "new").exists()


def test_logs_go_when_a_line_of_them_is_older_than_fourteen_days(
    service: Service, machine: Machine
) -> None:
    today = service.store.clock.now().date()
    days = {n: today - timedelta(days=n) for n in (0, 13, 14, 15, 40)}
    for day in days.values():
        touch(service.folders.logs / f"worker-{day.isoformat()}.log", machine)

    assert retention.sweep(service).logs == 2

    left = {path.stem[-10:] for path in service.folders.logs.iterdir()}
    assert left == {days[n].isoformat() for n in (0, 13, 14)}


def test_one_part_that_fails_does_not_keep_the_others_from_deleting(
    service: Service, ada: UUID, submit: Submit, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(ada)
    machine.passes(hours=48)
    old = touch(service.folders.inbox / "old", machine, hours=2)

    def broken(_store: object) -> int:
        raise PermissionError("not this one")

    monkeypatch.setattr("db.retention.delete_due", broken)
    with pytest.raises(PermissionError):
        retention.sweep(service)

    assert not old.exists()
    last = sweeps.last(service.store, SweepKind.RETENTION)
    assert last is not None
    assert last.error_code == "INTERNAL"
    monkeypatch.undo()
    assert retention.sweep(service).files == 1


def test_deleting_a_batch_erases_its_files_and_keeps_its_history(
    service: Service, ada: UUID, bob: UUID, submit: Submit
) -> None:
    batch_id = submit(ada, 2)

    with pytest.raises(NotFound):
        delete_batch(service, batch_id, bob)
    assert delete_batch(service, batch_id, ada) == 2
    assert delete_batch(service, batch_id, ada) == 0

    batch = views.show(service.store, batch_id, ada)
    assert batch.state is State.CANCELED
    assert all(f.receipt_id and not f.readable for job in batch.jobs for f in job.files)
    assert findings(service) == []


def test_a_job_that_nobody_started_in_twenty_hours_fails_with_a_reason(
    service: Service, ada: UUID, submit: Submit, machine: Machine
) -> None:
    batch_id = submit(ada)
    machine.passes(hours=20)

    assert recover(service) == 0

    (job,) = views.show(service.store, batch_id, ada).jobs
    assert (job.state, job.failure and job.failure.code) == (State.FAILED, "NOT_STARTED_IN_TIME")
    assert counts.total(service.store, Metric.FAILED) == 1


def test_recovery_nudges_for_what_waits(service: Service, ada: UUID, submit: Submit) -> None:
    submit(ada, 3)
    service.queue._huey.storage.flush_queue()

    assert recover(service) == 3
    assert service.queue._huey.storage.queue_size() == 3


@pytest.mark.parametrize(
    ("where", "what"),
    [("blobs/ab/stranger", "stranger"), ("notes.txt", "notes.txt"), ("cache", "cache")],
)
def test_an_audit_finds_what_nothing_explains(
    service: Service, machine: Machine, where: str, what: str
) -> None:
    assert findings(service) == []
    touch(service.folders.data / where, machine)

    assert [found.what for found in findings(service) if found.kind is Kind.STRANGER] == [what]


def test_an_audit_finds_content_in_the_queue(service: Service) -> None:
    import sqlite3

    service.queue.nudge()
    assert findings(service) == []
    with sqlite3.connect(service.folders.queue) as queue:
        queue.execute(
            "INSERT INTO task (queue, data) VALUES ('images', ?)",
            (b'["1", "tasks.broker.upscale_next", null, 0, 0, null, ["cat.png"], {}]',),
        )

    assert [found.what for found in findings(service)] == ["queue.db: task"]


def test_an_audit_finds_files_past_seventy_two_hours_if_no_sweep_came(
    service: Service, ada: UUID, submit: Submit, machine: Machine
) -> None:
    submit(ada)
    machine.passes(hours=71)
    assert findings(service) == []

    machine.passes(hours=1)

    assert {found.kind for found in findings(service)} == {
        Kind.FILE_PAST_ITS_TIME,
        Kind.KEY_PAST_ITS_TIME,
    }
