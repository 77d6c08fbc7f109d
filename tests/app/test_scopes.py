"""A token for reading changes nothing, wherever and however it asks, and no token is a session.

Every address of the gate's table and every event of the page, named or not, by each kind of token.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from sqlalchemy import func, select

from app.gate_rules import TABLE, Access, Check
from app.settings import Settings
from db import acknowledgements, models, tokens
from db.people import Scope
from pages import permits
from pages.public import Site
from tasks.service import Service
from tests.app.conftest import Browser
from tests.app.test_matrix import ENDPOINTS
from tests.tasks.conftest import Submit
from tests.tasks.pictures import picture

# Inside Gradio, after every event.
pytestmark = pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting'")

Token = Callable[[Scope], str]
CHANGING = [name for name in ENDPOINTS if name not in permits.READING]


@pytest.fixture
def token(app: FastAPI, ada: UUID, settings: Settings, service: Service) -> Token:
    """Makes one of Ada's, who has agreed to the terms."""
    acknowledgements.record(service.store, ada, Site(settings).policy_version)
    return lambda scope: tokens.create(service.store, ada, "a program", scope=scope)[1]


@pytest.fixture
def program(token: Token, settings: Settings) -> Iterator[Callable[[Scope], httpx.Client]]:
    opened: list[httpx.Client] = []

    def program(scope: Scope) -> httpx.Client:
        bearer = {"Authorization": f"Bearer {token(scope)}"}
        opened.append(httpx.Client(base_url=settings.origin, headers=bearer, timeout=20))
        return opened[-1]

    yield program
    for each in opened:
        each.close()


def everything(service: Service) -> dict[str, int]:
    """Rows by table, without what notes that somebody was here."""
    with service.store.reading() as rows:
        return {
            table.name: rows.scalar(select(func.count()).select_from(table)) or 0
            for table in models.METADATA.sorted_tables
            if table.name != "clock_state"
        }


def code_of(answer: httpx.Response) -> str | None:
    """Of our own answers and of Gradio's; None for what is no error of ours."""
    try:
        error = answer.json()["error"]
        return error["code"] if isinstance(error, dict) else answer.json()["title"]
    except (ValueError, KeyError, TypeError):
        return None


def asked(client: httpx.Client, method: str, path: str) -> str | None:
    """The code of the answer; a stream without an end is not waited for."""
    body = {"json": {"data": []}} if method == "POST" else {}
    with client.stream(method, path, **body) as answer:
        if answer.status_code == 200:
            return None
        answer.read()
        if code_of(answer) == "READ_ONLY_TOKEN":
            assert answer.status_code == 403
        return code_of(answer)


def addresses() -> Iterator[tuple[str, str]]:
    """Every address that is open to somebody, with a method; with each endpoint where it names
    one."""
    for rule in TABLE:
        if rule.access is Access.NOBODY:
            continue
        for method in sorted(rule.methods - {"HEAD"}):
            named = ENDPOINTS if "/{name}" in rule.path and Check.CALL in rule.check else ("x",)
            for name in named:
                path = rule.path.replace("{name}", name)
                yield method, re.sub(r"\{\w*id\}", str(uuid4()), re.sub(r"\{\w+:path\}", "x", path))


def test_every_address_that_changes_something_refuses_a_token_for_reading(
    program: Callable[[Scope], httpx.Client], service: Service
) -> None:
    reading, writing = program(Scope.READ), program(Scope.WRITE)
    before = everything(service)
    refused = set()
    for method, path in addresses():
        path = path.replace("{session_hash}", uuid4().hex).replace("{level}", "0")
        path = path.replace("{tile}", "0_0").replace("{provider}", "nobody")
        assert "{" not in path
        if asked(reading, method, path) == "READ_ONLY_TOKEN":
            refused.add((method, path))

    assert everything(service) == before
    assert refused == {
        ("POST", "/login/local"),
        ("POST", "/welcome"),
        ("POST", "/logout"),
        ("POST", "/logout/everywhere"),
        ("POST", "/gradio_api/upload"),
        ("POST", "/gradio_api/cancel"),
        *(("POST", f"/gradio_api/{way}/{name}") for way in ("call", "run") for name in CHANGING),
    }
    assert not any(asked(writing, *one) == "READ_ONLY_TOKEN" for one in refused)


