"""Every process killed again and again while real jobs are done: nothing is lost, nothing twice."""

import random
import time
from collections.abc import Callable, Sequence
from uuid import UUID

import pytest

from db.work import Cause
from tasks.deletion import delete_batch
from tasks.retention import reconcile_leftovers, sweep
from tests.faults import ledger
from tests.faults.service import Running
from tests.tasks.pictures import picture

VICTIMS = ("worker", "scheduler", "supervisor")
APART = 10.0  # seconds: what dies sooner waits longer and longer for its restart


def hand_in(running: Running, number: int, scale: int, size: tuple[int, int]) -> dict[UUID, UUID]:
    """Three users' batches, with their owners."""
    batches = {}
    for name, pictures in zip(("ada", "bob", "eve"), _shares(number), strict=True):
        owner = running.user(name)
        for start in range(0, pictures, 20):
            some = min(20, pictures - start)
            batches[running.hand_in(owner, [picture(*size)] * some, scale=scale)] = owner
    return batches


def _shares(number: int) -> tuple[int, int, int]:
    return number - number // 3 - number // 6, number // 3, number // 6


def storm(running: Running, chance: random.Random, victims: Sequence[str]) -> list[str]:
    """Kill the victims one after the other, at random moments, while there is work."""
    killed = []
    for victim in victims:
        time.sleep(APART + chance.uniform(0, 3))
        if ledger.all_ended(running.service):
            break
        if victim == "worker" and chance.random() < 0.8:
            # In the middle of a job rather than between two, or while it starts.
            running.until(
                lambda: ledger.running(running.service) or ledger.all_ended(running.service),
                60,
                "a job runs",
            )
            time.sleep(chance.uniform(0, 1.5))
        running.kill(victim)
        killed.append(victim)
        if victim == "supervisor":
            time.sleep(chance.uniform(0, 1))
            running.start()
    return killed


def check_all(running: Running, batches: dict[UUID, UUID], number: int) -> ledger.Ended:
    """The whole account, from the jobs' ends to the last receipt."""
    service = running.service
    ended = ledger.check_jobs(service, number)
    assert running.stop() == 0
    running.passes(hours=1, seconds=1)  # beyond the grace time, and that of scratch
    sweep(service)
    reconcile_leftovers(service.store)
    ledger.check_no_scraps(service)
    assert ledger.check_receipts(service) == 0

    everything = len(ledger.stored(service))
    first = next(iter(batches))
    erased = delete_batch(service, first, batches[first])
    assert erased
    assert ledger.check_receipts(service) == erased
    running.passes(hours=48)
    assert sweep(service).files == everything - erased
    assert ledger.check_receipts(service) == everything
    ledger.check_no_scraps(service)
    assert not ledger.keys.known(service.store.keys)
    by_cause = ledger.receipts.count(service.store)
    assert by_cause == {Cause.USER: erased, Cause.EXPIRED: everything - erased}
    return ended


def test_twelve_jobs_survive_the_death_of_every_process(
    running: Running, seed: int, say: Callable[[str], None]
) -> None:
    chance = random.Random(seed)
    began = time.monotonic()
    batches = hand_in(running, 12, 8, (160, 110))
    running.start()
    killed = storm(running, chance, chance.sample(VICTIMS, 3))
    # The leases of those who died lapse; a scheduler that starts looks for them at once.
    running.passes(seconds=31)
    running.kill("scheduler")

    running.until(lambda: ledger.all_ended(running.service), 90, "every job has ended")

    ended = check_all(running, batches, 12)
    say(f"{ended}; killed {', '.join(killed)}; {time.monotonic() - began:.0f} s")
    assert ended.share >= 0.95


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_sixty_jobs_survive_a_storm(
    running: Running, seed: int, say: Callable[[str], None]
) -> None:
    chance = random.Random(seed)
    began = time.monotonic()
    batches = hand_in(running, 60, 16, (160, 110))
    running.start()
    victims = [*VICTIMS * 2, *chance.choices(VICTIMS, k=6)]
    chance.shuffle(victims)
    killed = storm(running, chance, victims)

    # No help from the clock: leases of 30 s, and a scheduler that looks every minute.
    running.until(lambda: ledger.all_ended(running.service), 900, "every job has ended")

    ended = check_all(running, batches, 60)
    say(f"{ended}; {len(killed)} kills: {', '.join(killed)}; {time.monotonic() - began:.0f} s")
    assert len(killed) >= 8
    assert ended.share >= 0.95
