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

import db
from db import batches, files, jobs, keys, receipts, retention
from db.audit import audit
from db.reconcile import Reconciled, reconcile
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


def keep(store: Store) -> None:
    files.keep(store, io.BytesIO(bytes(600_000)), Role.ORIGINAL, format="png")


def submit(store: Store) -> None:
    batches.create(store, a_user(store), [new_job(store), new_job(store)], options={})


def finish(store: Store) -> None:
    claim = a_claim(store)
    with files.Writer(store, Role.RESULT, format="png") as sink:
        sink.write(bytes(600_000))
        result = sink.finish()
    jobs.finish(store, claim, [result, kept(store, b"tiles", Role.PREVIEW)], {})


def erase(store: Store) -> None:
    files.erase(store, [row.id for row in file_rows(store)], Cause.USER)


def discard(store: Store) -> None:
    files.discard(store, [kept(store)])


def two_pictures(store: Store) -> None:
    a_batch(store, pictures=2)


def nothing(store: Store) -> None:
    a_user(store)


DEEDS: dict[str, tuple[Callable[[Store], None], Callable[[Store], None]]] = {
    "keep": (nothing, keep),
    "submit": (nothing, submit),
    "finish": (two_pictures, finish),
    "erase": (two_pictures, erase),
    "discard": (nothing, discard),
}


def executed(places: Places, machine: Machine, deed: Callable[[Store], None]) -> list[int]:
    """The places in the deed's sequence of lines at which to kill it."""
    lines: list[tuple[str, int]] = []

    def trace(frame: FrameType, event: str, _: object):
        if not frame.f_code.co_filename.startswith(ROOM):
            return None
        if event == "line":
            lines.append((frame.f_code.co_filename, frame.f_lineno))
        return trace

    with places.open(machine) as store:
        sys.settrace(trace)
        deed(store)
        sys.settrace(None)
    first = {line: at for at, line in reversed(list(enumerate(lines)))}
    last = {line: at for at, line in enumerate(lines)}
    return sorted({*first.values(), *last.values()})


def kill_at(line: int, places: Places, machine: Machine, deed: Callable[[Store], None]) -> None:
    """Does the deed in a child, which dies when it comes to the line."""
    child = os.fork()
    if child == 0:
        left = line

        def trace(frame: FrameType, event: str, _: object):
            nonlocal left
            if not frame.f_code.co_filename.startswith(ROOM):
                return None
            if event == "line":
                if left == 0:
                    os._exit(KILLED)
                left -= 1
            return trace

        store = places.open(machine)
        sys.settrace(trace)
        deed(store)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == KILLED, f"the deed did not come to line {line}"


def nothing_is_lost_or_left(places: Places, machine: Machine, deed: str) -> None:
    with places.open(machine) as store:
        # Whoever was killed is dead: what it was writing can be deleted at once.
        first = reconcile(store)
        assert not list((places.blobs / "new").iterdir())
        machine.passes(minutes=16)
        reconcile(store)
        retention.delete_due(store)
        assert reconcile(store) == Reconciled(0, 0, 0, 0), first
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
            assert len(live) in (2, 4), "half a result"
        if deed == "erase":
            assert all(row.hidden_at is None for row in live)
            assert len(live) in (0, 2)


def main(folder: Path, name: str) -> None:
    before, deed = DEEDS[name]
    machine = Machine()
    start = Places(folder / "start")
    with start.open(machine) as store:
        before(store)
    lines = executed(start.copy_to(folder / "whole"), Machine(**vars(machine)), deed)
    for line in lines:
        places = start.copy_to(folder / str(line))
        then = Machine(**vars(machine))
        kill_at(line, places, then, deed)
        nothing_is_lost_or_left(places, then, name)
        shutil.rmtree(places.folder)
    print(len(lines))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
