"""Killed at any line, nothing promised is lost and nothing is left that no row explains.

What a killed process leaves is what lies on the disk at that moment. So a deed is done once, and
before each line of `db/` that it executes, the disk is looked at; each state that was there to be
seen is then opened as the next process would find it.
"""

import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import db
from db import batches, files, jobs, keys, receipts, retention
from db.audit import audit
from db.errors import Gone
from db.reconcile import Reconciled, reconcile
from db.work import Cause, File, Role, State
from tests.db.machine import Machine
from tests.db.places import Places
from tests.db.situations import (
    a_batch,
    a_claim,
    a_user,
    count,
    file_rows,
    job_row,
    kept,
    new_job,
)

ROOM = str(Path(db.__file__).parent)


def a_person(store):
    return a_user(store)


def keep(store, _):
    files.keep(store, io.BytesIO(bytes(600_000)), Role.ORIGINAL, format="png")


def two_uploads(store):
    return [new_job(store), new_job(store)]


def submit(store, uploads):
    batches.create(store, a_user(store), uploads, options={}, most_open_jobs=5)


def a_done_claim(store):
    a_batch(store)
    return a_claim(store), [kept(store, b"big", Role.RESULT), kept(store, b"p", Role.PREVIEW)]


def finish(store, done):
    jobs.finish(store, *done, {"device": "cpu"}, 9)


def two_pictures(store):
    a_batch(store, pictures=2)
    return [row.id for row in file_rows(store)]


def erase(store, file_ids):
    files.erase(store, file_ids, Cause.USER)


def two_kept(store):
    return [kept(store), kept(store)]


DEEDS = {
    "keep": (a_person, keep),
    "submit": (two_uploads, submit),
    "finish": (a_done_claim, finish),
    "erase": (two_pictures, erase),
    "discard": (two_kept, files.discard),
}


class Onlooker:
    """Keeps a copy of every state of the disk that there is at the begin of a line of `db/`."""

    def __init__(self, places: Places, folder: Path):
        self.places, self.folder = places, folder
        self.seen, self.lines = {}, 0

    def look(self):
        self.lines += 1
        state = hashlib.sha256()
        for path in sorted(self.places.folder.rglob("*")):
            # The index of a log is made anew by whoever opens a database first.
            if path.is_file() and not path.name.endswith("-shm"):
                state.update(path.name.encode() + path.read_bytes())
        if state.digest() not in self.seen:
            copy = self.folder / str(len(self.seen))
            self.seen[state.digest()] = self.places.copy_to(copy)

    def trace(self, frame, event, _):
        if not frame.f_code.co_filename.startswith(ROOM):
            return None
        if event == "line":
            self.look()
        return self.trace


def what_is_there_is_whole(store):
    """Before anybody has cleaned up: a file can be read, or nobody finds it."""
    with_key = keys.known(store.keys)
    for row in file_rows(store):
        if row.hidden_at is None:
            with files.open(store, files.find(store, row.id, row.user_id)) as stream:
                assert len(stream.read()) == row.size
        else:
            with pytest.raises(Gone):
                files.find(store, row.id, row.user_id)
        if row.deleted_at is not None:
            assert row.id not in with_key, "a receipt for a file that can be read"
    blobs = [name for name, _ in store.blobs.finished()]
    assert len(blobs) <= len(with_key) or any(row.hidden_at for row in file_rows(store))
    if sum(receipts.count(store).values()) == count(store, File) > 0:
        assert blobs == [], "a receipt for bytes that are there"


def nothing_is_lost_or_left(places, machine, store, deed):
    # Whoever was killed is dead: what it was writing can be deleted at once.
    reconcile(store)
    assert not list((places.blobs / "new").iterdir())
    machine.passes(minutes=16)
    reconcile(store)
    retention.delete_due(store)
    assert audit(store) == []
    live = [row for row in file_rows(store) if row.deleted_at is None]
    names = {path.name for path in places.blobs.rglob("*") if path.is_file()}
    assert names == {row.blob_name for row in live}
    assert set(keys.known(store.keys)) == {row.id for row in live}
    assert sum(receipts.count(store).values()) == count(store, File) - len(live)
    for row in live:
        stored = files.find(store, row.id, row.user_id)
        with files.open(store, stored) as stream:
            assert len(stream.read()) == row.size
    if deed == "submit":
        assert len(live) in (0, 2), "half a batch"
    if deed == "finish":
        done = [job_row(store, row.job_id).state for row in live if row.role == Role.RESULT]
        assert done in ([], [State.SUCCEEDED])
        assert len(live) in (1, 3), "half a result"
    if deed == "erase":
        assert all(row.hidden_at is None for row in live)
        assert len(live) in (0, 2)


@pytest.mark.parametrize("deed", DEEDS)
def test_killed_at_every_line(deed, places, quick_folder, machine):
    before, do = DEEDS[deed]
    onlooker = Onlooker(places, quick_folder)
    with places.open(machine) as store:
        a_user(store)
        situation = before(store)
        tracer = sys.gettrace()
        sys.settrace(onlooker.trace)
        do(store, situation)
        sys.settrace(tracer)
    assert onlooker.lines > 30
    assert len(onlooker.seen) >= 2, "nothing was ever written"
    for left_behind in onlooker.seen.values():
        then = Machine(**vars(machine))
        with left_behind.open(then) as store:
            what_is_there_is_whole(store)
            nothing_is_lost_or_left(left_behind, then, store, deed)
        shutil.rmtree(left_behind.folder)


BUSY = """
import sys
from pathlib import Path
from db import files
from db.work import Cause
from tests.db.places import Places
from tests.db.situations import a_batch, file_rows, a_user

with Places(Path(sys.argv[1])).open() as store:
    user_id = a_user(store)
    print("ready", flush=True)
    while True:
        a_batch(store, user_id, pictures=2, data=bytes(300_000))
        files.erase(store, [r.id for r in file_rows(store) if r.deleted_at is None], Cause.USER)
"""


@pytest.mark.parametrize("after", [0.05, 0.11, 0.17, 0.23, 0.31])
def test_sigkilled_while_it_keeps_and_erases(after, places):
    with subprocess.Popen(
        [sys.executable, "-c", BUSY, str(places.folder)], stdout=subprocess.PIPE
    ) as busy:
        assert busy.stdout.readline() == b"ready\n"
        time.sleep(after)
        os.kill(busy.pid, signal.SIGKILL)
    with places.open() as store:
        reconcile(store)
        retention.delete_due(store)
        # On the real clock the grace time is not over: what is left is younger than that.
        live = [row for row in file_rows(store) if row.deleted_at is None]
        assert {row.id for row in live} <= set(keys.known(store.keys))
        assert sum(receipts.count(store).values()) == count(store, File) - len(live)
        assert audit(store) == []
        assert reconcile(store) == Reconciled(0, 0, 0, 0)
        a_user(store, "somebody else")
