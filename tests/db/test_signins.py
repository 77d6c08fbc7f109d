"""A sign-in that has begun is finished once, in ten minutes, by whoever has its secret."""

import threading

from db import retention, signins
from db.people import SignIn
from tests.db.situations import count

DATA = {"state": "canary-state", "verifier": "v", "next": "/?tab=history", "nothing": None}


def test_what_was_remembered_is_given_out_once(store):
    secret = signins.begin(store, DATA)
    assert signins.take(store, secret) == DATA
    assert signins.take(store, secret) is None
    assert count(store, SignIn) == 0


def test_of_many_who_take_it_at_once_one_gets_it(store):
    secret, taken = signins.begin(store, DATA), []
    threads = [
        threading.Thread(target=lambda: taken.append(signins.take(store, secret))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one for one in taken if one is not None] == [DATA]


def test_it_can_be_finished_for_ten_minutes(store, machine):
    in_time, too_late = signins.begin(store, DATA), signins.begin(store, DATA)
    machine.passes(minutes=9, seconds=59)
    assert signins.take(store, in_time) == DATA
    machine.passes(seconds=1)
    assert signins.take(store, too_late) is None


def test_nobody_takes_one_with_another_secret(store, places):
    secret = signins.begin(store, DATA)
    for other in ("", "x", secret[:-1], secret + "=", "\udcff", signins.hash_of(secret).hex()):
        assert signins.take(store, other) is None
    assert secret.encode() not in places.everything()
    assert signins.take(store, secret) == DATA


def test_one_that_nobody_finishes_is_gone_with_the_first_sweep_after_ten_minutes(
    store, places, machine
):
    signins.begin(store, DATA)
    assert b"canary-state" in places.everything()
    machine.passes(minutes=10)
    assert retention.forget_old_rows(store) == {}
    machine.passes(seconds=1)
    assert retention.forget_old_rows(store) == {"sign_in": 1}
    assert b"canary-state" not in places.everything()