def test_through_the_client_library_a_refusal_has_its_code_and_sentence(
    token: Token, settings: Settings, service: Service, ada: UUID, submit: Submit, tmp_path: Path
) -> None:
    batch = str(submit(ada))
    client = Client(settings.origin, token=token(Scope.READ), verbose=False)
    before = everything(service)
    arguments = {"upscale": [None], "submit": [[]], "cancel": [batch], "delete": [batch]}
    assert sorted(arguments) == sorted(CHANGING)
    for name, values in arguments.items():
        with pytest.raises(AppError) as refused:
            client.predict(*values, api_name=f"/{name}")
        assert refused.value.title == "READ_ONLY_TOKEN"
        assert "This token is for reading" in refused.value.message

    assert client.predict(batch, api_name="/batch")["state"] == "queued"
    assert [each["id"] for each in client.predict(api_name="/history")["items"]] == [batch]
    assert client.predict(api_name="/models")
    # Uploading comes before the call, and is refused by itself.
    (tmp_path / "cat.png").write_bytes(picture())
    with pytest.raises(httpx.HTTPStatusError) as status:
        client.predict(handle_file(str(tmp_path / "cat.png")), api_name="/upscale")
    assert status.value.response.status_code == 403
    assert status.value.response.json()["error"]["code"] == "READ_ONLY_TOKEN"
    assert everything(service) == before
    client.close()


def test_what_a_token_for_reading_may_ask_for_is_answered(
    program: Callable[[Scope], httpx.Client], service: Service, ada: UUID, submit: Submit
) -> None:
    batch = submit(ada)
    client = program(Scope.READ)

    assert [each["id"] for each in client.get("/live").json()["batches"]] == [str(batch)]
    job = client.get("/live").json()["batches"][0]["jobs"][0]
    assert client.get(job["files"]["original"]).content == picture()
    # Nothing in it yet, which is not the same as not being allowed.
    assert client.get(f"/batches/{batch}/download").status_code in (404, 410)
    begun = client.post("/gradio_api/call/history", json={"data": [20, None]})
    events = client.get(f"/gradio_api/call/history/{begun.json()['event_id']}").text
    assert "event: complete" in events
    assert str(batch) in events


def _events(client: httpx.Client) -> dict[int, dict[str, Any]]:
    """What Gradio's config says of every event with a function, by its number."""
    functions = client.get("/config").json()["dependencies"]
    return {each["id"]: each for each in functions if each["backend_fn"]}


@pytest.mark.parametrize("scope", list(Scope))
def test_no_token_calls_an_event_of_the_page(
    program: Callable[[Scope], httpx.Client], service: Service, scope: Scope
) -> None:
    client = program(scope)
    events = _events(client)
    private = [number for number, each in events.items() if each["api_visibility"] == "private"]
    assert len(private) >= 4
    before = everything(service)
    for number in private:
        body = {"fn_index": number, "data": [{"act": "make", "what": {}}]}
        answer = client.post("/gradio_api/run/predict", json=body)
        # What has no name may change something: the gate needs not ask any further.
        by_gate = "READ_ONLY_TOKEN" if scope is Scope.READ else "SESSION_NEEDED"
        assert code_of(answer) == by_gate
        session = uuid4().hex
        joined = client.post("/gradio_api/queue/join", json=body | {"session_hash": session})
        assert joined.status_code == 200
        stream = client.get("/gradio_api/queue/data", params={"session_hash": session}).text
        assert "SESSION_NEEDED" in stream

    assert everything(service) == before


def test_the_number_of_an_event_under_anothers_name_is_no_way_around(
    program: Callable[[Scope], httpx.Client], service: Service, ada: UUID, submit: Submit
) -> None:
    batch = str(submit(ada))
    client = program(Scope.READ)
    before = everything(service)
    for number, event in _events(client).items():
        for path in ("/gradio_api/run/history", "/gradio_api/run/batch"):
            answer = client.post(path, json={"fn_index": number, "data": [batch]})
            if event["api_name"] not in permits.READING:
                assert code_of(answer) in ("READ_ONLY_TOKEN", "SESSION_NEEDED"), event

    assert everything(service) == before
    assert client.get("/live").json()["batches"][0]["state"] == "queued"


def test_a_session_calls_the_events_of_the_page(
    browser: Browser, ada: UUID, service: Service
) -> None:
    """Or the tests above could not fail."""
    client = browser(ada)
    account = next(
        each["props"]["props"]["event"]
        for each in client.get("/config").json()["components"]
        if each["props"].get("elem_id") == "account"
    )
    what = {"act": "make", "what": {"name": "mine", "scope": "read", "days": 30}}

    answer = client.post("/gradio_api/run/predict", json={"fn_index": account, "data": [what]})

    (made,) = answer.json()["data"]
    holder = tokens.find(service.store, made["ok"]["secret"])
    assert holder is not None
    assert (holder.person.id, holder.scope) == (ada, Scope.READ)


def test_every_endpoint_is_known_and_the_reading_ones_are_named(
    program: Callable[[Scope], httpx.Client],
) -> None:
    """One that is new counts as changing something until it is named in `pages.permits`."""
    public = {
        each["api_name"]
        for each in _events(program(Scope.WRITE)).values()
        if each["api_visibility"] == "public"
    }

    assert public >= permits.READING
    assert public >= set(ENDPOINTS)
    assert sorted(permits.READING) == ["batch", "history", "models"]
