"""The figures of the proof page are the ones of the rows."""

from datetime import timedelta

import pytest

from db import holds, proof, sweeps
from db.errors import DatabaseBusy
from db.retention import delete_due
from db.upkeep import HoldReason, SweepKind
from db.work import Role
from tests.db.situations import a_batch, a_finished_job, file_of

NOTHING = {
    "expired": 0,
    "user": 0,
    "account": 0,
    "hold_end": 0,
    "orphan": 0,
    "child": 0,
}


def test_an_empty_service_has_nothing_to_hide(store):
    assert proof.figures(store) == proof.Figures(
        oldest_stored=None,
        live_files=0,
        last_sweep=None,
        last_sweep_failed=False,
        deleted=NOTHING,
        open_holds=0,
        now=store.clock.now(),
    )


def test_what_is_stored_and_what_was_deleted_is_counted(store, machine):
    a_batch(store, pictures=2)
    machine.passes(hours=48)
    assert delete_due(store) == 2
    a_batch(store)
    a_finished_job(store)
    machine.passes(hours=3)
    figures = proof.figures(store)
    assert figures.live_files == 3
    assert figures.oldest_stored == timedelta(hours=3)
    assert figures.deleted == NOTHING | {"expired": 2}
    assert figures.now == store.clock.now()


def test_a_hold_is_counted_and_its_files_do_not_age_but_are_there(store, machine):
    a_batch(store)
    job = a_finished_job(store).job_id
    file_id = file_of(store, job, Role.ORIGINAL)
    until = store.clock.now() + timedelta(days=7)
    holds.open_hold(store, [file_id], HoldReason.AUTHORITY, until)
    machine.passes(hours=50)
    delete_due(store)
    figures = proof.figures(store)
    assert (figures.open_holds, figures.live_files, figures.oldest_stored) == (1, 1, None)
    machine.passes(days=7)
    assert proof.figures(store).open_holds == 0


def test_the_last_sweep_is_the_last_one_and_says_whether_it_failed(store, machine):
    machine.passes(seconds=3)
    with pytest.raises(DatabaseBusy), sweeps.recorded(store, SweepKind.RETENTION):
        raise DatabaseBusy
    failed = proof.figures(store)
    assert (failed.last_sweep, failed.last_sweep_failed) == (store.clock.now(), True)
    machine.passes(minutes=10)
    with sweeps.recorded(store, SweepKind.RETENTION):
        pass
    machine.passes(minutes=1)
    with sweeps.recorded(store, SweepKind.RECOVERY):
        pass
    swept = proof.figures(store)
    ten_past = store.clock.now() - timedelta(minutes=1)
    assert (swept.last_sweep, swept.last_sweep_failed) == (ten_past, False)
