"""Transactions that wait for each other, and say so when they cannot wait any longer."""

import sqlite3
import threading
import time
from uuid import uuid4

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from db import connection
from db.connection import checkpoint_truncate, open_engine, reading, writing
from db.errors import DatabaseBusy, StorageFull
from db.upkeep import Worker
from tests.db.situations import a_batch, a_user, a_worker, count


@pytest.fixture
def impatient(places, machine):
    with places.open(machine, busy_timeout=0.05) as store:
        yield store


def test_sqlite_is_set_up_to_keep_its_promises(store):
    with store.reading() as rows:
        pragmas = ("journal_mode", "synchronous", "secure_delete", "foreign_keys", "busy_timeout")
        found = {name: rows.scalar(text(f"PRAGMA {name}")) for name in pragmas}
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


def test_a_locked_database_is_a_typed_error_and_nothing_has_happened(impatient, locked):
    before = count(impatient, Worker)
    with pytest.raises(DatabaseBusy) as refused:
        a_worker(impatient)
    assert refused.value.code == "DATABASE_BUSY"
    assert refused.value.hint
    locked.execute("ROLLBACK")
    assert count(impatient, Worker) == before
    a_worker(impatient)
    assert count(impatient, Worker) == before + 1


def test_reading_goes_on_while_somebody_writes(impatient, locked):
    assert count(impatient, Worker) == 0


def test_a_lock_that_ends_in_time_is_waited_for(store, locked):
    release = threading.Timer(0.3, locked.execute, ["ROLLBACK"])
    release.start()
    a_worker(store)
    release.join()
    assert count(store, Worker) == 1


def test_a_writer_is_tried_again_before_it_is_given_up(impatient, locked, monkeypatch):
    pauses = []

    own, sleep = threading.get_ident(), connection.time.sleep

    def pause(seconds):
        if threading.get_ident() != own:
            return sleep(seconds)
        pauses.append(seconds)
        if len(pauses) == 2:
            locked.execute("ROLLBACK")
        return None

    monkeypatch.setattr(connection.time, "sleep", pause)
    a_worker(impatient)
    assert len(pauses) == 2
    assert count(impatient, Worker) == 1


def test_who_has_no_patience_is_refused_at_once_and_leaves_the_usual_one_to_the_next(store, locked):
    begun = time.monotonic()
    with pytest.raises(DatabaseBusy), store.writing(patience=0.01):
        pass
    assert time.monotonic() - begun < 2
    with store.reading() as rows:
        assert rows.scalar(text("PRAGMA busy_timeout")) == 5000
    locked.execute("ROLLBACK")
    with store.writing(patience=0.01) as rows:
        assert rows.scalar(text("PRAGMA busy_timeout")) == 5000


def test_a_note_that_cannot_be_written_now_is_let_go_and_any_other_error_is_not(store, locked):
    store.note(lambda _: pytest.fail("nothing can be written"))
    locked.execute("ROLLBACK")

    def write(rows):
        now = store.clock.now()
        rows.execute(insert(Worker).values(device="cpu", started_at=now, seen_at=now))

    def raises(error):
        def write_and_raise(rows):
            write(rows)
            raise error

        return write_and_raise

    store.note(raises(StorageFull()))
    with pytest.raises(ZeroDivisionError):
        store.note(raises(ZeroDivisionError()))
    assert count(store, Worker) == 0
    store.note(write)
    assert count(store, Worker) == 1


def test_who_reads_first_and_writes_later_is_not_thrown_out(store, places, machine):
    """The trap of deferred transactions: their upgrade fails at once after another's write."""
    with places.open(machine) as other:
        barrier = threading.Barrier(2)
        failures = []

        def read_then_write(one):
            barrier.wait()
            try:
                for _ in range(20):
                    with one.writing() as rows:
                        rows.execute(select(Worker.id)).all()
                        now = one.clock.now()
                        rows.execute(
                            insert(Worker).values(device="cpu", started_at=now, seen_at=now)
                        )
            except Exception as error:
                failures.append(error)

        both = [threading.Thread(target=read_then_write, args=(one,)) for one in (store, other)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert failures == []
        assert count(store, Worker) == 40


def test_an_exception_in_the_block_undoes_all_of_it(store):
    now = store.clock.now()
    twice = [{"id": uuid4(), "device": "cpu", "started_at": now, "seen_at": now}] * 2
    with pytest.raises(IntegrityError), store.writing() as rows:
        rows.execute(insert(Worker), twice)
    assert count(store, Worker) == 0


def test_what_is_written_while_reading_does_not_stay(store):
    with store.reading() as rows:
        now = store.clock.now()
        rows.execute(insert(Worker).values(device="cpu", started_at=now, seen_at=now))
    assert count(store, Worker) == 0


def test_a_full_disk_is_a_typed_error_and_nothing_has_happened(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/full.db")
    with writing(engine) as rows:
        rows.execute(text("CREATE TABLE t (x BLOB)"))
        pages = rows.scalar(text("PRAGMA page_count"))
    with reading(engine) as rows:
        rows.execute(text(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(StorageFull), writing(engine) as rows:
        rows.execute(text("INSERT INTO t VALUES (zeroblob(100000))"))
    with reading(engine) as rows:
        assert rows.scalar(text("SELECT count(*) FROM t")) == 0
    engine.dispose()


def test_a_deleted_name_is_in_no_byte_of_the_database_after_a_checkpoint(store, places):
    user = a_user(store, "canary-of-a-subject")
    assert b"canary-of-a-subject" in places.everything()
    with store.writing() as rows:
        rows.execute(text("DELETE FROM user WHERE id = :id"), {"id": user.hex})
    assert checkpoint_truncate(store.rows)
    assert b"canary-of-a-subject" not in places.everything()


def test_a_reader_does_not_stop_a_checkpoint_from_returning(store, places):
    a_batch(store)
    reader = sqlite3.connect(places.folder / "app.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM job").fetchone()
    a_worker(store)
    begun = time.monotonic()
    assert checkpoint_truncate(store.rows) is False
    assert time.monotonic() - begun < 2
    reader.close()
    assert checkpoint_truncate(store.rows) is True
    with store.reading() as rows:
        assert rows.scalar(text("PRAGMA busy_timeout")) == 5000


def test_a_database_in_memory_is_refused():
    with pytest.raises(ValueError, match="needs a file"):
        open_engine("sqlite://")
