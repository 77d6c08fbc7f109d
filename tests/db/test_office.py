"""What an admin is told: figures from known rows, and nothing that leads to anybody."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from db import counts, deeds, files, holds, jobs, office, users, workers
from db.outcomes import Failure
from db.people import User
from db.upkeep import Deed, HoldReason, Metric
from db.work import Cause, File, Job, Role, State
from tests.db.situations import (
    a_batch,
    a_claim,
    a_finished_job,
    a_worker,
    file_rows,
)


def test_nothing_is_told_of_nothing(store):
    assert office.now(store) == office.Now(0, None, (), ())
    assert office.by_day(store, 30, [Metric.SUBMITTED]) == {}
    assert office.speeds(store) == office.storage(store) == deeds.latest(store) == []
    assert office.failures(store, 30) == office.needed(store) == {}


def test_what_waits_what_runs_and_who_works(store, machine):
    a_batch(store, pictures=3)
    machine.passes(seconds=40)
    claim = a_claim(store)
    jobs.progress(store, claim, 3, 12)
    machine.passes(seconds=10)
    workers.seen(store, claim.worker_id, claim.model)

    now = office.now(store)

    assert (now.waiting, now.oldest_waiting) == (2, timedelta(seconds=50))
    assert now.running == (office.Running("upscale", claim.model, 3, 12, timedelta(seconds=10)),)
    assert now.workers == (office.Alive("cpu", claim.model, timedelta(seconds=10)),)
    assert office.needed(store) == {claim.model: 3}


def test_a_worker_that_is_not_seen_any_more_is_not_counted_on(store, machine):
    a_worker(store)
    machine.passes(seconds=61)
    assert office.now(store).workers == ()


def test_counts_lie_on_their_days_the_oldest_first(store, machine):
    def count(metric, number, dimension="all"):
        with store.writing() as rows:
            counts.add(rows, store.clock.now(), metric, dimension, number=number)

    count(Metric.SUBMITTED, 99)  # 30 days before the end: just out of sight
    machine.passes(days=1)
    count(Metric.SUBMITTED, 5)
    machine.passes(days=28)
    count(Metric.SUBMITTED, 2)
    count(Metric.DELETED, 4, "result")
    machine.passes(days=1)
    count(Metric.SUBMITTED, 1)
    count(Metric.SIGNED_IN, 8)

    found = office.by_day(store, 30, [Metric.SUBMITTED, Metric.DELETED])

    assert found == {
        (Metric.SUBMITTED, "all"): [5, *[0] * 27, 2, 1],
        (Metric.DELETED, "result"): [*[0] * 28, 4, 0],
    }
    days = office.days_ending(store.clock.now().date(), 30)
    assert (len(days), days[-1], days[0]) == (
        30,
        store.clock.now().date(),
        days[-1] - timedelta(29),
    )


def finished(store, machine, seconds, *, width, height, model="one"):
    """A job that took so long."""
    a_batch(store, models=[model])
    claim = a_claim(store)
    machine.passes(seconds=seconds)
    jobs.finish(store, claim, [], {}, 1)
    with store.writing() as rows:
        rows.execute(
            update(File).where(File.job_id == claim.job_id).values(width=width, height=height)
        )
    return claim


def test_seconds_per_megapixel_by_model_and_size(store, machine):
    for seconds in range(1, 12):
        finished(store, machine, seconds, width=1000, height=500)
    finished(store, machine, 30, width=3000, height=1000)
    finished(store, machine, 60, width=4000, height=3000, model="two")

    assert office.speeds(store) == [
        office.Speed("one", 0, 11, pytest.approx(12.0), pytest.approx(20.0)),
        office.Speed("one", 1, 1, pytest.approx(10.0), pytest.approx(10.0)),
        office.Speed("two", 3, 1, pytest.approx(5.0), pytest.approx(5.0)),
    ]


def test_tries_conversions_and_what_is_a_year_old_say_nothing_about_speed(store, machine):
    claim = finished(store, machine, 5, width=1000, height=1000)
    assert len(office.speeds(store)) == 1
    with store.writing() as rows:
        rows.execute(update(Job).where(Job.id == claim.job_id).values(kind="try"))
    assert office.speeds(store) == []
    with store.writing() as rows:
        rows.execute(update(Job).where(Job.id == claim.job_id).values(kind="upscale"))
    machine.passes(days=366)
    assert office.speeds(store) == []


def test_failures_are_told_by_code_alone(store, machine):
    a_batch(store, pictures=3)
    for code in ("ODD", "BROKEN", "BROKEN"):
        failure = Failure(code, "cat.png is broken.", "Ask Ada.")
        assert jobs.fail(store, a_claim(store), failure, again=False) is State.FAILED

    assert list(office.failures(store, 30).items()) == [("BROKEN", 2), ("ODD", 1)]
    machine.passes(days=31)
    assert office.failures(store, 30) == {}


def test_bytes_by_role_and_age_what_is_held_apart_and_what_is_gone_not_at_all(store, machine):
    a_batch(store, data=b"x" * 10)
    a_finished_job(store, b"y" * 30)
    machine.passes(hours=13)
    a_batch(store, data=b"x" * 7)

    def told():
        return {(each.role, each.age): (each.files, each.size) for each in office.storage(store)}

    assert told() == {
        (Role.ORIGINAL, 0): (1, 7),
        (Role.ORIGINAL, 1): (1, 10),
        (Role.RESULT, 1): (1, 30),
        (Role.PREVIEW, 1): (1, 5),
    }
    machine.passes(hours=48)
    assert {age for _, age in told()} == {3, 4}
    result = next(file.id for file in file_rows(store) if file.role == Role.RESULT)
    holds.open_hold(store, [result], HoldReason.LEGAL_CLAIM, store.clock.now() + timedelta(days=3))
    assert told()[Role.RESULT, None] == (1, 30)
    assert (Role.RESULT, 4) not in told()


def test_what_was_deleted_is_not_stored(store):
    a_batch(store)
    a_finished_job(store)
    assert office.storage(store)
    files.erase(store, [file.id for file in file_rows(store)], Cause.USER)
    assert office.storage(store) == []


def test_deeds_are_told_the_newest_first_and_outlive_who_did_them(store, machine):
    ada = users.ensure_user(store, "local", "owner")
    deeds.record(store, ada, Deed.MODEL_PULLED, "one")
    machine.passes(seconds=1)
    deeds.record(store, ada, Deed.MODEL_REMOVED, "x" * 300)

    assert [(each.deed, each.concerned) for each in deeds.latest(store)] == [
        (Deed.MODEL_REMOVED, "x" * 120),
        (Deed.MODEL_PULLED, "one"),
    ]
    assert len(deeds.latest(store, limit=1)) == 1
    with store.writing() as rows:
        rows.execute(User.__table__.delete())
    assert {each.actor_id for each in deeds.latest(store)} == {None}


def test_an_address_is_vouched_for_until_its_provider_does_not(store):
    ada = users.ensure_user(
        store, "one", "1", email="ada@example.org", email_verified=True, display_name="Ada"
    )
    assert users.person(store, ada).email_verified

    users.note_address(store, ada, "new@example.org", verified=True)
    person = users.person(store, ada)
    assert (person.email, person.email_verified) == ("new@example.org", True)
    assert person.display_name == "Ada"

    users.note_address(store, ada, None, verified=True)
    person = users.person(store, ada)
    assert (person.email, person.email_verified) == ("new@example.org", False)
