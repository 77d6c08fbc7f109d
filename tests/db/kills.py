"""Kills a process at every line of `db/` that a deed executes, and looks at what is left.

Each line the first time it is executed, and the last, for those that are executed again.

A program of its own, because it forks: `python -m tests.db.kills FOLDER DEED`, where FOLDER holds
migrated databases. Each line gets a fresh copy and a child that ends there with `os._exit`, as if
by SIGKILL: no `finally`, no `with`, no commit. Prints how many lines that were; fails by assertion.
"""

import io
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import UUID

import db
from db import batches, files, jobs, keys, receipts, retention
from db.audit import audit
from db.reconcile import reconcile
from db.store import Store
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
KILLED = 57


def a_person(store: Store) -> UUID:
    return a_user(store)


def keep(store: Store, _: UUID) -> None:
    files.keep(store, io.BytesIO(bytes(600_000)), Role.ORIGINAL, format="png")


def two_uploads(store: Store) -> list[batches.NewJob]:
    return [new_job(store), new_job(store)]


def submit(store: Store, uploads: list[batches.NewJob]) -> None:
    batches.create(store, a_user(store), uploads, options={}, most_open_jobs=5)


def a_done_claim(store: Store) -> tuple[jobs.Claim, list[files.Kept]]:
    a_batch(store)
    return a_claim(store), [kept(store, b"big", Role.RESULT), kept(store, b"p", Role.PREVIEW)]


def finish(store: Store, done: tuple[jobs.Claim, list[files.Kept]]) -> None:
    jobs.finish(store, *done, {"device": "cpu"})


def two_pictures(store: Store) -> list[UUID]:
    a_batch(store, pictures=2)
    return [row.id for row in file_rows(store)]


def erase(store: Store, file_ids: list[UUID]) -> None:
    files.erase(store, file_ids, Cause.USER)


def two_kept(store: Store) -> list[files.Kept]:
    return [kept(store), kept(store)]


DEEDS: dict[str, tuple[Callable[[Store], Any], Callable[[Store, Any], None]]] = {
    "keep": (a_person, keep),
    "submit": (two_uploads, submit),
    "finish": (a_done_claim, finish),
    "erase": (two_pictures, erase),
    "discard": (two_kept, files.discard),
}


class Stage:
    """One store that is put back to its beginning before every kill, so that it stays warm."""

    def __init__(self, start: Places, folder: Path) -> None:
        self.machine = Machine()
        with start.open(self.machine) as store:
            a_user(store)
        self._start, self._now = start, (self.machine.wall, self.machine.boot)
        self.places = start.copy_to(folder)
        self.store = self.places.open(self.machine)

    def reset(self) -> None:
        self.store.close()  # its engines open new connections when they are asked again
        shutil.rmtree(self.places.folder)
        self._start.copy_to(self.places.folder)
        self.machine.wall, self.machine.boot = self._now


def do(stage: Stage, name: str, line_is_next: Callable[[FrameType], None]) -> None:
    """Does the deed, and says before each line of `db/` that it is next."""

    def trace(frame: FrameType, event: str, _: object):
        if not frame.f_code.co_filename.startswith(ROOM):
            return None
        if event == "line":
            line_is_next(frame)
        return trace

    before, deed = DEEDS[name]
    situation = before(stage.store)
    sys.settrace(trace)
    deed(stage.store, situation)
    sys.settrace(None)


def executed(stage: Stage, name: str) -> list[int]:
    """The places in the deed's sequence of lines at which to kill it."""
    lines: list[tuple[str, int]] = []
    do(stage, name, lambda frame: lines.append((frame.f_code.co_filename, frame.f_lineno)))
    first = {line: at for at, line in reversed(list(enumerate(lines)))}
    last = {line: at for at, line in enumerate(lines)}
    # How a transaction begins and ends is the same in every deed: once is enough.
    common = set() if name == "keep" else {f"{ROOM}/connection.py", f"{ROOM}/store.py"}
    return sorted(at for at in {*first.values(), *last.values()} if lines[at][0] not in common)


def kill_at(line: int, stage: Stage, name: str) -> None:
    """Does the deed in a child, which dies when it comes to the line."""
    child = os.fork()
    if child == 0:
        left = line

        def die_there(_: FrameType) -> None:
            nonlocal left
            if left == 0:
                os._exit(KILLED)
            left -= 1

        do(stage, name, die_there)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == KILLED, f"the deed did not come to line {line}"


def nothing_is_lost_or_left(stage: Stage, deed: str) -> None:
    places, machine, store = stage.places, stage.machine, stage.store
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


def main(folder: Path, name: str) -> None:
    stage = Stage(Places(folder / "start"), folder / "now")
    lines = executed(stage, name)
    for line in lines:
        stage.reset()
        kill_at(line, stage, name)
        nothing_is_lost_or_left(stage, name)
    stage.store.close()
    print(len(lines))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
