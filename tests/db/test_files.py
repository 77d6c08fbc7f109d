"""Files are kept encrypted, read by their owner alone, and erased for good."""

import errno
import os
import sqlite3
import stat
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from db import blobs as blob_module
from db import files, jobs, keys, receipts, users
from db.audit import audit
from db.errors import DamagedFile, DatabaseBusy, Gone, NotFound, StorageFull
from db.people import User
from db.reconcile import Reconciled, reconcile
from db.work import Batch, Cause, File, Role
from tests.db.situations import (
    MODEL,
    a_batch,
    a_claim,
    a_finished_job,
    a_user,
    count,
    file_of,
    file_rows,
    kept,
    set_columns,
)

NOTHING = Reconciled(0, 0, 0, 0)


def blobs_of(places):
    return [path for path in places.blobs.rglob("*") if path.is_file()]


def a_file(store, user_id=None, data=b"picture"):
    user_id = user_id or a_user(store)
    a_batch(store, user_id, data=data)
    (row,) = file_rows(store)
    return files.find(store, row.id, user_id)


def test_no_byte_and_no_name_of_a_picture_is_stored_in_plain(store, places):
    a_file(store, data=b"canary" * 1000)
    (blob,) = blobs_of(places)
    assert b"canary" not in blob.read_bytes()
    assert len(blob.name) == 32
    assert int(blob.name, 16)


def test_a_file_says_what_was_ordered(store):
    order = a_file(store).order
    assert (order.name, order.model, order.scale) == ("cat.png", MODEL, 4)
    assert (order.target_width, order.target_height, order.target_long_side) == (None, None, None)


