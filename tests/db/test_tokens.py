"""A token stands for its owner until it is revoked, and can be told from any other text."""

import re
import string
from datetime import timedelta
from uuid import uuid4
from zlib import crc32

import pytest
from sqlalchemy import select

from db import acknowledgements, tokens
from db.errors import NotFound, Suspended
from db.people import Scope, Token, User
from db.users import Person
from tests.db.situations import a_user, count, set_columns

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase


def a_token(store, name="ada", **kw):
    return tokens.create(store, a_user(store, name), "laptop", **kw)


def test_who_has_the_secret_is_its_owner(store):
    _, secret = a_token(store)
    user = a_user(store)
    acknowledgements.record(store, user, "one")
    person = Person(user, None, "ada@example.org", False, "one")
    assert tokens.find(store, secret) == tokens.Holder(person, Scope.WRITE)


def test_what_a_token_may_do_is_known_wherever_it_is_found(store):
    view, secret = a_token(store, scope=Scope.READ)
    assert view.scope is Scope.READ
    assert tokens.listed(store, a_user(store)) == (view,)
    assert tokens.find(store, secret).scope is Scope.READ


def test_a_token_can_be_checked_without_asking_anybody(store):
    secrets = [a_token(store)[1] for _ in range(30)]
    assert len(set(secrets)) == 30
    for secret in secrets:
        assert re.fullmatch("iu_[0-9A-Za-z]{36}", secret)
        body, check = secret[3:33], secret[33:]
        number = sum(DIGITS.index(digit) * 62**place for place, digit in enumerate(check[::-1]))
        assert number == crc32(body.encode())
        assert tokens.is_token(secret)


def test_what_is_no_token_costs_no_query(store, queries):
    _, secret = a_token(store)
    other = "x" if secret[-1] != "x" else "y"
    wrong = ["", "iu_", secret[:-1], secret + "0", secret[:-1] + other, secret.swapcase()]
    wrong += [f" {secret}", f"{secret}\n", "pypi-" + secret[3:], "iu_" + "é" * 36, "\udcff"]
    queries.clear()
    for one in wrong:
        assert tokens.find(store, one) is None
    assert queries == []
    assert tokens.find(store, secret)


def test_it_is_found_with_one_query_once_its_day_is_noted(store, queries):
    _, secret = a_token(store)
    tokens.find(store, secret)
    queries.clear()
    tokens.find(store, secret)
    assert len(queries) == 1


def test_its_secret_is_written_nowhere(store, places):
    _, secret = a_token(store)
    assert secret.encode() not in places.everything()
    assert secret[3:].encode() not in places.everything()


def test_the_owner_sees_the_tokens_without_their_secrets(store, machine):
    first, secret = a_token(store)
    a_token(store, "eve")
    machine.passes(days=1)
    second, _ = a_token(store, lasts=timedelta(days=1))
    user = a_user(store)
    assert tokens.listed(store, user) == (second, first)
    tokens.find(store, secret)
    days = [view.last_used_day for view in tokens.listed(store, user)]
    assert days == [None, store.clock.now().date()]


def test_a_token_that_is_over_is_shown_for_thirty_days_more(store, machine):
    _, secret = a_token(store, lasts=timedelta(days=1))
    user = a_user(store)
    machine.passes(days=30, hours=23)
    assert tokens.find(store, secret) is None
    (over,) = tokens.listed(store, user)
    assert over.expires_at <= store.clock.now()
    machine.passes(hours=1)
    assert tokens.listed(store, user) == ()


def test_a_token_that_is_over_can_be_taken_from_the_list(store, machine):
    view, _ = a_token(store, lasts=timedelta(days=1))
    machine.passes(days=2)
    tokens.revoke(store, view.id, a_user(store))
    assert tokens.listed(store, a_user(store)) == ()


def test_its_day_is_its_owners_day_too(store, machine):
    _, secret = a_token(store)
    machine.passes(days=3)
    tokens.find(store, secret)
    with store.reading() as rows:
        assert rows.scalar(select(User.last_seen_day)) == store.clock.now().date()


def test_a_token_opens_nothing_from_the_moment_that_it_expires(store, machine):
    _, secret = a_token(store, lasts=timedelta(days=7))
    machine.passes(days=6, hours=23, minutes=59, seconds=59)
    assert tokens.find(store, secret)
    machine.passes(seconds=1)
    assert tokens.find(store, secret) is None


def test_a_token_without_an_end_lives_on(store, machine):
    _, secret = a_token(store)
    machine.passes(days=1000)
    assert tokens.find(store, secret)


def test_a_token_is_revoked_once_and_by_its_owner_alone(store):
    (view, secret), eve = a_token(store), a_user(store, "eve")
    for wrong in ((view.id, eve), (uuid4(), a_user(store))):
        with pytest.raises(NotFound):
            tokens.revoke(store, *wrong)
    assert tokens.find(store, secret)
    tokens.revoke(store, view.id, a_user(store))
    assert tokens.find(store, secret) is None
    assert tokens.listed(store, a_user(store)) == ()
    with pytest.raises(NotFound):
        tokens.revoke(store, view.id, a_user(store))


def test_a_database_that_is_busy_keeps_no_program_out(store, locked):
    locked.execute("ROLLBACK")
    _, secret = a_token(store)
    locked.execute("BEGIN IMMEDIATE")
    assert tokens.find(store, secret)


def test_a_user_who_is_suspended_has_no_token(store):
    _, secret = a_token(store)
    set_columns(store, User, state="suspended")
    assert tokens.find(store, secret) is None
    with pytest.raises(Suspended):
        a_token(store)
    with pytest.raises(NotFound):
        tokens.create(store, uuid4(), "nobody's")
    assert count(store, Token) == 1


def test_a_long_name_is_cut(store):
    view, _ = tokens.create(store, a_user(store), "n" * 200)
    assert view.name == "n" * 80
    assert tokens.listed(store, a_user(store)) == (view,)
