"""The queue carries nudges and nothing else, and may be deleted at any time."""

import sqlite3
from pathlib import Path

import pytest

from tasks.broker import Queue


def messages(path: Path) -> list[bytes]:
    with sqlite3.connect(path) as queue:
        return [row[0] for row in queue.execute("SELECT data FROM task")]


def drain(queue: Queue) -> int:
    """Run what waits, as a worker does; returns how much that was."""
    number = 0
    while task := queue._huey.dequeue():
        queue._huey.execute(task)
        number += 1
    return number


def test_a_nudge_is_a_name_without_content(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.db")

    queue.nudge(2)

    first, second = messages(tmp_path / "queue.db")
    assert b"upscale_next" in first
    assert b"[], {}" in first
    assert first != second
    assert (tmp_path / "queue.db").stat().st_mode & 0o777 == 0o600
    queue.close()


def test_a_worker_does_once_what_others_nudge(tmp_path: Path) -> None:
    done = []
    worker = Queue(tmp_path / "queue.db", lambda: done.append(1))
    web = Queue(tmp_path / "queue.db")

    web.nudge(3)

    assert drain(worker) == 3
    assert len(done) == 3
    assert drain(worker) == 0
    worker.close()
    web.close()


def test_work_that_fails_leaves_nothing_in_the_queue(tmp_path: Path) -> None:
    def fail() -> None:
        raise ValueError("/home/ada/secret cat.png")

    queue = Queue(tmp_path / "queue.db", fail)
    queue.nudge()
    drain(queue)

    assert b"secret" not in (tmp_path / "queue.db").read_bytes()
    assert messages(tmp_path / "queue.db") == []
    queue.close()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_deleted_queue_is_noticed_and_made_anew_by_who_nudges(
    tmp_path: Path, replaced: bool
) -> None:
    path = tmp_path / "queue.db"
    worker, web = Queue(path, lambda: None), Queue(path)
    for file in tmp_path.iterdir():
        file.unlink()
    if replaced:
        Queue(path).close()

    assert worker.was_deleted
    web.nudge()

    assert not web.was_deleted
    assert len(messages(path)) == 1
    worker.close()
    web.close()
