"""A user's batches page by page, whatever happens in between, and those that are alive now."""

from base64 import urlsafe_b64encode
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql

from db import batches, history, jobs, views
from db.errors import InvalidCursor
from db.folding import contains
from db.outcomes import Failure
from db.work import Job, Kind, State
from tests.db.situations import MODEL, a_batch, a_claim, a_finished_job, a_user, kept


def some_batches(store, machine, number):
    made = []
    for _ in range(number):
        machine.passes(seconds=1)
        made.append(a_batch(store))
    return made


def ids(found):
    return [view.id for view in found]


def all_pages(store, user, limit):
    page = history.page(store, user, limit=limit)
    pages = [ids(page.items)]
    while page.next_cursor is not None:
        page = history.page(store, user, limit=limit, cursor=page.next_cursor)
        pages.append(ids(page.items))
    return pages


def test_the_newest_comes_first_and_the_last_page_says_so(store, machine):
    made = some_batches(store, machine, 5)
    a, b, c, d, e = made
    assert all_pages(store, a_user(store), 2) == [[e, d], [c, b], [a]]
    assert all_pages(store, a_user(store), 5) == [[e, d, c, b, a]]
    assert history.page(store, a_user(store, "eve")) == history.Page((), None)


def test_batches_of_the_same_moment_are_each_shown_once(store):
    made = {a_batch(store) for _ in range(7)}
    pages = all_pages(store, a_user(store), 2)
    assert [len(page) for page in pages] == [2, 2, 2, 1]
    assert {one for page in pages for one in page} == made


def test_batches_that_arrive_in_between_shift_nothing(store, machine):
    a, b, c, d = some_batches(store, machine, 4)
    first = history.page(store, a_user(store), limit=2)
    assert ids(first.items) == [d, c]
    some_batches(store, machine, 3)
    second = history.page(store, a_user(store), limit=2, cursor=first.next_cursor)
    assert ids(second.items) == [b, a]
    assert second.next_cursor is None


def test_what_is_shown_in_the_history_is_what_the_batch_itself_shows(store, machine):
    user = a_user(store)
    refused = batches.NewJob("huge.png", MODEL, Failure("TOO_BIG", "Too big."), scale=4)
    batches.create(store, user, [refused], options={"format": "png"}, label="cats")
    machine.passes(seconds=1)
    done, waiting = a_batch(store, user, pictures=2), a_batch(store, user)
    a_finished_job(store)
    jobs.progress(store, a_claim(store), 1, 4)
    page = history.page(store, user)
    assert len(page.items) == 3
    assert {done, waiting} < set(ids(page.items))
    assert page.items == tuple(views.show(store, one, user) for one in ids(page.items))


def test_a_cursor_is_a_place_in_time_and_opens_nobodys_history(store, machine):
    some_batches(store, machine, 3)
    cursor = history.page(store, a_user(store), limit=1).next_cursor
    assert history.page(store, a_user(store, "eve"), cursor=cursor).items == ()


@pytest.mark.parametrize(("asked", "got"), [(-1, 1), (0, 1), (1, 1), (100, 100), (10_000, 100)])
def test_a_page_has_a_hundred_batches_at_most(store, asked, got):
    user = a_user(store)
    with store.writing() as rows:
        for number in range(101):
            rows.execute(
                text(
                    "INSERT INTO batch (id, user_id, options, created_at, expires_at) VALUES"
                    " (:id, :user, '{}', '2026-03-01 00:00:00.000000', '2026-03-03 00:00:00.0')"
                ),
                {"id": f"{number:032x}", "user": user.hex},
            )
    assert len(history.page(store, user, limit=asked).items) == got


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "2",
        "é",
        "x" * 31,
        "x" * 33,
        "x" * 5000,
        urlsafe_b64encode(b"\x7f" + bytes(23)).decode(),
        urlsafe_b64encode(b"\x80" + bytes(23)).decode(),
        "'; DROP TABLE batch; --",
    ],
)
def test_a_cursor_that_nobody_gave_out_is_a_typed_error(store, cursor):
    with pytest.raises(InvalidCursor) as refused:
        history.page(store, a_user(store), cursor=cursor)
    assert refused.value.code == "INVALID_CURSOR"


def test_many_batches_cost_as_many_queries_as_one(store, machine, queries):
    some_batches(store, machine, 1)
    user = a_user(store)
    queries.clear()
    history.page(store, user)
    history.recent(store, user)
    few = list(queries)
    some_batches(store, machine, 15)
    queries.clear()
    assert len(history.page(store, user).items) == len(history.recent(store, user)) == 16
    assert len(queries) == len(few) <= 12


# --- what is looked for ----------------------------------------------------------------------


def named(store, machine, *names, model=MODEL):
    machine.passes(seconds=1)
    new = [batches.NewJob(name, model, kept(store), scale=4) for name in names]
    return batches.create(store, a_user(store), new, options={}).id


def found(store, **wanted):
    return ids(history.page(store, a_user(store), **wanted).items)


def test_a_batch_is_found_by_a_part_of_a_pictures_name_in_any_script_and_case(store, machine):
    cat = named(store, machine, "Dog.png", "My CAT.png")
    elsewhere = named(
        store, machine, "ÜBER Straße.png", "東京の夜 🐈.jpg", "صورة.png", "ΣΊΣΥΦΟΣ.png"
    )
    assert found(store, search="cat") == [cat]
    assert found(store, search="y Cat.P") == [cat]
    for words in ("über", "STRASSE", "京の", "🐈", "ورة", "σίσυφος"):
        assert found(store, search=words) == [elsewhere], words
    assert found(store, search="horse") == []
    assert found(store, search="") == [elsewhere, cat]


