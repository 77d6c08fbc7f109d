"""What goes on, asked for every second."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from db import jobs, views
from pages import shapes
from tests.app.own_files import Site, a_finished_batch, open_site
from tests.db.situations import a_batch, a_claim


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with open_site(tmp_path, monkeypatch) as site:
        yield site


def test_it_shows_the_visitors_own_batches_as_the_api_does(site: Site) -> None:
    batch_id = a_batch(site.service.store, site.ada, pictures=2)
    with site.client(site.ada) as client, site.client(site.bob) as other:
        mine, theirs = client.get("/live"), other.get("/live")

    now = site.service.store.clock.now()
    view = views.show(site.service.store, batch_id, site.ada)
    assert mine.json()["batches"] == [shapes.batch(view, now)]
    assert mine.json()["now"] == "2027-01-15T08:00:00.000Z"
    assert mine.headers["cache-control"] == "private, no-cache"
    assert mine.headers["content-type"] == "application/json"
    assert theirs.json()["batches"] == []


def test_nobody_is_told_without_having_signed_in(site: Site) -> None:
    with site.client(None) as client:
        assert client.get("/live").status_code == 401


def test_what_has_been_seen_is_not_sent_again(site: Site) -> None:
    a_batch(site.service.store, site.ada)
    with site.client(site.ada) as client, site.client(site.bob) as other:
        etag = client.get("/live").headers["etag"]
        again = client.get("/live", headers={"if-none-match": f'"other", {etag}'})
        assert other.get("/live", headers={"if-none-match": etag}).status_code == 200

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag
    assert again.headers["cache-control"] == "private, no-cache"


def test_progress_is_new_and_time_alone_is_not(site: Site) -> None:
    store = site.service.store
    a_batch(store, site.ada)
    claim = a_claim(store)
    with site.client(site.ada) as client:

        def status(etag: str) -> tuple[int, str]:
            answer = client.get("/live", headers={"if-none-match": etag})
            return answer.status_code, answer.headers["etag"]

        jobs.progress(store, claim, 1, 4)
        _, etag = status("")
        site.machine.passes(seconds=5)
        assert status(etag) == (304, etag)
        job = client.get("/live").json()["batches"][0]["jobs"][0]
        assert job["seconds_left"] == 15.0

        jobs.progress(store, claim, 2, 4)
        code, newer = status(etag)

    assert code == 200
    assert newer != etag


def test_what_has_finished_is_shown_for_a_while(site: Site) -> None:
    a_finished_batch(site, site.ada, [("cat.png", b"x")])
    with site.client(site.ada) as client:
        first = client.get("/live")
        assert [batch["state"] for batch in first.json()["batches"]] == ["succeeded"]
        site.machine.passes(minutes=16)
        later = client.get("/live", headers={"if-none-match": first.headers["etag"]})

    assert later.json()["batches"] == []


def test_where_nothing_goes_on_it_costs_a_single_look(site: Site) -> None:
    a_finished_batch(site, site.ada, [("cat.png", b"x")])
    site.machine.passes(hours=1)
    asked: list[str] = []
    with site.client(site.ada) as client:
        client.get("/live")
        event.listen(
            site.service.store.rows,
            "before_cursor_execute",
            lambda *args: asked.append(args[2]),
        )
        client.get("/live")

    assert len([statement for statement in asked if "SELECT" in statement]) == 1
