"""Work beside its caller: order, errors, waiting, and no thread left behind."""

import threading
import time
from collections.abc import Callable

import pytest

from inference.errors import Canceled
from inference.stage import Stage

WAIT = 10


def nothing() -> None:
    pass


def stage_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("stage")]


def push_all(stage: Stage[int], things: range, between: Callable[[], None] = nothing) -> None:
    with stage:
        for thing in things:
            stage.push(thing)
            between()
        stage.drain()


def test_all_things_are_worked_on_in_order_in_one_other_thread() -> None:
    done: list[tuple[int, int]] = []

    push_all(Stage(lambda n: done.append((n, threading.get_ident())), nothing), range(100))

    assert [n for n, _ in done] == list(range(100))
    assert len({ident for _, ident in done}) == 1
    assert done[0][1] != threading.get_ident()
    assert stage_threads() == []


def test_the_caller_goes_on_while_a_thing_is_worked_on() -> None:
    both = threading.Barrier(2, timeout=WAIT)

    # Neither side gets past the barrier unless the other reaches it too.
    push_all(Stage(lambda _: both.wait(), nothing), range(3), lambda: both.wait())


def test_a_thing_is_taken_over_only_when_the_one_before_is_done() -> None:
    begun, go_on = threading.Event(), threading.Event()
    in_work = most = 0

    def work(_: int) -> None:
        nonlocal in_work, most
        in_work += 1
        most = max(most, in_work)
        begun.set()
        go_on.wait(WAIT)
        in_work -= 1

    pushed: list[int] = []

    def push() -> None:
        with Stage(work, nothing) as stage:
            for n in range(3):
                stage.push(n)
                pushed.append(n)

    caller = threading.Thread(target=push)
    caller.start()
    assert begun.wait(WAIT)
    time.sleep(0.2)
    assert pushed == [0]
    go_on.set()
    caller.join(WAIT)

    assert pushed == [0, 1, 2]
    assert most == 1


@pytest.mark.parametrize("error", [OSError(28, "No space left"), TimeoutError(), Canceled()])
@pytest.mark.parametrize("at", [0, 2, 4])
def test_what_the_work_raises_reaches_the_caller_and_ends_the_work(
    error: Exception, at: int
) -> None:
    done: list[int] = []

    def work(n: int) -> None:
        if n == at:
            raise error
        done.append(n)

    with pytest.raises(type(error)) as caught:
        push_all(Stage(work, nothing), range(5))

    assert caught.value is error
    assert done == list(range(at))
    assert stage_threads() == []


@pytest.mark.parametrize("error", [Canceled(), KeyboardInterrupt()])
def test_a_waiting_caller_is_asked_whether_to_go_on_in_its_own_thread(
    error: BaseException,
) -> None:
    go_on = threading.Event()
    asked: list[int] = []

    def check() -> None:
        asked.append(threading.get_ident())
        go_on.set()
        raise error

    with pytest.raises(type(error)):
        push_all(Stage(lambda _: go_on.wait(WAIT), check), range(2))

    assert set(asked) == {threading.get_ident()}
    assert stage_threads() == []


def test_the_thread_has_ended_when_the_caller_fails() -> None:
    released = threading.Event()
    done: list[int] = []

    def work(n: int) -> None:
        released.wait(WAIT)
        done.append(n)

    def fail() -> None:
        threading.Timer(0.1, released.set).start()
        raise KeyError

    with pytest.raises(KeyError):
        push_all(Stage(work, nothing), range(2), fail)

    assert done == [0]
    assert stage_threads() == []


def test_an_unused_stage_starts_no_thread() -> None:
    with Stage(nothing, nothing) as stage:
        stage.drain()
        assert stage_threads() == []
