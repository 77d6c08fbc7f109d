"""The account of one call, kept by more than one thread."""

import threading

import pytest

from inference.errors import Canceled
from inference.run import Run


def in_another_thread(work) -> list[BaseException]:
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    return raised


def test_only_the_callers_thread_asks_whether_to_stop() -> None:
    asked: list[int] = []

    def should_stop() -> bool:
        asked.append(threading.get_ident())
        return True

    run = Run(None, should_stop)

    assert in_another_thread(run.check) == []
    assert asked == []
    with pytest.raises(Canceled):
        run.check()
    assert asked == [threading.get_ident()]


@pytest.mark.parametrize("error", [Canceled(), KeyboardInterrupt(), MemoryError()])
def test_other_threads_end_at_their_next_look_once_the_call_has_failed(
    error: BaseException,
) -> None:
    run = Run(None, None)
    assert in_another_thread(run.check) == []

    with pytest.raises(type(error)), run.ending_other_threads():
        raise error

    (raised,) = in_another_thread(run.check)
    assert isinstance(raised, Canceled)


def test_a_call_that_went_well_stops_nobody() -> None:
    run = Run(None, None)

    with run.ending_other_threads():
        pass

    assert in_another_thread(run.check) == []


def test_times_of_several_threads_are_all_counted() -> None:
    run = Run(None, None)
    together = threading.Barrier(3)

    def phase() -> None:
        together.wait(10)
        with run.timed("phase"):
            together.wait(10)

    threads = [threading.Thread(target=phase) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(run.seconds) == {"phase", "total"}
    assert run.seconds["phase"] > 0
