"""What has to go goes in time, once, and nothing else does."""

import multiprocessing
import sqlite3
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from db import files, holds, jobs, keys, receipts, retention, signins, sweeps, work
from db.audit import Finding, Kind, audit
from db.batches import NewJob, create
from db.clock import Readers
from db.errors import DatabaseBusy, Gone, HoldTooLong
from db.people import Acknowledgement, Session, SignIn, User
from db.reconcile import reconcile
from db.retention import delete_due, due_for_deletion, forget_old_rows, uploads_closed
from db.store import Store
from db.upkeep import (
    ClockState,
    DailyCount,
    Hold,
    HoldReason,
    Receipt,
    Sweep,
    SweepKind,
    Worker,
)
from db.work import Batch, Cause, File, Job, Role
from tests.db.situations import (
    MODEL,
    a_batch,
    a_finished_job,
    a_user,
    a_worker,
    count,
    file_rows,
    kept,
)


def test_nothing_is_due_a_second_before_48_hours(store, machine):
    a_batch(store)
    machine.passes(hours=47, minutes=59, seconds=59)
    assert delete_due(store) == 0
    machine.passes(seconds=1)
    assert delete_due(store) == 1
    assert delete_due(store) == 0


def test_more_than_a_page_is_deleted_in_one_sweep(store, machine, monkeypatch):
    monkeypatch.setattr(due_for_deletion, "__kwdefaults__", {"after": None, "limit": 3})
    a_batch(store, pictures=8)
    machine.passes(hours=48)
    assert delete_due(store) == 8


def test_what_the_system_refuses_to_delete_stops_nothing_else(store, machine, monkeypatch):
    monkeypatch.setattr(due_for_deletion, "__kwdefaults__", {"after": None, "limit": 2})
    a_batch(store, pictures=6)
    stubborn = file_rows(store)[1].blob_name
    really_delete = store.blobs.delete

    def delete(name):
        if name == stubborn:
            raise PermissionError
        really_delete(name)

    machine.passes(hours=48)
    monkeypatch.setattr(store.blobs, "delete", delete)
    with pytest.raises(PermissionError):
        delete_due(store)
    assert receipts.count(store) == {Cause.EXPIRED: 5}
    monkeypatch.setattr(store.blobs, "delete", really_delete)
    assert delete_due(store) == 1


def sweep(places, machine, results) -> None:
    with places.open(machine) as store:
        results.put(delete_due(store))


class Frozen:
    """Readers of a moment, that can be sent to another process."""

    def __init__(self, machine):
        self.wall, self.boot, self.boot_id = machine.wall, machine.boot, machine.boot_id

    @property
    def readers(self):
        return Readers(lambda: self.wall, lambda: self.boot, lambda: self.boot_id)


def test_four_sweepers_at_once_write_each_receipt_once(store, machine, places):
    a_batch(store, pictures=30)
    machine.passes(hours=48)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    sweepers = [
        context.Process(target=sweep, args=(places, Frozen(machine), results)) for _ in range(4)
    ]
    for sweeper in sweepers:
        sweeper.start()
    written = [results.get(timeout=60) for _ in sweepers]
    for sweeper in sweepers:
        sweeper.join(60)
    assert sum(written) == count(store, Receipt) == 30
    assert all(row.receipt_id for row in file_rows(store))
    assert audit(store) == []


@pytest.mark.parametrize("database", ["app.db", "keys.db"])
def test_a_locked_database_delays_an_erasure_and_loses_none(places, machine, database):
    with places.open(machine, busy_timeout=0.02) as store:
        user = a_user(store)
        a_batch(store, user)
        (row,) = file_rows(store)
        other = sqlite3.connect(places.folder / database, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseBusy):
            files.erase(store, [row.id], Cause.USER)
        assert receipts.count(store) == {}
        other.close()
        if database == "keys.db":
            with pytest.raises(Gone):
                files.find(store, row.id, user)
            assert [due.cause for due in due_for_deletion(store)] == [Cause.USER]
        machine.passes(hours=48)
        assert delete_due(store) == 1
        assert audit(store) == []


