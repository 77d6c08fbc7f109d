"""A batch is promised whole or not at all, and shown to its owner alone."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from db import batches, counts, files, jobs, keys, receipts, recovery, views
from db.batches import NewJob
from db.errors import NotFound, StorageFull, TooManyOpenJobs
from db.outcomes import Failure
from db.reconcile import reconcile
from db.upkeep import Metric
from db.views import state_of
from db.work import Batch, Cause, File, Job, Role, State
from tests.db.situations import (
    MODEL,
    a_batch,
    a_claim,
    a_finished_job,
    a_user,
    a_worker,
    count,
    file_rows,
    kept,
    new_job,
)

TOO_BIG = Failure("RESOLUTION_TOO_HIGH", "The picture has too many pixels.", "Make it smaller.")
Q, R, S, F, C = State


def test_what_is_made_of_bytes_that_lie_here_already_goes_with_them_and_is_not_begun_after(
    store, machine
):
    user_id = a_user(store)
    ends = store.clock.now() + timedelta(hours=1)
    id_ = batches.create(store, user_id, [new_job(store)], options={}, expires_at=ends).id
    batch = views.show(store, id_, user_id)
    assert batch.expires_at == ends
    assert {file.expires_at for file in batch.jobs[0].files} == {ends}
    machine.passes(hours=1)
    assert jobs.claim_next(store, a_worker(store)) is None
    assert recovery.fail_overdue(store) == 1
    assert views.show(store, id_, user_id).jobs[0].failure == recovery.EXPIRED


def test_nothing_is_kept_longer_than_48_hours_by_asking_for_it(store):
    user_id = a_user(store)
    late = store.clock.now() + timedelta(hours=60)
    id_ = batches.create(store, user_id, [new_job(store)], options={}, expires_at=late).id
    assert views.show(store, id_, user_id).expires_at == store.clock.now() + timedelta(hours=48)


def test_everything_of_a_batch_expires_48_hours_after_it_was_submitted(store):
    user = a_user(store)
    batch = views.show(store, a_batch(store, user, pictures=2), user)
    assert batch.created_at == store.clock.now()
    assert batch.expires_at == batch.created_at + timedelta(hours=48)
    assert {file.expires_at for job in batch.jobs for file in job.files} == {batch.expires_at}


def test_one_bad_picture_of_several_fails_alone_with_its_reason(store):
    user = a_user(store)
    bad = NewJob(name="huge.png", model=MODEL, original=TOO_BIG, scale=4)
    created = batches.create(store, user, [new_job(store), bad, new_job(store)], options={})
    first, second, third = views.show(store, created.id, user).jobs
    assert (first.state, second.state, third.state) == (Q, F, Q)
    assert second.failure == TOO_BIG
    assert second.name == "huge.png"
    assert second.files == ()


def test_the_same_key_gives_the_same_batch_and_keeps_nothing_twice(store):
    user = a_user(store)
    once = batches.create(store, user, [new_job(store)], options={}, idempotency_key="k")
    again = batches.create(store, user, [new_job(store)], options={}, idempotency_key="k")
    assert again == batches.Created(once.id, new=False)
    assert count(store, Job) == len(keys.known(store.keys)) == 1
    assert batches.find_by_key(store, user, "k") == once.id


def test_the_same_key_of_another_user_is_another_batch(store):
    ids = {
        batches.create(
            store, a_user(store, name), [new_job(store)], options={}, idempotency_key="k"
        ).id
        for name in ("ada", "eve")
    }
    assert len(ids) == 2


def test_batches_without_a_key_are_never_the_same(store):
    assert a_batch(store) != a_batch(store)


def test_the_same_key_sent_many_times_at_once_gives_one_batch(store):
    user, created = a_user(store), []

    def send():
        new = [new_job(store)]
        created.append(batches.create(store, user, new, options={}, idempotency_key="k"))

    senders = [threading.Thread(target=send) for _ in range(6)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len({one.id for one in created}) == 1
    assert [one.new for one in created].count(True) == 1
    assert count(store, Job) == len(keys.known(store.keys)) == 1


def test_a_batch_of_a_user_that_does_not_exist_is_refused(store):
    with pytest.raises(NotFound):
        batches.create(store, kept(store).id, [new_job(store)], options={})


def test_who_has_too_many_open_jobs_gets_no_other(store):
    user = a_user(store)
    a_batch(store, user, pictures=2)
    new = [new_job(store), new_job(store)]
    with pytest.raises(TooManyOpenJobs):
        batches.create(store, user, new, options={}, most_open_jobs=3)
    assert count(store, Job) == 2
    a_finished_job(store)
    assert batches.create(store, user, new, options={}, most_open_jobs=3).new


def test_a_batch_that_finds_no_room_half_way_does_not_exist(store, machine, monkeypatch):
    new = [new_job(store), new_job(store)]
    really_add, added = files.add_row, []

    def add_row(*args, **kwargs):
        if added:
            raise StorageFull
        added.append(really_add(*args, **kwargs))

    monkeypatch.setattr(files, "add_row", add_row)
    with pytest.raises(StorageFull):
        batches.create(store, a_user(store), new, options={})
    assert count(store, Batch) == count(store, Job) == count(store, File) == 0
    machine.passes(minutes=16)
    assert reconcile(store).blobs_without_row == 2


@pytest.mark.parametrize(
    "size",
    [
        {},
        {"scale": 5},
        {"scale": 0},
        {"target_width": 0},
        {"target_long_side": -1},
        {"scale": 4, "target_width": 100},
    ],
    ids=str,
)
def test_the_database_itself_refuses_a_size_that_is_none(store, size):
    job = NewJob(name="x", model=MODEL, original=kept(store), **size)
    with pytest.raises(IntegrityError):
        batches.create(store, a_user(store), [job], options={})


@pytest.mark.parametrize(
    "size",
    [{"scale": 3}, {"target_width": 9, "target_height": 9}, {"target_long_side": 4000}],
    ids=str,
)
def test_a_scale_or_sides_reach_the_worker(store, size):
    job = NewJob(name="x", model=MODEL, original=kept(store), options={"format": "png"}, **size)
    batches.create(store, a_user(store), [job], options={})
    claim = a_claim(store)
    assert {name: getattr(claim, name) for name in size} == size
    assert claim.options == {"format": "png"}


def test_nobody_sees_cancels_or_lists_somebody_elses_batch(store):
    batch, eve = a_batch(store), a_user(store, "eve")
    for look in (views.show, batches.cancel, batches.live_files):
        with pytest.raises(NotFound):
            look(store, batch, eve)
    assert views.show(store, batch, a_user(store)).state is Q


def test_a_batch_is_deleted_by_canceling_it_and_erasing_what_lives(store):
    user = a_user(store)
    batch = a_batch(store, user, pictures=3)
    a_finished_job(store)
    running = a_claim(store)
    batches.cancel(store, batch, user)
    files.erase(store, batches.live_files(store, batch, user), Cause.USER)
    jobs.end_canceled(store, running)
    assert receipts.count(store) == {Cause.USER: 5}
    assert batches.live_files(store, batch, user) == []
    view = views.show(store, batch, user)
    assert [job.state for job in view.jobs] == [S, C, C]
    assert not any(file.readable for job in view.jobs for file in job.files)


def test_one_picture_of_a_batch_is_canceled_alone_whether_it_waits_or_runs(store):
    user = a_user(store)
    batch = a_batch(store, user, pictures=3)
    claim = a_claim(store)
    first, second, _ = (job.id for job in views.show(store, batch, user).jobs)
    assert claim.job_id == first
    assert batches.cancel(store, batch, user, first) == 1
    assert batches.cancel(store, batch, user, second) == 1
    assert batches.cancel(store, batch, user, second) == 0
    jobs.end_canceled(store, claim)
    view = views.show(store, batch, user)
    assert [job.state for job in view.jobs] == [C, C, Q]
    assert counts.total(store, Metric.CANCELED) == 2


def test_a_picture_is_canceled_only_by_its_owner_and_only_in_its_batch(store):
    user, eve = a_user(store), a_user(store, "eve")
    batch, other = a_batch(store, user), a_batch(store, user)
    (job,) = views.show(store, batch, user).jobs
    for wrong in ((other, user, job.id), (batch, eve, job.id), (batch, user, uuid4())):
        with pytest.raises(NotFound):
            batches.cancel(store, *wrong)
    assert views.show(store, batch, user).state is Q


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ([Q, Q], Q),
        ([Q, R], R),
        ([Q, S], R),
        ([R, F], R),
        ([S, S], S),
        ([S, F, C], S),
        ([F, C], F),
        ([C, C], C),
    ],
)
def test_the_state_of_a_batch_follows_from_its_jobs(states, state):
    assert state_of(states) is state


def test_what_is_shown_says_where_each_picture_is(store):
    user = a_user(store)
    batch = a_batch(store, user, pictures=3)
    claim = a_finished_job(store)
    jobs.progress(store, a_claim(store), 2, 8)
    done, running, waiting = views.show(store, batch, user).jobs
    assert done.id == claim.job_id
    assert done.report == {"device": "cpu"}
    assert [file.role for file in done.files if file.pictures] == [Role.PREVIEW]
    assert (running.progress_done, running.progress_total) == (2, 8)
    assert (running.position, waiting.position) == (None, 1)
    assert {row.user_id for row in file_rows(store)} == {user}
