"""What somebody chose is found again, by them alone."""

import pytest

from db import preferences
from tests.db.situations import a_user


def test_choices_are_kept_changed_and_forgotten_one_by_one(store):
    ada = a_user(store)
    assert preferences.load(store, ada) == {}
    preferences.save(store, ada, {"model": "one", "scale": "4"})
    preferences.save(store, ada, {"model": "two", "metadata": "all"})
    preferences.save(store, ada, {"scale": None, "mark": None})
    assert preferences.load(store, ada) == {"model": "two", "metadata": "all"}


def test_choices_are_their_users_alone(store):
    ada, bob = a_user(store), a_user(store, "bob")
    preferences.save(store, ada, {"model": "one"})
    preferences.save(store, bob, {"model": None})
    assert preferences.load(store, bob) == {}
    assert preferences.load(store, ada) == {"model": "one"}


@pytest.mark.parametrize("wrong", [{"password": "x"}, {"model": "x" * 81}, {"Model": None}])
def test_nothing_else_is_kept_and_nothing_in_part(store, wrong):
    ada = a_user(store)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        preferences.save(store, ada, {"scale": "2"} | wrong)
    assert preferences.load(store, ada) == {}
