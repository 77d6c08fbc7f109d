"""Calls that wait for each other's memory, and never for ever."""

import threading
import time
from collections.abc import Callable

import pytest

from inference.company import Company
from inference.errors import Canceled

PATIENCE = 30.0


def goes_on() -> None:
    pass


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it hangs"
        time.sleep(0.002)


class Guest:
    """Somebody in a thread, who waits until another leaves, as often as told, then leaves."""

    def __init__(self, company: Company, times: int = 1) -> None:
        self.heard: list[bool] = []

        def work() -> None:
            with company.entered():
                for _ in range(times):
                    self.heard.append(company.has_thinned(goes_on))

        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()


def test_who_is_alone_waits_for_nobody() -> None:
    company = Company()

    with company.entered():
        assert not company.has_thinned(goes_on)


def test_who_has_company_waits_until_one_of_them_leaves() -> None:
    company = Company()
    with company.entered():
        guest = Guest(company)
        until(lambda: company._waiting == 1)
        assert guest.heard == []

    guest.thread.join(PATIENCE)
    assert guest.heard == [True]


def test_the_last_one_who_does_not_wait_is_told_that_there_is_nobody_to_wait_for() -> None:
    company = Company()
    with company.entered():
        guests = [Guest(company), Guest(company)]
        until(lambda: company._waiting == 2)
        assert not company.has_thinned(goes_on)

    for guest in guests:
        guest.thread.join(PATIENCE)
    assert [guest.heard for guest in guests] == [[True], [True]]


def test_all_leave_in_the_end_however_often_they_wait() -> None:
    company = Company()
    guests = [Guest(company, times=5) for _ in range(6)]

    for guest in guests:
        guest.thread.join(PATIENCE)
        assert not guest.thread.is_alive()
    assert (company._here, company._waiting) == (0, 0)


def test_waiting_may_be_given_up() -> None:
    company = Company()

    def stop() -> None:
        raise Canceled

    with company.entered(), company.entered():
        with pytest.raises(Canceled):
            company.has_thinned(stop)
        assert company._waiting == 0