@pytest.mark.parametrize("sign", ["%", "_", "\\", "%%", "a_b", "' OR 1=1 --", '"'])
def test_signs_in_a_search_stand_for_themselves(store, machine, sign):
    named(store, machine, "aXb plain.png")
    wanted = named(store, machine, f"with {sign} in it.png")
    assert found(store, search=sign) == [wanted]


def test_a_batch_is_found_by_the_state_and_the_model_of_a_picture(store, machine):
    done = named(store, machine, "cat.png")
    a_finished_job(store)
    waits = named(store, machine, "cat.png", "dog.png", model="other")
    refused = batches.NewJob("huge.png", MODEL, Failure("TOO_BIG", "Too big."), scale=4)
    machine.passes(seconds=1)
    mixed = batches.create(
        store,
        a_user(store),
        [refused, batches.NewJob("a.png", MODEL, kept(store), scale=4)],
        options={},
    ).id
    assert found(store, states=[State.SUCCEEDED]) == [done]
    assert found(store, states=[State.FAILED]) == [mixed]
    assert found(store, states=[State.QUEUED, State.RUNNING]) == [mixed, waits]
    assert found(store, states=[State.CANCELED]) == []
    assert found(store, model="other") == [waits]
    assert found(store, model=MODEL, search="cat") == [done]
    # One picture must be all of it: the one that failed has another name.
    assert found(store, states=[State.FAILED], search="a.png") == []
    assert history.models(store, a_user(store)) == ("other", MODEL)
    assert history.models(store, a_user(store, "eve")) == ()


def test_a_search_goes_on_page_by_page_and_its_cursor_is_good_for_others(store, machine):
    cats = []
    for number in range(5):
        cats.append(named(store, machine, f"cat {number}.png"))
        named(store, machine, f"dog {number}.png")
    first = history.page(store, a_user(store), search="CAT", limit=2)
    assert ids(first.items) == cats[:2:-1]
    named(store, machine, "cat 9.png")
    second = history.page(store, a_user(store), search="CAT", limit=2, cursor=first.next_cursor)
    assert ids(second.items) == cats[2:0:-1]
    last = history.page(store, a_user(store), search="CAT", limit=2, cursor=second.next_cursor)
    assert (ids(last.items), last.next_cursor) == (cats[:1], None)
    assert len(found(store, cursor=first.next_cursor)) == 6


def test_tries_and_conversions_are_no_part_of_the_history(store, machine):
    user = a_user(store)
    upscaled = a_batch(store, user)
    spot = batches.NewJob("spot.png", "a try alone", kept(store), scale=4)
    batches.create(store, user, [spot], options={}, kind=Kind.TRY)
    assert ids(history.page(store, user).items) == [upscaled]
    assert history.models(store, user) == (MODEL,)


def test_nobody_finds_what_is_somebody_elses(store, machine):
    named(store, machine, "cat.png")
    assert history.page(store, a_user(store, "eve"), search="cat").items == ()


def test_on_postgresql_names_are_compared_by_its_own_lower():
    sql = str(select(contains(Job.name, "50%")).compile(dialect=postgresql.dialect()))
    assert "lower(job.name) LIKE lower(%(param_1)s" in sql
    assert "ESCAPE" in sql


# --- what is alive now -----------------------------------------------------------------------


def test_what_is_unfinished_is_recent_however_old_and_the_newest_first(store, machine):
    made = some_batches(store, machine, 3)
    claim = a_claim(store)
    machine.passes(hours=2)
    assert ids(history.recent(store, claim.user_id)) == made[::-1]
    assert history.recent(store, a_user(store, "eve")) == ()


def test_what_has_finished_is_recent_for_fifteen_minutes(store, machine):
    user = a_user(store)
    batch = a_batch(store, user, pictures=2)
    a_finished_job(store)
    machine.passes(minutes=10)
    a_finished_job(store)
    machine.passes(minutes=14, seconds=59)
    assert history.recent(store, user) == (views.show(store, batch, user),)
    machine.passes(seconds=1)
    assert history.recent(store, user) == ()
    assert ids(history.recent(store, user, finished_within=timedelta(hours=1))) == [batch]


def test_a_canceled_batch_and_a_refused_picture_have_finished_too(store, machine):
    user = a_user(store)
    canceled = a_batch(store, user)
    batches.cancel(store, canceled, user)
    refused = batches.NewJob("huge.png", MODEL, Failure("TOO_BIG", "Too big."), scale=4)
    failed = batches.create(store, user, [refused], options={}).id
    assert set(ids(history.recent(store, user))) == {canceled, failed}
    machine.passes(minutes=15)
    assert history.recent(store, user) == ()


def test_where_nothing_is_alive_it_is_one_look_into_an_index(store, machine, queries):
    user = a_user(store)
    a_batch(store, user)
    a_finished_job(store)
    machine.passes(hours=1)
    queries.clear()
    assert history.recent(store, user) == ()
    (query,) = queries
    with store.reading() as rows:
        plan = rows.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {query}", (user.hex, user.hex, "2026-03-01")
        )
        steps = [row.detail for row in plan if "job" in row.detail]
    assert len(steps) == 2
    for step in steps:
        assert step.startswith("SEARCH job USING INDEX ix_job_user_id_finished_at (user_id=? AND")