def test_setting_the_wall_clock_deletes_nothing_and_saves_nothing(store, machine):
    a_batch(store)
    machine.is_set(days=30)
    assert delete_due(store) == 0
    machine.is_set(days=-60)
    machine.passes(hours=48)
    assert delete_due(store) == 1


# --- holds -----------------------------------------------------------------------------------


@pytest.fixture
def held(store):
    a_batch(store)
    (row,) = file_rows(store)
    until = store.clock.now() + timedelta(days=10)
    return row.id, holds.open_hold(store, [row.id], HoldReason.LEGAL_CLAIM, until)


def test_a_held_file_outlives_its_hours_unread_and_goes_when_the_hold_ends(store, machine, held):
    file_id, _ = held
    machine.passes(days=4)
    assert delete_due(store) == 0
    assert reconcile(store).rows_without_bytes == 0
    assert audit(store) == []
    assert not uploads_closed(store)
    assert holds.count_open(store) == 1
    with pytest.raises(Gone):
        files.find(store, file_id, a_user(store))
    machine.passes(days=6)
    assert delete_due(store) == 1
    assert receipts.count(store) == {Cause.HOLD_END: 1}
    assert holds.count_open(store) == 0


def test_what_its_owner_deletes_during_a_hold_is_hidden_now_and_erased_later(store, held):
    file_id, hold_id = held
    assert files.erase(store, [file_id], Cause.USER) == 0
    assert len(keys.known(store.keys)) == 1
    with pytest.raises(Gone):
        files.find(store, file_id, a_user(store))
    holds.end_hold(store, hold_id)
    assert delete_due(store) == 1
    assert receipts.count(store) == {Cause.USER: 1}


def test_no_hold_is_longer_than_30_days(store):
    until = store.clock.now() + timedelta(days=30, seconds=1)
    with pytest.raises(HoldTooLong):
        holds.open_hold(store, [], HoldReason.AUTHORITY, until)
    assert count(store, Hold) == 0


# --- whether it goes in time -----------------------------------------------------------------


def test_uploads_are_closed_while_bytes_older_than_60_hours_exist(store, machine):
    assert not uploads_closed(store)
    a_batch(store)
    machine.passes(hours=60)
    assert not uploads_closed(store)
    machine.passes(seconds=1)
    assert uploads_closed(store)
    delete_due(store)
    assert not uploads_closed(store)


def test_the_age_of_the_oldest_bytes_is_known(store, machine):
    assert retention.oldest_live_age(store) is None
    a_batch(store)
    machine.passes(hours=5)
    a_batch(store)
    assert retention.oldest_live_age(store) == timedelta(hours=5)


def test_a_sweep_is_recorded_with_its_numbers(store, machine):
    a_batch(store)
    machine.passes(hours=1)
    with sweeps.recorded(store, SweepKind.RETENTION) as tally:
        tally.scanned, tally.deleted = 7, 3
    last = sweeps.last(store, SweepKind.RETENTION)
    assert (last.scanned, last.deleted, last.error_code) == (7, 3, None)
    assert sweeps.last(store, SweepKind.AUDIT) is None


def test_a_sweep_that_fails_is_recorded_with_its_code(store):
    with pytest.raises(DatabaseBusy), sweeps.recorded(store, SweepKind.RECOVERY):
        raise DatabaseBusy
    assert sweeps.last(store, SweepKind.RECOVERY).error_code == "DATABASE_BUSY"


# --- rows ------------------------------------------------------------------------------------


def test_rows_of_jobs_and_files_live_for_12_months(store, machine):
    a_batch(store)
    a_finished_job(store)
    machine.passes(hours=48)
    delete_due(store)
    machine.passes(days=362)
    assert forget_old_rows(store).keys().isdisjoint({"batch", "job", "file"})
    machine.passes(days=1, seconds=1)
    gone = forget_old_rows(store)
    assert {name: gone[name] for name in ("batch", "job", "file")} == {
        "batch": 1,
        "job": 1,
        "file": 3,
    }
    assert count(store, User) == 1
    assert count(store, Receipt) == 3


