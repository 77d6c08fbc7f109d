"""Jobs are leased one by one, in turn, and end once."""

import multiprocessing
from datetime import timedelta
from time import perf_counter
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.dialects import postgresql

from db import batches, counts, jobs, recovery, views, waiting, workers
from db.errors import DamagedFile, Gone, JobCanceled, LeaseLost
from db.outcomes import Failure
from db.people import User
from db.upkeep import Metric
from db.work import Batch, File, Job, Kind, Role, State
from tests.db.places import Places
from tests.db.situations import (
    a_batch,
    a_claim,
    a_finished_job,
    a_user,
    a_worker,
    file_rows,
    job_row,
    kept,
    new_job,
)

ODD = Failure("ODD", "Something odd happened.", "Try again.")


def claimed_users(store, times):
    worker = a_worker(store)
    return [jobs.claim_next(store, worker).user_id for _ in range(times)]


# --- what is ahead of the queue ---------------------------------------------------------------


def test_a_try_is_only_for_who_asks_for_tries_and_costs_nobody_their_turn(store):
    user_id = a_user(store)
    batches.create(store, user_id, [new_job(store)], options={}, kind=Kind.TRY)
    assert jobs.claim_next(store, a_worker(store)) is None
    claim = jobs.claim_next(store, a_worker(store), kinds=[Kind.TRY, Kind.CONVERT])
    assert claim.kind is Kind.TRY
    with store.reading() as rows:
        assert rows.scalar(select(User.last_claimed_at).where(User.id == user_id)) is None


# --- whose turn it is ------------------------------------------------------------------------


def test_of_two_users_the_one_with_a_single_job_is_next_whatever_the_other_has_waiting(
    store, machine
):
    many, one = a_user(store, "many"), a_user(store, "one")
    a_batch(store, many, pictures=20)
    assert claimed_users(store, 1) == [many]
    machine.passes(minutes=1)
    a_batch(store, one)
    assert claimed_users(store, 3) == [one, many, many]


def test_users_take_turns(store, machine):
    ada, bob = a_user(store, "ada"), a_user(store, "bob")
    a_batch(store, ada, pictures=3)
    machine.passes(seconds=1)
    a_batch(store, bob, pictures=3)
    order = []
    for _ in range(6):
        machine.passes(seconds=1)
        order += claimed_users(store, 1)
    assert order == [ada, bob, ada, bob, ada, bob]


def test_within_a_user_a_first_attempt_comes_before_a_repeated_one(store, machine):
    a_batch(store)
    failed_once = a_claim(store)
    jobs.fail(store, failed_once, ODD, again=True)
    machine.passes(hours=1)
    a_batch(store)
    assert a_claim(store).job_id != failed_once.job_id
    assert a_claim(store).job_id == failed_once.job_id


def test_within_a_batch_pictures_are_done_in_their_order(store):
    batch = a_batch(store, pictures=5)
    order = [view.id for view in views.show(store, batch, a_user(store)).jobs]
    assert [a_claim(store).job_id for _ in range(5)] == order


def test_among_equals_the_model_that_is_loaded_is_taken(store, machine):
    a_batch(store, models=["slow", "quick", "slow"])
    machine.passes(seconds=1)
    a_batch(store, models=["quick"])
    worker = a_worker(store)
    taken = [jobs.claim_next(store, worker, loaded=["quick"]).model for _ in range(4)]
    assert taken == ["quick", "slow", "slow", "quick"], "an earlier batch comes first all the same"


