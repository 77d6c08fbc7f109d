"""Users are who an issuer says they are, and workers are there while they are seen."""

import subprocess
import sys
from uuid import uuid4

import pytest

from db import users, workers
from db.errors import NotFound
from db.people import Identity, User
from db.upkeep import Worker
from tests.db.situations import count, set_columns


def test_the_same_identity_is_the_same_user(store):
    first = users.ensure_user(store, "local", "owner", email="a@example.org", is_admin=True)
    assert users.ensure_user(store, "local", "owner", email="b@example.org") == first
    with store.reading() as rows:
        row = rows.execute(User.__table__.select()).one()
    assert (row.email, row.is_admin, row.state) == ("a@example.org", True, "active")


def test_the_same_address_from_two_issuers_is_two_users(store):
    address = {"email": "a@example.org", "email_verified": True}
    ids = {users.ensure_user(store, issuer, "1", **address) for issuer in ("one", "two")}
    assert len(ids) == count(store, User) == count(store, Identity) == 2


def test_a_worker_counts_while_it_is_seen(store, machine):
    worker = workers.register(store, "cuda:0")
    assert workers.count_alive(store) == 1
    machine.passes(seconds=61)
    assert workers.count_alive(store) == 0
    workers.seen(store, worker, "realesrgan-x4plus")
    assert workers.count_alive(store) == 1
    workers.sign_off(store, worker)
    assert count(store, Worker) == 0


def test_a_suspended_user_is_a_state_of_a_closed_set(store):
    users.ensure_user(store, "local", "owner")
    set_columns(store, User, state="suspended")
    assert count(store, User) == 1


def test_a_person_is_what_it_takes_to_let_somebody_in(store):
    user = users.ensure_user(store, "local", "owner", display_name="Ada", is_admin=True)
    assert users.person(store, user) == users.Person(user, "Ada", None, True, None)
    with pytest.raises(NotFound):
        users.person(store, uuid4())


def test_a_profile_is_what_its_user_may_see(store, machine):
    ways = {"email": "ada@example.org", "email_verified": True, "display_name": "Ada"}
    begun = store.clock.now()
    user = users.ensure_user(store, "https://id.example.org", "1", **ways)
    seen = users.profile(store, user)
    assert (seen.display_name, seen.email, seen.email_verified) == ("Ada", "ada@example.org", True)
    assert seen.created_at == begun
    assert seen.identities == (users.Vouched("https://id.example.org", begun),)
    with pytest.raises(NotFound):
        users.profile(store, uuid4())


def test_a_name_of_ones_own_stays_whatever_the_issuer_says_later(store):
    user = users.ensure_user(store, "one", "1", display_name="Ada L.")
    eve = users.ensure_user(store, "one", "2", display_name="Eve")
    users.rename(store, user, "Countess")
    assert users.ensure_user(store, "one", "1", display_name="Ada L.") == user
    assert users.person(store, user).display_name == "Countess"
    assert users.person(store, eve).display_name == "Eve"
    users.rename(store, user, None)
    assert users.person(store, user).display_name is None


def test_a_name_is_some_bodys_and_not_too_long(store):
    with pytest.raises(NotFound):
        users.rename(store, uuid4(), "Nobody")
    user = users.ensure_user(store, "one", "1")
    with pytest.raises(ValueError, match="too long"):
        users.rename(store, user, "n" * 81)
    assert users.person(store, user).display_name is None


HEAVY = "torch", "gradio", "huey", "apscheduler", "fastapi", "PIL", "numpy"


def test_this_room_imports_nothing_heavy_and_nothing_of_the_other_rooms():
    code = (
        "import sys, pkgutil, importlib, db\n"
        "for one in pkgutil.iter_modules(db.__path__): importlib.import_module('db.' + one.name)\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()).isdisjoint({*HEAVY, "app", "tasks", "pages", "inference"})