def test_a_job_that_another_was_made_from_is_forgotten_after_it(store, machine):
    a_batch(store)
    source = a_finished_job(store)
    machine.passes(hours=40)
    made = NewJob(name="cat.png", model=MODEL, original=None, scale=4, source_id=source.job_id)
    create(store, source.user_id, [made], options={}, kind=work.Kind.CONVERT)
    claim = jobs.claim_next(store, a_worker(store), kinds=[work.Kind.CONVERT])
    jobs.finish(store, claim, [kept(store, b"jpeg", Role.RESULT)], {}, 1)
    machine.passes(hours=48)
    delete_due(store)
    machine.passes(days=365, hours=-60)  # the source's own rows are old enough, the other's not
    forget_old_rows(store)
    assert count(store, Job) == 2
    machine.passes(hours=24)
    for _ in range(2):
        forget_old_rows(store)
    assert count(store, Batch) == count(store, Job) == count(store, File) == 0


def test_a_row_that_leads_to_bytes_is_not_forgotten_however_old(store, machine):
    a_batch(store)
    machine.passes(days=400)
    forget_old_rows(store)
    assert count(store, Batch) == count(store, Job) == count(store, File) == 1


def test_every_class_is_forgotten_in_its_own_time(store, machine):
    user, now = a_user(store), store.clock.now()
    a_worker(store)
    with store.writing() as rows:
        rows.execute(insert(Sweep).values(kind="audit", started_at=now))
        rows.execute(
            insert(Session).values(
                id_hash=bytes(32),
                user_id=user,
                created_at=now,
                last_seen_at=now,
                expires_at=now,
            )
        )
        rows.execute(
            insert(Acknowledgement).values(
                user_id=user, policy_version="1", age_declared=True, source="person", at=now
            )
        )
        rows.execute(
            insert(Receipt).values(id=uuid4(), role="result", cause="user", age_s=1, at=now)
        )
    signins.begin(store, {})
    lives = {SignIn: 0, Worker: 14, Sweep: 14, Session: 30, Acknowledgement: 1095, Receipt: 1095}
    for days in (0, 1, 13, 15, 29, 31, 1094, 1096):
        machine.passes(now + timedelta(days=days) - store.clock.now())
        forget_old_rows(store)
        there = {table: bool(count(store, table)) for table in lives}
        assert there == {table: days <= life for table, life in lives.items()}
    assert count(store, ClockState) == 1
    assert count(store, User) == 1


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (Receipt, {"role": "result", "cause": "because Ada asked", "age_s": 1}),
        (Receipt, {"role": "ada.png", "cause": "user", "age_s": 1}),
        (Receipt, {"role": "result", "cause": "user", "age_s": -1}),
        (DailyCount, {"metric": "ada@example.org", "dimension": "all", "value": 1}),
        (DailyCount, {"metric": "feature", "dimension": "ada", "value": 1}),
        (Hold, {"reason_code": "her lawyer wrote"}),
    ],
)
def test_evidence_and_counts_take_no_free_text(store, table, values):
    now = store.clock.now()
    times = {Receipt: {"at": now}, DailyCount: {"day": now.date()}}
    times[Hold] = {"opened_at": now, "expires_at": now}
    with pytest.raises(IntegrityError), store.writing() as rows:
        rows.execute(insert(table).values(**values, **times[table]))


# --- reconciling and auditing ----------------------------------------------------------------


def found(store: Store) -> set[Kind]:
    assert all(isinstance(finding, Finding) for finding in audit(store))
    return {finding.kind for finding in audit(store)}