class Reference:
    """The order as ARCHITECTURE tells it, in the plainest words."""

    def __init__(self):
        self.waiting = []
        self.last_claim = {}

    def next(self, now, loaded):
        candidates = self.waiting
        if not candidates:
            return None
        for better in (
            lambda job: self.last_claim.get(job["user"], -1),
            lambda job: job["tries"] > 0,
            lambda job: job["submitted"],
            lambda job: job["model"] not in loaded,
            lambda job: job["batch"].hex,
            lambda job: job["number"],
        ):
            best = min(better(job) for job in candidates)
            candidates = [job for job in candidates if better(job) == best]
        (job,) = candidates
        self.waiting.remove(job)
        self.last_claim[job["user"]] = now
        return job


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("submit"), st.integers(0, 3), st.lists(st.sampled_from("xyz"), max_size=3)
        ),
        st.tuples(st.just("claim"), st.sampled_from([(), ("x",), ("y", "z")]), st.booleans()),
    ),
    min_size=10,
    max_size=40,
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_the_order_is_that_of_a_naive_reference(store, machine, steps):
    # The store is that of the examples before: their users are others, their jobs are all claimed.
    while jobs.claim_next(store, uuid4()) is not None:
        pass
    reference, worker = Reference(), uuid4()
    people = [a_user(store, uuid4().hex) for _ in range(4)]
    for what, which, how in [*steps, *[("claim", (), False)] * 40]:
        machine.passes(milliseconds=1)
        if what == "submit":
            user, models = people[which], how
            batch = a_batch(store, user, models=models or ["x"])
            for view in views.show(store, batch, user).jobs:
                submitted = {"id": view.id, "user": user, "submitted": view.created_at}
                about = {"model": view.model, "batch": batch, "tries": 0}
                reference.waiting.append(
                    submitted | about | {"number": len(reference.waiting) + 1_000 * machine.boot}
                )
            continue
        expected = reference.next(machine.boot, which)
        claim = jobs.claim_next(store, worker, loaded=which)
        assert (claim and claim.job_id) == (expected and expected["id"])
        if claim and how:
            jobs.fail(store, claim, ODD, again=True)
            if expected["tries"] < 2:
                reference.waiting.append(expected | {"tries": expected["tries"] + 1})


def test_on_postgresql_workers_pass_over_a_row_that_another_is_claiming(store):
    query = jobs._next_in_turn(store.clock.now(), ["x"], [Kind.UPSCALE])
    sql = str(select(query).compile(dialect=postgresql.dialect()))
    assert "FOR UPDATE OF job_1 SKIP LOCKED" in sql
    assert "last_claimed_at ASC NULLS FIRST" in sql


def claim_all(places: Places, results) -> None:
    with places.open() as store:
        worker, mine = a_worker(store), []
        while (claim := jobs.claim_next(store, worker)) is not None:
            mine.append(str(claim.job_id))
        results.put(mine)


