"""The queue's file may be deleted at any time."""

from tests.faults import ledger
from tests.faults.service import Running
from tests.tasks.pictures import picture


def test_twenty_waiting_jobs_finish_although_the_queue_was_deleted(running: Running) -> None:
    running.start()
    running.until(lambda: running.has_said("worker_ready"), 60, "the worker is ready")
    running.hand_in(running.user("ada"), [picture(160, 110)] * 20, scale=4)
    running.until(lambda: ledger.running(running.service), 20, "a job runs")

    for suffix in ("", "-wal", "-shm"):
        running.service.folders.queue.with_name(f"queue.db{suffix}").unlink(missing_ok=True)

    assert not ledger.all_ended(running.service)
    running.until(lambda: ledger.all_ended(running.service), 120, "every job has ended")
    ended = ledger.check_jobs(running.service, 20)
    assert (ended.share, ended.interruptions) == (1, 0)
    # Handed in afterwards, and through the new file.
    running.until(running.service.folders.queue.exists, 20, "there is a queue again")
    running.hand_in(running.user("bob"), [picture()], scale=2)
    running.until(lambda: ledger.all_ended(running.service), 60, "the last one has ended, too")
    assert ledger.check_jobs(running.service, 21).share == 1
    assert running.stop() == 0
    ledger.check_no_scraps(running.service)
