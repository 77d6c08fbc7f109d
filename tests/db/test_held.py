"""What is held about somebody is counted as it is, and nothing of anybody else's."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import insert

from db import acknowledgements, batches, files, held, models, sessions, tokens
from db.hours import KEPT
from db.people import Preference
from db.work import Cause, Kind, Role
from tests.db.situations import a_batch, a_claim, a_finished_job, a_user, new_job


def everything(store, name="ada"):
    user = a_user(store, name)
    a_batch(store, user, pictures=2)
    a_finished_job(store)
    batches.create(store, user, [new_job(store)], options={}, kind=Kind.TRY)
    sessions.begin(store, user, sessions.Device())
    sessions.end(store, sessions.begin(store, user, sessions.Device()))
    view, _ = tokens.create(store, user, "old")
    tokens.revoke(store, view.id, user)
    tokens.create(store, user, "new")
    acknowledgements.record(store, user, "one")
    acknowledgements.record(store, user, "two")
    with store.writing() as rows:
        rows.execute(insert(Preference).values(user_id=user, key="scale", value="4"))
    return user


def test_everything_is_counted(store):
    begun = store.clock.now()
    user = everything(store)
    assert held.about(store, user) == held.Held(
        stored={
            Role.ORIGINAL: held.Stored(3, 21, begun + KEPT),
            Role.RESULT: held.Stored(1, 14, begun + KEPT),
            Role.PREVIEW: held.Stored(1, 5, begun + KEPT),
        },
        batches=1,
        pictures=2,
        ahead=1,
        oldest_batch_at=begun,
        unfinished=1,
        sessions=2,
        tokens=2,
        identities=1,
        preferences=1,
        agreements=2,
        agreed=held.Agreed("two", begun),
    )
    assert held.about(store, user).stored_bytes == 40


def test_nothing_of_anybody_elses_is_counted(store):
    eve = a_user(store, "eve")
    before = held.about(store, eve)
    everything(store)
    assert held.about(store, eve) == before
    assert before == held.Held({}, 0, 0, 0, None, 0, 0, 0, 1, 0, 0, None)


def test_of_nobody_nothing_is_held(store):
    everything(store)
    assert held.about(store, uuid4()) == held.Held({}, 0, 0, 0, None, 0, 0, 0, 0, 0, 0, None)


def test_what_was_deleted_is_no_longer_held_and_its_rows_are(store):
    user = a_user(store)
    batch = a_batch(store, user)
    batches.cancel(store, batch, user)
    files.erase(store, batches.live_files(store, batch, user), Cause.USER)
    own = held.about(store, user)
    assert (own.stored, own.stored_bytes) == ({}, 0)
    assert (own.batches, own.pictures, own.unfinished) == (1, 1, 0)


def test_bytes_that_outlived_their_time_are_still_held(store, machine):
    user = a_user(store)
    a_batch(store, user)
    machine.passes(hours=49)
    stored = held.about(store, user).stored[Role.ORIGINAL]
    assert stored.files == 1
    assert stored.first_expires_at < store.clock.now()


def test_the_oldest_is_the_one_that_goes_first(store, machine):
    user, begun = a_user(store), store.clock.now()
    a_batch(store, user)
    machine.passes(hours=5)
    a_batch(store, user)
    own = held.about(store, user)
    assert own.oldest_batch_at == begun
    assert own.stored[Role.ORIGINAL] == held.Stored(2, 14, begun + timedelta(hours=48))


def test_a_picture_that_is_being_worked_on_is_unfinished(store):
    user = a_user(store)
    a_batch(store, user, pictures=3)
    a_claim(store)
    assert held.about(store, user).unfinished == 3


def test_every_table_that_names_a_user_is_counted(store, queries):
    """A new one has to be shown as well. Holds and deeds name an operator, in office."""
    naming = {
        table.name
        for table in models.METADATA.tables.values()
        if "user_id" in table.columns and table.name != "user"
    }
    queries.clear()
    held.about(store, a_user(store))
    asked = " ".join(map(str, queries))
    assert {name for name in naming if f" {name}" not in asked} == set()
    assert len(naming) == 8