def test_processes_that_claim_together_get_each_job_once(places):
    with places.open() as store:
        for name in ("ada", "bob", "eve"):
            a_batch(store, a_user(store, name), pictures=20)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=claim_all, args=(places, results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    claimed = [job for _ in workers for job in results.get(timeout=60)]
    for worker in workers:
        worker.join(60)
    assert len(claimed) == len(set(claimed)) == 60


# --- what becomes of it ----------------------------------------------------------------------


def test_a_spare_nudge_finds_nothing(store):
    assert jobs.claim_next(store, uuid4()) is None


def test_a_lease_lasts_30_seconds_and_is_renewed(store, machine):
    a_batch(store)
    claim = a_claim(store)
    machine.passes(seconds=20)
    assert jobs.renew(store, claim) is False
    machine.passes(seconds=29)
    assert recovery.recover(store) == recovery.Recovered(0, 0, 0)
    machine.passes(seconds=2)
    assert recovery.recover(store) == recovery.Recovered(queued=1, failed=0, canceled=0)
    with pytest.raises(LeaseLost):
        jobs.renew(store, claim)


def test_progress_is_a_heartbeat_too(store, machine):
    a_batch(store)
    claim = a_claim(store)
    machine.passes(seconds=29)
    jobs.progress(store, claim, 3, 9)
    row = job_row(store, claim.job_id)
    assert (row.progress_done, row.progress_total) == (3, 9)
    assert row.lease_until == store.clock.now() + timedelta(seconds=30)


def test_a_worker_that_lost_its_lease_can_change_nothing(store, machine):
    a_batch(store)
    late = a_claim(store)
    machine.passes(seconds=31)
    recovery.recover(store)
    current = a_claim(store)
    assert current.job_id == late.job_id
    result = [kept(store, b"late", Role.RESULT)]
    for change in (
        lambda: jobs.renew(store, late),
        lambda: jobs.progress(store, late, 1, 2),
        lambda: jobs.finish(store, late, result, {}, 9),
        lambda: jobs.fail(store, late, ODD, again=False),
        lambda: jobs.end_canceled(store, late),
    ):
        with pytest.raises(LeaseLost):
            change()
    jobs.hand_back(store, late)
    assert job_row(store, late.job_id).lease_owner == current.worker_id
    assert len(file_rows(store)) == 1


def test_a_job_ends_once_and_with_its_files_or_not_at_all(store):
    a_batch(store)
    claim = a_finished_job(store)
    row = job_row(store, claim.job_id)
    assert row.state == State.SUCCEEDED
    assert row.report == {"device": "cpu"}
    assert row.lease_owner is None
    with pytest.raises(LeaseLost):
        jobs.finish(store, claim, [kept(store, b"again", Role.RESULT)], {}, 9)
    assert [file.role for file in file_rows(store)].count(Role.RESULT) == 1


def test_files_of_a_result_expire_with_their_batch(store, machine):
    a_batch(store)
    machine.passes(hours=10)
    a_finished_job(store)
    assert len({row.expires_at for row in file_rows(store)}) == 1


def test_a_job_fails_at_its_third_own_error(store):
    a_batch(store)
    states = [jobs.fail(store, a_claim(store), ODD, again=True) for _ in range(3)]
    assert states == [State.QUEUED, State.QUEUED, State.FAILED]
    (view,) = views.show(store, *batch_and_owner(store)).jobs
    assert view.failure == ODD
    assert jobs.claim_next(store, uuid4()) is None


def test_a_hopeless_picture_fails_at_once(store):
    a_batch(store)
    assert jobs.fail(store, a_claim(store), ODD, again=False) is State.FAILED


def test_a_job_fails_readably_at_the_fifth_worker_that_dies_under_it(store, machine):
    a_batch(store)
    for lost in range(1, 6):
        claim = a_claim(store)
        machine.passes(seconds=31)
        gone = recovery.recover(store)
        assert gone == recovery.Recovered(int(lost < 5), int(lost == 5), 0)
    row = job_row(store, claim.job_id)
    assert row.error_code == "INTERRUPTED"
    assert row.error_message.endswith(".")


def test_errors_and_interruptions_are_counted_apart(store, machine):
    a_batch(store)
    for _ in range(2):
        jobs.fail(store, a_claim(store), ODD, again=True)
    for _ in range(4):
        claim = a_claim(store)
        machine.passes(seconds=31)
        recovery.recover(store)
    row = job_row(store, claim.job_id)
    assert (row.state, row.attempts, row.interruptions) == (State.QUEUED, 2, 4)


def test_a_job_that_is_handed_back_has_lost_nothing(store):
    a_batch(store)
    claim = a_claim(store)
    jobs.hand_back(store, claim)
    row = job_row(store, claim.job_id)
    assert (row.state, row.attempts, row.interruptions) == (State.QUEUED, 0, 0)
    assert a_claim(store).job_id == claim.job_id


# --- canceling -------------------------------------------------------------------------------


def batch_and_owner(store) -> tuple[UUID, UUID]:
    with store.reading() as rows:
        return tuple(rows.execute(select(Batch.id, Batch.user_id)).one())


@pytest.fixture
def canceled_while_running(store):
    batch = a_batch(store, pictures=2)
    claim = a_claim(store)
    assert batches.cancel(store, batch, claim.user_id) == 2
    return claim


def test_canceling_ends_what_waits_and_asks_what_runs(store, canceled_while_running):
    states = [view.state for view in views.show(store, *batch_and_owner(store)).jobs]
    assert states == [State.RUNNING, State.CANCELED]
    assert jobs.renew(store, canceled_while_running) is True
    assert jobs.progress(store, canceled_while_running, 1, 2) is True
    jobs.end_canceled(store, canceled_while_running)
    assert views.show(store, *batch_and_owner(store)).state is State.CANCELED


def test_a_canceled_job_cannot_succeed_any_more(store, canceled_while_running):
    with pytest.raises(JobCanceled):
        jobs.finish(store, canceled_while_running, [kept(store, b"late", Role.RESULT)], {}, 9)
    assert [row.role for row in file_rows(store)] == [Role.ORIGINAL] * 2


def test_a_canceled_job_stays_canceled_however_its_worker_leaves(store, machine):
    leave = [
        lambda claim: jobs.hand_back(store, claim),
        lambda claim: jobs.fail(store, claim, ODD, again=True),
        lambda claim: (machine.passes(seconds=31), recovery.recover(store)),
    ]
    for one in leave:
        batch = a_batch(store)
        claim = a_claim(store)
        batches.cancel(store, batch, claim.user_id)
        one(claim)
        assert job_row(store, claim.job_id).state == State.CANCELED


def test_a_job_that_nobody_canceled_cannot_end_as_canceled(store):
    a_batch(store)
    with pytest.raises(LeaseLost):
        jobs.end_canceled(store, a_claim(store))


# --- time ------------------------------------------------------------------------------------


def test_a_job_that_is_not_started_in_20_hours_fails_readably(store, machine):
    a_batch(store)
    machine.passes(hours=19, minutes=59)
    assert recovery.fail_overdue(store) == 0
    machine.passes(minutes=1)
    assert jobs.claim_next(store, uuid4()) is None, "not even before the sweep"
    assert recovery.fail_overdue(store) == 1
    (view,) = views.show(store, *batch_and_owner(store)).jobs
    assert view.failure == recovery.NOT_STARTED


def test_a_job_that_was_started_may_be_repeated_until_its_original_expires(store, machine):
    a_batch(store)
    jobs.fail(store, a_claim(store), ODD, again=True)
    machine.passes(hours=47)
    assert recovery.fail_overdue(store) == 0
    jobs.hand_back(store, a_claim(store))
    machine.passes(hours=1)
    assert jobs.claim_next(store, uuid4()) is None
    assert recovery.fail_overdue(store) == 1
    (view,) = views.show(store, *batch_and_owner(store)).jobs
    assert view.failure == recovery.EXPIRED


def test_a_result_that_comes_after_its_time_is_refused(store, machine):
    a_batch(store)
    claim = a_claim(store)
    machine.passes(hours=48)
    with pytest.raises(Gone):
        jobs.finish(store, claim, [kept(store, b"late", Role.RESULT)], {}, 9)


def test_a_job_that_ended_before_its_first_beat_has_done_all_its_work(store):
    a_batch(store)
    claim = a_claim(store)
    jobs.finish(store, claim, [kept(store, b"quick", Role.RESULT)], {}, 9)
    row = job_row(store, claim.job_id)
    assert (row.progress_done, row.progress_total) == (9, 9)


def test_a_result_that_waited_too_long_for_its_row_is_not_called_done(store, machine):
    a_batch(store)
    claim = a_claim(store)
    result = kept(store, b"big", Role.RESULT)
    machine.passes(minutes=11)
    with pytest.raises(DamagedFile):
        jobs.finish(store, claim, [result], {}, 9)
    assert job_row(store, claim.job_id).state == State.RUNNING


# --- counting --------------------------------------------------------------------------------


def test_every_submitted_job_is_counted_with_its_end(store, machine):
    user = a_user(store)
    a_batch(store, user, pictures=2)
    a_finished_job(store)
    jobs.fail(store, a_claim(store), ODD, again=False)
    canceled = a_batch(store, user, pictures=2)
    a_claim(store)
    batches.cancel(store, canceled, user)
    a_batch(store, user)
    machine.passes(hours=21)
    recovery.recover(store)
    recovery.fail_overdue(store)
    refused = batches.NewJob(name="x", model="m", original=ODD, scale=2)
    batches.create(store, user, [refused], options={})
    total = {metric: counts.total(store, metric) for metric in Metric}
    assert total[Metric.SUBMITTED] == 6
    assert total[Metric.SUCCEEDED] == 1
    assert total[Metric.FAILED] == 3
    assert total[Metric.CANCELED] == 2


# --- the queue as it is seen -----------------------------------------------------------------


def test_positions_are_the_order_in_which_jobs_are_then_claimed(store, machine):
    people = [a_user(store, name) for name in ("ada", "bob", "eve", "kim")]
    for user, pictures in zip([*people, *people], (3, 1, 2, 4, 1, 2, 0, 1), strict=True):
        machine.passes(seconds=1)
        if pictures:
            a_batch(store, user, pictures=pictures)
    for _ in range(3):
        machine.passes(seconds=1)
        a_claim(store)
    machine.passes(seconds=1)
    jobs.fail(store, a_claim(store), ODD, again=True)
    machine.passes(seconds=1)
    with store.reading() as rows:
        positions = {
            job: place for user in people for job, place in waiting.positions(rows, user).items()
        }
    order = []
    while (claim := jobs.claim_next(store, uuid4())) is not None:
        machine.passes(seconds=1)
        order.append(claim.job_id)
    assert [positions[job] for job in order] == list(range(1, len(order) + 1))


def test_the_backlog_of_a_newcomer_is_one_round_and_not_the_whole_queue(store):
    many, one = a_user(store, "many"), a_user(store, "one")
    a_batch(store, many, pictures=20)
    backlog = waiting.backlog(store, one, 1)
    assert backlog.jobs == 1
    assert backlog.pixels == {"realesrgan-x4plus": 40 * 30}
    assert waiting.backlog(store, many, 5).jobs == 24
    a_claim(store)
    assert waiting.backlog(store, one, 1).jobs == 2, "what runs is before us too"


def test_pace_is_pixels_per_second_of_what_was_done(store, machine):
    assert waiting.pace(store) == {}
    a_batch(store)
    claim = a_claim(store)
    machine.passes(seconds=4)
    jobs.finish(store, claim, [kept(store, b"big", Role.RESULT)], {}, 9)
    assert waiting.pace(store) == {"realesrgan-x4plus": 300.0}


def test_until_there_are_results_what_living_workers_measured_is_the_pace(store, machine):
    slow, quick = workers.register(store, "cpu"), workers.register(store, "cuda")
    workers.paced(store, quick, "realesrgan-x4plus", 9000.0)
    workers.paced(store, slow, "realesrgan-x4plus", 2000.0)
    workers.paced(store, workers.register(store, "cpu"), "another", 10.0)
    assert waiting.pace(store) == {"realesrgan-x4plus": 2000.0, "another": 10.0}

    a_batch(store)
    claim = a_claim(store)
    machine.passes(seconds=4)
    jobs.finish(store, claim, [kept(store, b"big", Role.RESULT)], {}, 9)
    assert waiting.pace(store) == {"realesrgan-x4plus": 300.0, "another": 10.0}

    machine.passes(seconds=120)
    assert waiting.pace(store) == {"realesrgan-x4plus": 300.0}


def test_open_jobs_are_those_that_wait_or_run(store):
    user = a_user(store)
    a_batch(store, user, pictures=3)
    a_finished_job(store)
    a_claim(store)
    assert waiting.open_jobs(store, user) == 2
    assert waiting.queued_jobs(store) == 1


def test_ten_thousand_waiting_jobs_are_claimed_from_quickly(store, record_property):
    """A ceiling, far from what is measured, for machines that do other things meanwhile."""
    user = a_user(store)
    batch = a_batch(store, user)
    now = store.clock.now()
    many = [
        {
            "id": uuid4(),
            "batch_id": batch,
            "user_id": user,
            "number": number,
            "name": "x",
            "model": "m",
            "scale": 4,
            "options": {},
            "state": State.QUEUED,
            "created_at": now,
        }
        for number in range(10_000)
    ]
    files_of = [
        {
            "user_id": user,
            "job_id": job["id"],
            "role": Role.ORIGINAL,
            "blob_name": uuid4().hex,
            "format": "png",
            "size": 1,
            "created_at": now,
            "expires_at": now + timedelta(hours=48),
        }
        for job in many
    ]
    with store.writing() as rows:
        rows.execute(insert(Job), many)
        rows.execute(insert(File), files_of)
    worker = a_worker(store)
    jobs.claim_next(store, worker)
    begun = perf_counter()
    for _ in range(10):
        assert jobs.claim_next(store, worker, loaded=["m"]) is not None
    took = (perf_counter() - begun) / 10
    record_property("claim_ms", round(took * 1000, 1))
    assert took < 0.5