def test_what_no_row_explains_is_left_alone_for_15_minutes_and_then_deleted(store, machine):
    for _ in range(100):
        kept(store)
    machine.passes(minutes=15)
    assert reconcile(store).blobs_without_row == 0
    assert found(store) == set()
    machine.passes(seconds=1)
    assert found(store) == {Kind.BLOB_WITHOUT_ROW, Kind.KEY_WITHOUT_ROW}
    done = reconcile(store)
    assert (done.blobs_without_row, done.keys_without_row) == (100, 100)
    assert found(store) == set()


def test_rows_without_bytes_say_so_from_then_on(store, places):
    a_batch(store, pictures=4)
    without_blob, without_key, *_ = file_rows(store)
    store.blobs.delete(without_blob.blob_name)
    keys.delete_all(store.keys, [without_key.id])
    assert found(store) == {Kind.ROW_WITHOUT_BYTES}
    assert reconcile(store).rows_without_bytes == 2
    assert receipts.count(store) == {Cause.ORPHAN: 2}
    assert found(store) == set()


def test_what_somebody_is_writing_is_left_alone_however_long_it_takes(store, machine):
    with files.Writer(store, "result", format="png") as writer:
        writer.write(bytes(500_000))
        machine.passes(hours=5)
        assert reconcile(store).abandoned_writes == 0
        assert found(store) == set()
        writer.finish()


def test_a_blob_from_the_future_is_no_less_an_orphan(store, machine):
    kept(store)
    machine.passes(days=-2)
    assert reconcile(store).blobs_without_row == 1


def test_files_and_keys_past_72_hours_are_found(store, machine):
    a_batch(store)
    machine.passes(hours=71, minutes=59)
    assert found(store) == set()
    machine.passes(minutes=1)
    assert found(store) == {Kind.FILE_PAST_ITS_TIME, Kind.KEY_PAST_ITS_TIME}


def test_an_abandoned_write_and_a_stranger_are_found(store, places):
    (places.blobs / "new" / "left").write_bytes(b"x")
    (places.blobs / "ab").mkdir()
    (places.blobs / "ab" / "holiday.png").write_bytes(b"x")
    (places.blobs / "notes.txt").write_bytes(b"x")
    assert found(store) == {Kind.ABANDONED_WRITE, Kind.STRANGER}
    assert reconcile(store).abandoned_writes == 1
    assert {one.what for one in audit(store)} == {"holiday.png", "notes.txt"}


def test_old_rows_are_found(store, machine):
    a_worker(store)
    machine.passes(days=15)
    assert found(store) == {Kind.ROWS_PAST_THEIR_TIME}
    forget_old_rows(store)
    assert found(store) == set()


def test_a_row_that_waits_for_the_next_sweep_is_no_finding(store, machine):
    signins.begin(store, {})
    machine.passes(minutes=30)
    assert found(store) == set()
    machine.passes(seconds=1)
    assert found(store) == {Kind.ROWS_PAST_THEIR_TIME}


def test_a_key_that_was_deleted_without_being_overwritten_is_found(store, places):
    """The search can find something: otherwise an empty answer would prove nothing."""
    a_batch(store)
    (row,) = file_rows(store)
    careless = sqlite3.connect(places.folder / "keys.db", isolation_level=None)
    careless.execute("PRAGMA secure_delete = OFF")
    careless.execute("DELETE FROM file_key")
    careless.close()
    files.erase(store, [row.id], Cause.USER)
    assert audit(store) == [Finding(Kind.TRACE_OF_A_KEY, str(row.id))]


def test_a_log_that_a_reader_keeps_from_being_emptied_is_found(store, places):
    reader = sqlite3.connect(places.folder / "keys.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM file_key").fetchone()
    a_batch(store)
    assert Finding(Kind.LOG_NOT_EMPTIED, "keys") in audit(store)
    reader.close()
    assert audit(store) == []


def test_the_clock_of_these_tests_is_not_the_one_on_the_wall(store):
    assert store.clock.now() == datetime.fromtimestamp(1_800_000_000, UTC)
