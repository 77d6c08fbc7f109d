"""Hands that are called, look for work, and leave."""

import threading
import time
from collections import deque
from collections.abc import Callable

import pytest

from tasks.crew import Crew

PATIENCE = 30.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it hangs"
        time.sleep(0.002)


class Work:
    """Things to do, each of which lasts until it is let go."""

    def __init__(self, hands: int) -> None:
        self.waiting: deque[str] = deque()
        self.begun: list[tuple[int, str]] = []
        self.let_go = threading.Event()
        self.crew = Crew([self._hand(number) for number in range(hands)])

    def _hand(self, number: int) -> Callable[[], bool]:
        def next_one() -> bool:
            try:
                thing = self.waiting.popleft()
            except IndexError:
                return False
            self.begun.append((number, thing))
            assert self.let_go.wait(PATIENCE)
            return True

        return next_one

    def comes(self, thing: str) -> None:
        self.waiting.append(thing)
        self.crew.call()

    @property
    def things(self) -> list[str]:
        return sorted(thing for _, thing in self.begun)


def test_every_call_brings_one_hand_more_until_all_are_busy() -> None:
    work = Work(hands=3)
    work.comes("a")
    until(lambda: work.things == ["a"])
    for thing in "bcd":
        work.comes(thing)
    until(lambda: work.things == ["a", "b", "c"])
    assert {hand for hand, _ in work.begun} == {0, 1, 2}
    assert list(work.waiting) == ["d"]

    work.let_go.set()

    until(lambda: work.things == ["a", "b", "c", "d"])
    assert work.crew.leave(PATIENCE)


def test_who_finds_nothing_rests_and_its_thread_ends() -> None:
    before = threading.active_count()
    work = Work(hands=2)

    for _ in range(10):
        work.crew.call()

    until(lambda: threading.active_count() <= before)
    assert work.begun == []
    work.let_go.set()
    work.comes("a")
    until(lambda: work.things == ["a"])
    assert work.crew.leave(PATIENCE)


def test_a_call_that_comes_while_the_last_hand_looks_is_not_lost() -> None:
    found, looks = threading.Event(), 0

    def looks_in_vain_then_finds() -> bool:
        nonlocal looks
        looks += 1
        if looks == 1:
            crew.call()  # what it is called for was not there yet when it looked
        if looks == 2:
            found.set()
        return False

    crew = Crew([looks_in_vain_then_finds])
    crew.call()

    assert found.wait(PATIENCE)
    assert crew.leave(PATIENCE)
    assert looks == 2


def test_leaving_begins_nothing_more_and_waits_for_what_was_begun() -> None:
    work = Work(hands=2)
    for thing in "abc":
        work.comes(thing)
    until(lambda: work.things == ["a", "b"])

    assert not work.crew.leave(0.01)
    work.let_go.set()

    assert work.crew.leave(PATIENCE)
    work.crew.call()
    assert work.things == ["a", "b"]
    assert list(work.waiting) == ["c"]


def test_a_hand_that_fails_can_be_called_again(caplog: pytest.LogCaptureFixture) -> None:
    outcomes: list[str] = []

    def hand() -> bool:
        outcomes.append("called")
        if len(outcomes) == 1:
            raise OSError("the rows can't be reached")
        return False

    crew = Crew([hand])
    crew.call()
    until(lambda: len(crew._resting) == 1)
    crew.call()

    until(lambda: len(outcomes) == 2)
    assert crew.leave(PATIENCE)
    assert "hand_failed" in caplog.text
