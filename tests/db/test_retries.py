"""What ended without a result is begun again in its place, as long as its original can be read."""

from uuid import uuid4

import pytest

from db import batches, counts, files, jobs, retries, views
from db.batches import NewJob
from db.errors import Gone, NotFound, TooManyOpenJobs
from db.outcomes import Failure
from db.upkeep import Metric
from db.work import Cause, Role, State
from tests.db.situations import (
    MODEL,
    a_batch,
    a_claim,
    a_finished_job,
    a_user,
    file_of,
    new_job,
)

BROKEN = Failure("BROKEN", "It broke.", "Try again.")


def a_failed_job(store):
    claim = a_claim(store)
    jobs.fail(store, claim, BROKEN, again=False)
    return claim


def states(store, batch, user):
    return [job.state for job in views.show(store, batch, user).jobs]


def test_a_failed_job_waits_again_as_if_it_had_never_been_tried(store):
    user = a_user(store)
    batch = a_batch(store, user)
    failed = a_failed_job(store)

    assert retries.retry(store, batch, user, failed.job_id) == 1

    (job,) = views.show(store, batch, user).jobs
    assert (job.state, job.failure, job.finished_at) == (State.QUEUED, None, None)
    assert (job.progress_done, job.position) == (0, 1)
    for _ in range(jobs.ATTEMPTS - 1):
        assert jobs.fail(store, a_claim(store), BROKEN, again=True) is State.QUEUED
    assert a_finished_job(store).job_id == failed.job_id
    assert states(store, batch, user) == [State.SUCCEEDED]


def test_a_canceled_job_starts_again_and_is_not_canceled_any_more(store):
    user = a_user(store)
    batch = a_batch(store, user)
    claim = a_claim(store)
    batches.cancel(store, batch, user)
    jobs.end_canceled(store, claim)

    retries.retry(store, batch, user, claim.job_id)

    a_finished_job(store)
    assert states(store, batch, user) == [State.SUCCEEDED]


def test_a_whole_batch_means_what_failed_in_it(store):
    user = a_user(store)
    batch = a_batch(store, user, pictures=4)
    a_failed_job(store)
    a_finished_job(store)
    a_failed_job(store)
    batches.cancel(store, batch, user)

    assert retries.retry(store, batch, user) == 2

    assert states(store, batch, user) == [
        State.QUEUED,
        State.SUCCEEDED,
        State.QUEUED,
        State.CANCELED,
    ]
    assert retries.retry(store, batch, user) == 0, "pressed twice"


def test_every_end_of_a_job_was_submitted_once(store):
    user = a_user(store)
    batch = a_batch(store, user)
    a_failed_job(store)
    retries.retry(store, batch, user)
    a_finished_job(store)
    assert counts.total(store, Metric.SUBMITTED) == 2
    assert counts.total(store, Metric.FAILED) == counts.total(store, Metric.SUCCEEDED) == 1


def test_what_is_somebody_elses_or_in_another_batch_is_not_there(store):
    ada, bob = a_user(store), a_user(store, "bob")
    batch = a_batch(store, ada)
    failed = a_failed_job(store)
    other = a_batch(store, ada)
    for what in [(batch, bob), (batch, bob, failed.job_id), (other, ada, failed.job_id)]:
        with pytest.raises(NotFound):
            retries.retry(store, *what)
    with pytest.raises(NotFound):
        retries.retry(store, uuid4(), ada)
    assert states(store, batch, ada) == [State.FAILED]


def test_without_an_original_there_is_nothing_to_begin_with(store, machine):
    user = a_user(store)
    refused = NewJob(name="x", model=MODEL, original=BROKEN, scale=4)
    batch = batches.create(store, user, [refused, new_job(store), new_job(store)], options={}).id
    first, second = a_failed_job(store), a_failed_job(store)
    files.erase(store, [file_of(store, first.job_id, Role.ORIGINAL)], Cause.USER)

    assert retries.retry(store, batch, user) == 1
    assert states(store, batch, user) == [State.FAILED, State.FAILED, State.QUEUED]
    with pytest.raises(Gone):
        retries.retry(store, batch, user, first.job_id)

    batches.cancel(store, batch, user, second.job_id)
    machine.passes(hours=48)
    with pytest.raises(Gone):
        retries.retry(store, batch, user, second.job_id)


def test_what_no_worker_would_take_any_more_is_not_begun_again(store, machine):
    user = a_user(store)
    batch = a_batch(store, user)
    batches.cancel(store, batch, user)
    machine.passes(hours=20)
    (job,) = views.show(store, batch, user).jobs
    with pytest.raises(Gone):
        retries.retry(store, batch, user, job.id)


def test_the_most_that_one_may_have_unfinished_holds_here_too(store):
    user = a_user(store)
    batch = a_batch(store, user, pictures=2)
    a_failed_job(store)
    with pytest.raises(TooManyOpenJobs):
        retries.retry(store, batch, user, most_open_jobs=1)
    assert retries.retry(store, batch, user, most_open_jobs=2) == 1