def test_folders_and_files_are_for_their_owner_alone(store, places):
    a_file(store)
    for path in [places.blobs, *places.blobs.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_somebody_elses_file_and_no_file_are_the_same_answer(store):
    file, eve = a_file(store), a_user(store, "eve")
    with pytest.raises(NotFound) as not_hers:
        files.find(store, file.id, eve)
    with pytest.raises(NotFound) as not_there:
        files.find(store, eve, eve)
    assert str(not_hers.value) == str(not_there.value)


def test_a_slow_download_ends_when_the_time_of_its_file_is_over(store, machine):
    file = a_file(store, data=bytes(2_000_000))
    with files.open(store, file) as stream:
        machine.passes(hours=47, minutes=59, seconds=59)
        assert stream.read(1000)
        machine.passes(seconds=1)
        with pytest.raises(Gone):
            stream.read()


def test_a_file_that_was_erased_after_it_was_found_is_gone(store):
    file = a_file(store)
    files.erase(store, [file.id], Cause.USER)
    with pytest.raises(Gone):
        files.open(store, file)
    with pytest.raises(Gone):
        files.find(store, file.id, a_user(store))


def test_a_lost_blob_is_said_to_be_damaged_and_leaves_nothing_open(store, places):
    file = a_file(store)
    blobs_of(places)[0].write_bytes(b"")
    with pytest.raises(DamagedFile):
        files.open(store, file)
    blobs_of(places)[0].unlink()
    with pytest.raises(DamagedFile):
        files.open(store, file)


def test_a_writer_that_is_not_finished_leaves_nothing(store, places):
    with files.Writer(store, Role.RESULT, format="png") as writer:
        writer.write(bytes(1_000_000))
    files.Writer(store, Role.RESULT, format="png").abandon()
    assert blobs_of(places) == []
    assert keys.known(store.keys) == {}


def test_a_writer_that_has_ended_takes_nothing_more(store):
    finished = files.Writer(store, Role.RESULT, format="png")
    finished.finish()
    given_up = files.Writer(store, Role.RESULT, format="png")
    given_up.abandon()
    for writer in (finished, given_up):
        with pytest.raises(ValueError, match="ended"):
            writer.write(b"more")
        with pytest.raises(ValueError, match="ended"):
            writer.finish()


def test_a_writer_takes_a_zip_without_compression(store):
    """The form of a preview."""
    with files.Writer(store, Role.PREVIEW, format="zip", pictures=Role.RESULT) as writer:
        with zipfile.ZipFile(writer, "w") as archive:
            archive.writestr("0/0_0.webp", b"tile")
        preview = writer.finish()
    user_id = a_user(store)
    a_batch(store, user_id)
    claim = a_claim(store)
    jobs.finish(store, claim, [preview], {}, 9)
    with files.open(store, files.find(store, preview.id, user_id)) as stream:
        assert zipfile.ZipFile(stream).read("0/0_0.webp") == b"tile"


def test_what_is_discarded_leaves_nothing(store, places):
    files.discard(store, [kept(store), kept(store)])
    assert blobs_of(places) == []
    assert keys.known(store.keys) == {}


def test_an_export_can_be_read_for_24_hours(store, machine):
    user_id = a_user(store)
    export = kept(store, b"all", Role.EXPORT)
    assert files.keep_export(store, export, user_id) == store.clock.now() + timedelta(hours=24)
    machine.passes(hours=23, minutes=59)
    assert files.find(store, export.id, user_id).order is None
    machine.passes(minutes=1)
    with pytest.raises(Gone):
        files.find(store, export.id, user_id)


def test_a_download_is_remembered_once(store, machine):
    file = a_file(store)
    first = store.clock.now()
    files.note_download(store, file)
    machine.passes(hours=1)
    files.note_download(store, file)
    assert file_rows(store)[0].first_downloaded_at == first


def test_bytes_that_waited_too_long_for_their_row_are_not_promised(store, machine):
    """A process may be stopped for an hour, and the reconciler was not."""
    original = kept(store)
    machine.passes(minutes=10, seconds=1)
    with pytest.raises(DamagedFile):
        files.keep_export(store, original, a_user(store))


# --- erasing ---------------------------------------------------------------------------------


def test_erasing_leaves_a_row_a_receipt_and_no_byte(store, places, machine):
    file = a_file(store)
    machine.passes(hours=1)
    assert files.erase(store, [file.id], Cause.USER) == 1
    (row,) = file_rows(store)
    assert row.deleted_at == row.hidden_at == store.clock.now()
    assert row.blob_name is None
    assert row.receipt_id is not None
    assert blobs_of(places) == []
    assert keys.known(store.keys) == {}
    assert receipts.count(store) == {Cause.USER: 1}


def test_no_trace_of_a_key_is_left_in_the_key_store(store, places):
    file = a_file(store)
    key = keys.get(store.keys, file.id)
    surfaces = [places.folder / "keys.db", places.folder / "keys.db-wal"]
    assert any(key in path.read_bytes() for path in surfaces)
    files.erase(store, [file.id], Cause.USER)
    assert not any(key in path.read_bytes() for path in surfaces if path.exists())


def test_erasing_again_writes_no_second_receipt_and_keeps_the_first_cause(store):
    file = a_file(store)
    assert files.erase(store, [file.id], Cause.USER) == 1
    assert files.erase(store, [file.id], Cause.EXPIRED) == 0
    assert receipts.count(store) == {Cause.USER: 1}


def test_one_blob_that_cannot_be_deleted_does_not_save_the_others(store, places, monkeypatch):
    a_batch(store, pictures=3)
    ids = [row.id for row in file_rows(store)]
    stubborn = file_rows(store)[0].blob_name
    really_delete = store.blobs.delete

    def delete(name):
        if name == stubborn:
            raise PermissionError(errno.EPERM, "immutable")
        really_delete(name)

    monkeypatch.setattr(store.blobs, "delete", delete)
    with pytest.raises(PermissionError):
        files.erase(store, ids, Cause.USER)
    assert len(blobs_of(places)) == 1
    assert keys.known(store.keys) == {}
    monkeypatch.undo()
    assert files.erase(store, ids, Cause.EXPIRED) == 1
    assert receipts.count(store) == {Cause.USER: 3}


def test_a_read_only_blob_and_an_open_one_are_erased_all_the_same(store, places):
    file = a_file(store)
    (blob,) = blobs_of(places)
    blob.chmod(0o400)
    with files.open(store, file):
        files.erase(store, [file.id], Cause.USER)
        assert blobs_of(places) == []


# --- no room ---------------------------------------------------------------------------------


class FullDisk:
    """Lets some calls of a system function through, then says that there is no room."""

    def __init__(self, really, calls):
        self.really, self.left = really, calls

    def __call__(self, *args, **kwargs):
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.really(*args, **kwargs)


@pytest.mark.parametrize("function", ["write", "fsync", "open"])
def test_a_full_disk_is_a_clear_error_at_every_single_call(store, places, monkeypatch, function):
    """At the first write, the second, … until one `keep` needs no more of them."""
    really = getattr(os, function)
    for calls in range(30):
        monkeypatch.setattr(blob_module.os, function, FullDisk(really, calls))
        try:
            done = kept(store, bytes(600_000))
        except StorageFull:
            monkeypatch.setattr(blob_module.os, function, really)
            assert blobs_of(places) == []
            assert keys.known(store.keys) == {}
        else:
            break
    assert calls >= 1
    assert [path.name for path in blobs_of(places)] == [done.blob_name]


def test_a_key_that_finds_no_room_leaves_no_bytes(store, places, monkeypatch):
    def no_room(*_):
        raise StorageFull

    monkeypatch.setattr(files.keys, "put", no_room)
    with pytest.raises(StorageFull):
        kept(store)
    assert blobs_of(places) == []


def until_full(call):
    """What was done before there was no room."""
    done = []
    try:
        while True:
            done.append(call())
    except StorageFull:
        return done


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_really_full_disk_takes_nothing_half_and_recovers_by_itself(migrated, tmp_path, machine):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount anything")
    try:
        there = migrated.copy_to(small / "data")
        with there.open(machine) as store:
            user_id = a_user(store)
            a_batch(store, user_id, data=os.urandom(100_000))
            (promised,) = file_rows(store)
            done = until_full(lambda: kept(store, os.urandom(700_000)))
            assert done
            assert len(blobs_of(there)) == len(done) + 1 == len(keys.known(store.keys))
            in_rows = until_full(lambda: users.ensure_user(store, "local", os.urandom(120).hex()))
            assert count(store, User) == len(in_rows) + 1
            # Nothing but deleting helps now, so deleting must be possible.
            assert files.erase(store, [promised.id], Cause.USER) == 1
            files.discard(store, done)
            a_batch(store, user_id)
            assert reconcile(store) == NOTHING
            assert audit(store) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_busy_key_store_is_a_clear_error_and_leaves_no_bytes(places, machine):
    with places.open(machine, busy_timeout=0.05) as store:
        other = sqlite3.connect(places.folder / "keys.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy):
            kept(store)
        other.close()
        assert blobs_of(places) == []
        kept(store)


# --- memory ----------------------------------------------------------------------------------

BIG = """
import sys, time
from pathlib import Path
from db import files
from db.work import Role
from tests.db.places import Places
from tests.db.situations import a_user

class Zeros:
    left = 300 * 2**20
    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)

def peak():
    # Not ru_maxrss, which a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024

with Places(Path(sys.argv[1])).open() as store:
    user_id = a_user(store)
    warm = files.Writer(store, Role.EXPORT, format="zip")
    warm.write(bytes(2**20))
    files.discard(store, [warm.finish()])
    before, begun = peak(), time.monotonic()
    kept = files.keep(store, Zeros(), Role.EXPORT, format="zip")
    kept_in = time.monotonic() - begun
    files.keep_export(store, kept, user_id)
    begun, size = time.monotonic(), 0
    with files.open(store, files.find(store, kept.id, user_id)) as stream:
        while data := stream.read(2**20):
            size += len(data)
    assert size == 300 * 2**20
    print(peak() - before, f"{kept_in:.2f}", f"{time.monotonic() - begun:.2f}")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_stays_flat_for_300_megabytes(places, record_property):
    ran = subprocess.run(
        [sys.executable, "-c", BIG, str(places.folder)], capture_output=True, text=True, check=True
    )
    more, kept_in, read_in = ran.stdout.split()
    record_property("megabytes", more)
    record_property("seconds", f"{kept_in} to keep, {read_in} to read")
    assert int(more) < 40


def open_descriptors():
    return len(list(Path("/dev/fd").iterdir()))


def test_nothing_is_left_open(store, places):
    for turn in range(5):
        if turn == 1:  # by now every connection that is kept is open
            before = open_descriptors()
        a_batch(store)
        claim = a_finished_job(store)
        file = files.find(store, file_of(store, claim.job_id, Role.RESULT), claim.user_id)
        with files.open(store, file) as stream:
            stream.read()
        files.erase(store, [file.id], Cause.USER)
    assert open_descriptors() == before


def test_a_row_whose_bytes_live_cannot_be_removed(store):
    a_file(store)
    for table in (User, Batch):
        with pytest.raises(IntegrityError), store.writing() as rows:
            rows.execute(delete(table))
    with pytest.raises(IntegrityError):
        set_columns(store, File, deleted_at=store.clock.now())
    assert count(store, File) == 1
