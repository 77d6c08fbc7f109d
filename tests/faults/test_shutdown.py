"""Told to stop, or killed: nothing is left running, and no job is lost."""

import time

from db.work import State
from tests.faults import ledger
from tests.faults.service import Running
from tests.tasks.pictures import picture

SLOW = "realesrgan-x4plus"


def test_a_short_job_is_finished_before_the_service_ends(running: Running) -> None:
    running.hand_in(running.user("ada"), [picture(160, 110)], scale=16)
    running.start()
    running.until(lambda: ledger.running(running.service), 60, "a job runs")

    began = time.monotonic()
    assert running.stop(within=20) == 0

    assert time.monotonic() - began < 20
    ended = ledger.check_jobs(running.service, 1)
    assert (ended.share, ended.interruptions) == (1, 0)
    ledger.check_no_scraps(running.service)


def test_a_long_job_is_handed_back_and_nothing_is_held_against_it(running: Running) -> None:
    running.hand_in(
        running.user("ada"), [picture(160, 110)] * 2, model=SLOW, scale=16, precision="fp32"
    )
    running.start()
    running.until(lambda: ledger.running(running.service), 60, "a job runs")

    assert running.stop(within=20) == 0

    found = ledger.jobs(running.service)
    assert {job.state for job in found} <= {State.QUEUED, State.SUCCEEDED}
    assert State.QUEUED in {job.state for job in found}
    assert {(job.attempts, job.interruptions) for job in found} == {(0, 0)}
    ledger.check_no_scraps(running.service)


def test_nothing_outlives_a_killed_supervisor_and_its_job_is_taken_up_again(
    running: Running,
) -> None:
    running.hand_in(running.user("ada"), [picture(160, 110)], scale=16)
    running.start()
    running.until(lambda: ledger.running(running.service), 60, "a job runs")

    running.kill("supervisor")  # which waits for the others, five seconds at most

    assert [job.state for job in ledger.jobs(running.service)] == [State.RUNNING]
    running.passes(seconds=31)
    running.start()
    running.until(lambda: ledger.all_ended(running.service), 90, "the job has ended")
    ended = ledger.check_jobs(running.service, 1)
    assert (ended.share, ended.interruptions) == (1, 1)
    assert running.stop() == 0
    ledger.check_no_scraps(running.service)
