"""A session is open while it is used, for 14 days at most, and for its own browser alone."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from db import acknowledgements, counts, sessions
from db.errors import NotFound, Suspended
from db.people import Session, User
from db.sessions import Device, SessionView
from db.upkeep import Metric
from db.users import Person
from tests.db.situations import a_user, count, set_columns

FIREFOX = Device(ip_trunc="198.51.100.0/24", browser="firefox", system="linux")


def a_session(store, name="ada"):
    return sessions.begin(store, a_user(store, name), FIREFOX)


def row_of(store, secret):
    with store.reading() as rows:
        condition = Session.id_hash == sessions.hash_of(secret)
        return rows.execute(select(Session.__table__).where(condition)).one()


def test_who_has_the_secret_is_signed_in(store):
    secret, user = a_session(store), a_user(store)
    acknowledgements.record(store, user, "one")
    found = sessions.find(store, secret)
    assert found.person == Person(user, None, "ada@example.org", False, "one")
    assert found.id_hash == sessions.hash_of(secret)


def test_that_is_one_query(store, queries):
    secret = a_session(store)
    queries.clear()
    assert sessions.find(store, secret)
    assert len(queries) == 1


def test_every_session_has_a_secret_of_its_own_that_is_written_nowhere(store, places):
    secrets = {a_session(store) for _ in range(20)}
    assert len(secrets) == 20
    assert min(map(len, secrets)) >= 43, "256 bits in base 64"
    everything = places.everything()
    assert not any(secret.encode() in everything for secret in secrets)


def test_what_is_written_in_the_database_opens_nothing(store):
    secret = a_session(store)
    id_hash = sessions.hash_of(secret)
    for wrong in ("", "x", secret[:-1], secret + " ", id_hash.hex(), "\udcff", "'; --"):
        assert sessions.find(store, wrong) is None


def test_a_session_that_is_not_used_for_twelve_hours_is_over(store, machine):
    secret = a_session(store)
    machine.passes(hours=11, minutes=59, seconds=59)
    assert sessions.find(store, secret)
    machine.passes(hours=11, minutes=59, seconds=59)
    assert sessions.find(store, secret)
    machine.passes(hours=12)
    assert sessions.find(store, secret) is None


def test_a_session_that_is_used_all_the_time_is_over_after_fourteen_days(store, machine):
    secret = a_session(store)
    for _ in range(2 * 14 * 2):
        assert sessions.find(store, secret)
        machine.passes(hours=6)
    assert sessions.find(store, secret) is None
    assert sessions.current(store, a_user(store)) == ()


def test_its_use_is_written_down_every_five_minutes_at_most(store, machine, queries):
    secret, begun = a_session(store), store.clock.now()
    machine.passes(minutes=4, seconds=59)
    queries.clear()
    sessions.find(store, secret)
    assert len(queries) == 1
    assert row_of(store, secret).last_seen_at == begun
    machine.passes(seconds=1)
    sessions.find(store, secret)
    assert row_of(store, secret).last_seen_at == begun + timedelta(minutes=5)


def test_the_day_on_which_a_user_was_here_is_known(store, machine):
    secret = a_session(store)
    for _ in range(4):
        with store.reading() as rows:
            assert rows.scalar(select(User.last_seen_day)) == store.clock.now().date()
        machine.passes(hours=11)
        sessions.find(store, secret)


def test_a_database_that_is_busy_keeps_nobody_out(store, locked, machine):
    locked.execute("ROLLBACK")
    secret, begun = a_session(store), store.clock.now()
    machine.passes(minutes=5)
    locked.execute("BEGIN IMMEDIATE")
    assert sessions.find(store, secret)
    locked.execute("ROLLBACK")
    assert row_of(store, secret).last_seen_at == begun
    assert sessions.find(store, secret)
    assert row_of(store, secret).last_seen_at == begun + timedelta(minutes=5)


def test_who_signs_out_is_out_here_and_nowhere_else(store):
    here, there = a_session(store), a_session(store)
    sessions.end(store, here)
    sessions.end(store, here)
    sessions.end(store, "never was one")
    assert sessions.find(store, here) is None
    assert sessions.find(store, there)
    ended = row_of(store, here)
    assert ended.expires_at == ended.revoked_at == store.clock.now()


def test_who_signs_out_while_their_use_is_being_noted_stays_out(store, machine, monkeypatch):
    secret = a_session(store)
    machine.passes(minutes=5)
    really = store.note

    def slowly(write):
        sessions.end(store, secret)
        really(write)

    monkeypatch.setattr(store, "note", slowly)
    assert sessions.find(store, secret)
    monkeypatch.undo()
    assert sessions.find(store, secret) is None
    assert row_of(store, secret).expires_at == store.clock.now()


def test_one_browser_is_signed_out_by_its_handle_and_by_its_owner_alone(store):
    here, there, eves = a_session(store), a_session(store), a_session(store, "eve")
    user, eve = a_user(store), a_user(store, "eve")
    handle = {each.id_hash: each.handle for each in sessions.current(store, user)}
    wanted = handle[sessions.hash_of(there)]
    assert len(wanted) == 16
    assert sessions.find(store, wanted) is None, "a handle opens nothing"
    for wrong in (
        ("", user),
        (wanted[:-2], user),
        (wanted + "00", user),
        ("not hexadecimal!", user),
        (sessions.hash_of(there).hex(), user),
        ("00" * 8, user),
        (wanted, eve),
    ):
        with pytest.raises(NotFound):
            sessions.end_one(store, *wrong)
    assert sessions.find(store, there)
    sessions.end_one(store, wanted, user)
    assert sessions.find(store, there) is None
    assert sessions.find(store, here)
    assert sessions.find(store, eves)
    with pytest.raises(NotFound):
        sessions.end_one(store, wanted, user)


def test_sign_ins_are_counted_by_the_day_and_name_nobody(store, machine):
    a_session(store)
    a_session(store, "eve")
    today = store.clock.now().date()
    machine.passes(days=1)
    a_session(store)
    assert counts.total(store, Metric.SIGNED_IN, today) == 2
    assert counts.total(store, Metric.SIGNED_IN) == 3


def test_who_is_refused_is_not_counted_as_signed_in(store):
    a_user(store)
    set_columns(store, User, state="suspended")
    with pytest.raises(Suspended):
        a_session(store)
    assert counts.total(store, Metric.SIGNED_IN) == 0


def test_signing_out_everywhere_leaves_one_browser_and_all_other_users(store):
    here, there, eves = a_session(store), a_session(store), a_session(store, "eve")
    user = a_user(store)
    sessions.end(store, a_session(store))
    assert sessions.end_all(store, user, but=sessions.hash_of(here)) == 1
    assert sessions.find(store, there) is None
    assert sessions.find(store, here)
    assert sessions.end_all(store, user) == 1
    assert sessions.find(store, here) is None
    assert sessions.find(store, eves)


def test_the_owner_sees_the_browsers_that_are_signed_in(store, machine):
    old, user = a_session(store), a_user(store)
    a_session(store, "eve")
    sessions.end(store, a_session(store))
    begun = store.clock.now()
    machine.passes(hours=1)
    new = sessions.begin(store, user, Device())
    later = store.clock.now()
    assert sessions.current(store, user) == (
        SessionView(sessions.hash_of(new), later, later, "other", "other", None),
        SessionView(sessions.hash_of(old), begun, begun, "firefox", "linux", "198.51.100.0/24"),
    )
    machine.passes(hours=11)
    assert [view.id_hash for view in sessions.current(store, user)] == [sessions.hash_of(new)]


def test_a_user_who_is_suspended_is_out_and_does_not_get_in(store):
    secret, user = a_session(store), a_user(store)
    set_columns(store, User, state="suspended")
    assert sessions.find(store, secret) is None
    with pytest.raises(Suspended):
        sessions.begin(store, user, FIREFOX)
    assert count(store, Session) == 1
    set_columns(store, User, state="active")
    assert sessions.find(store, secret)


def test_nobody_has_no_session(store):
    with pytest.raises(NotFound):
        sessions.begin(store, uuid4(), FIREFOX)


@pytest.mark.parametrize("device", [Device(browser="Mozilla/5.0"), Device(system="Windows NT 10")])
def test_the_database_itself_refuses_what_would_recognise_a_browser(store, device):
    with pytest.raises(IntegrityError):
        sessions.begin(store, a_user(store), device)
