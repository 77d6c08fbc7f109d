"""What somebody agreed to last is known with every request, and said once."""

from uuid import uuid4

import pytest
from sqlalchemy import select

from db import acknowledgements, users
from db.errors import NotFound
from db.people import Acknowledgement, AcknowledgementSource
from tests.db.situations import a_user, count, set_columns


def agreed_to(store, user):
    return users.person(store, user).policy_version


def test_the_newest_version_counts(store, machine):
    ada, eve = a_user(store), a_user(store, "eve")
    assert agreed_to(store, ada) is None
    for version in ("one", "two"):
        acknowledgements.record(store, ada, version)
        assert agreed_to(store, ada) == version
        machine.passes(seconds=1)
    assert agreed_to(store, eve) is None


def test_the_same_version_is_said_once(store):
    user = a_user(store)
    for _ in range(3):
        acknowledgements.record(store, user, "one")
    assert count(store, Acknowledgement) == 1


def test_a_version_that_is_served_again_is_agreed_to_again(store, machine):
    """Otherwise nobody who had agreed to it before could ever get in."""
    user = a_user(store)
    for version in ("one", "two", "one"):
        acknowledgements.record(store, user, version)
        machine.passes(seconds=1)
    assert agreed_to(store, user) == "one"
    assert count(store, Acknowledgement) == 3


def test_it_says_who_said_so_when_and_that_they_are_old_enough(store):
    user = a_user(store)
    acknowledgements.record(store, user, "one", AcknowledgementSource.OPERATOR)
    with store.reading() as rows:
        (row,) = rows.execute(select(Acknowledgement.__table__)).all()
    assert (row.user_id, row.source, row.at) == (user, "operator", store.clock.now())
    assert row.age_declared


def test_one_without_the_age_does_not_count(store):
    user = a_user(store)
    acknowledgements.record(store, user, "one")
    set_columns(store, Acknowledgement, age_declared=False)
    assert agreed_to(store, user) is None


def test_somebody_who_is_not_there_agrees_to_nothing(store):
    with pytest.raises(NotFound):
        acknowledgements.record(store, uuid4(), "one")
    assert count(store, Acknowledgement) == 0
