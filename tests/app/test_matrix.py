"""Every route × every id × every kind of visitor: nobody learns anything of anybody else's.

The routes come from the live table of the app, Gradio's with them, and the ids from a user to whom
everything has happened. What is asked for is every address that can be made of the two.
"""

import contextlib
import io
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image

from app.settings import Settings
from db import history, sessions, tokens, workers
from pages import shapes
from tasks.service import Service
from tasks.upscaling import Upscaler
from tests.app.conftest import Browser
from tests.db.machine import Machine

NAME = "Adas geheimes Bild.png"
ENDPOINTS = ("upscale", "submit", "batch", "history", "cancel", "delete", "models")
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


def patterns(app: Any) -> Iterator[tuple[str, str]]:
    """Method and pattern of every route, of routers and mounted apps as well."""
    for route in getattr(app, "routes", ()):
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        path = getattr(route, "path", "")
        if getattr(inner, "routes", None):
            prefix = "" if path in ("", "/") else path
            for method, below in patterns(inner):
                yield method, prefix + below
        elif path:
            for method in sorted((getattr(route, "methods", None) or {"GET"}) - {"HEAD"}):
                yield method, path


@dataclass(frozen=True)
class Owned:
    """What Ada has: ids by kind, and bytes and words that nobody else may see."""

    ids: dict[str, list[str]]
    secrets: list[bytes]

    @property
    def every_id(self) -> list[str]:
        return list(itertools.chain.from_iterable(self.ids.values()))


@pytest.fixture
def picture() -> bytes:
    stream = io.BytesIO()
    Image.effect_noise((24, 18), 90).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def owned(
    browser: Browser, ada: UUID, service: Service, work: Callable[[], None], picture: bytes
) -> Owned:
    client = browser(ada)
    answer = client.post("/gradio_api/upload", files={"files": (NAME, picture)})
    (path,) = answer.json()
    file = {"path": path, "orig_name": NAME, "meta": {"_type": "gradio.FileData"}}
    begun = client.post(
        "/gradio_api/call/submit",
        json={"data": [[file], "realesr-animevideov3", 4], "session_hash": "adashash123"},
    )
    event = begun.json()["event_id"]
    assert "complete" in client.get(f"/gradio_api/call/submit/{event}").text
    work()
    (view,) = history.page(service.store, ada).items
    (job,) = view.jobs
    assert job.state == "succeeded", job.failure
    waiting = client.post("/gradio_api/upload", files={"files": (NAME, picture)}).json()[0]
    token_view, _ = tokens.create(service.store, ada, "Adas Schlüssel")
    result = client.get(shapes.batch(view, service.store.clock.now())["jobs"][0]["files"]["result"])
    return Owned(
        ids={
            "batch": [str(view.id)],
            "job": [str(job.id)],
            "file": [str(file.id) for file in job.files],
            "session": ["adashash123"],
            "event": [event],
            "path": [waiting, path],
            "token": [str(token_view.id)],
        },
        secrets=[NAME.encode(), b"Adas Schl", picture, result.content, result.content[40:200]],
    )


@pytest.fixture
def work(service: Service, models_path: Path) -> Callable[[], None]:
    """Does what a worker would, once."""
    from inference.engine import Engine
    from inference.weights import ModelStore

    def work() -> None:
        engine = Engine(ModelStore(models_path), "cpu")
        worker = workers.register(service.store, "cpu")
        assert Upscaler(service.store, engine, worker, lambda: False).upscale_next()

    return work


def addresses(pattern: str, owned: Owned) -> Iterable[str]:
    """Every address that the pattern and the ids make, and the pattern's with a query."""
    fixed = {"level": ["0"], "tile": ["0_0"], "xy": ["0_0"], "x": ["0"], "y": ["0"]}
    names = _PARAMETER.findall(pattern)
    choices = [fixed.get(name, owned.every_id) for name in names]
    if sum(len(choice) > 1 for choice in choices) > 1:
        # Two places for ids: the same one in both, and the first with a plain word.
        tuples = [tuple([each] * len(names)) for each in owned.every_id]
        tuples += [(each, *["submit"] * (len(names) - 1)) for each in owned.every_id]
        tuples += [("submit", *[each] * (len(names) - 1)) for each in owned.every_id]
    else:
        tuples = list(itertools.product(*choices))
        if "{name}" in pattern or "{api_name}" in pattern:
            tuples += [(endpoint,) for endpoint in ENDPOINTS]
    for values in tuples:
        filled = iter(values)
        yield _PARAMETER.sub(lambda _, filled=filled: next(filled), pattern)
    if not names:
        for key, kind in (
            ("session_hash", "session"),
            ("event_id", "event"),
            ("upload_id", "path"),
        ):
            yield f"{pattern}?{key}={owned.ids[kind][0]}"


def bodies(owned: Owned) -> Iterator[dict[str, Any]]:
    for each in owned.every_id:
        yield {"data": [each], "session_hash": "somebodyelse", "fn_index": 0}
    yield {"data": [], "session_hash": owned.ids["session"][0], "fn_index": 0}
    yield {"event_id": owned.ids["event"][0], "session_hash": "somebodyelse", "fn_index": 0}
    for path in owned.ids["path"]:
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        yield {"data": [[file], file], "session_hash": "somebodyelse", "fn_index": 0}


def fetched(client: httpx.Client, address: str) -> bytes:
    """The answer, and of a stream that goes on without end what comes at once."""
    found = b""
    with (
        contextlib.suppress(httpx.ReadTimeout, httpx.RemoteProtocolError),
        client.stream("GET", address, timeout=httpx.Timeout(5, read=0.5)) as answer,
    ):
        for chunk in answer.iter_bytes():
            found += chunk
    return found


def requests(app: FastAPI, owned: Owned) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    every_body = list(bodies(owned))
    for method, pattern in sorted(set(patterns(app))):
        for number, address in enumerate(dict.fromkeys(addresses(pattern, owned))):
            # Every body to what names no id: the endpoints. One each to what does.
            if method == "GET":
                yield method, address, None
            elif "{" not in pattern or address.endswith(ENDPOINTS):
                yield from ((method, address, body) for body in every_body)
            else:
                yield method, address, every_body[number % len(every_body)]


def gives_away(client: httpx.Client, app: FastAPI, owned: Owned) -> list[str]:
    """The requests of this visitor that were answered with anything of Ada's."""
    caught: list[str] = []

    def look(what: str, content: bytes) -> None:
        known = {each.encode() for each in owned.every_id if each in what}
        for secret in (*owned.secrets, *(each.encode() for each in owned.every_id)):
            if secret in content and secret not in known:
                caught.append(f"{what}: {secret[:40]!r}")

    def ask(asked: tuple[str, str, dict[str, Any] | None]) -> None:
        method, address, body = asked
        if method == "GET":
            return look(f"GET {address}", fetched(client, address))
        if body and body["session_hash"] == "somebodyelse":
            body = {**body, "session_hash": uuid4().hex}
        what = f"{method} {address} {json.dumps(body)}"
        answer = client.request(method, address, json=body, timeout=30)
        look(what, answer.content)
        if answer.status_code == 200 and b"event_id" in answer.content:
            event = answer.json()["event_id"]
            look(what, fetched(client, f"{address.split('?')[0]}/{event}"))
        return None

    everything = list(requests(app, owned))
    assert len(everything) > 500, "the route table was not found"
    # Many at once: streams without an end are waited for.
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, everything))
    return caught


def test_the_owner_is_answered(app: FastAPI, browser: Browser, ada: UUID, owned: Owned) -> None:
    """The same requests find everything when its owner makes them: the others can fail."""
    client = browser(ada)
    for file_id in owned.ids["file"]:
        assert client.get(f"/files/{file_id}").status_code == 200
    assert client.get(f"/batches/{owned.ids['batch'][0]}/download").status_code == 200
    assert owned.ids["batch"][0] in client.get("/live").text
    assert len(gives_away(client, app, owned)) > 50


def test_another_user_gets_nothing(app: FastAPI, browser: Browser, bob: UUID, owned: Owned) -> None:
    assert gives_away(browser(bob), app, owned) == []


def test_a_stranger_gets_nothing(app: FastAPI, browser: Browser, owned: Owned) -> None:
    assert gives_away(browser(None), app, owned) == []


def test_a_revoked_token_gets_nothing(
    app: FastAPI,
    browser: Browser,
    ada: UUID,
    service: Service,
    owned: Owned,
) -> None:
    view, secret = tokens.create(service.store, ada, "old")
    client = browser(None)
    client.headers["Authorization"] = f"Bearer {secret}"
    assert client.get("/live").status_code == 200
    tokens.revoke(service.store, view.id, ada)

    assert client.get("/live").status_code == 401
    assert gives_away(client, app, owned) == []


def test_a_session_that_was_ended_gets_nothing(
    app: FastAPI, browser: Browser, ada: UUID, service: Service, owned: Owned
) -> None:
    client = browser(ada)
    assert client.get("/live").status_code == 200
    sessions.end_all(service.store, ada)

    assert client.get("/live").status_code == 401
    assert gives_away(client, app, owned) == []


def test_expired_files_are_gone_for_their_owner_too(
    browser: Browser, ada: UUID, machine: Machine, owned: Owned, settings: Settings
) -> None:
    machine.passes(hours=48.01)
    client = browser(ada)

    for file_id in owned.ids["file"]:
        for address in (f"/files/{file_id}", f"/files/{file_id}/x.png", f"/files/{file_id}/tiles"):
            answer = client.get(address)
            assert answer.status_code == 410, address
            assert not any(secret in answer.content for secret in owned.secrets)
        taken = client.get(f"/gradio_api/file={settings.origin}/files/{file_id}/x.png")
        assert taken.status_code == 410
    assert client.get(f"/batches/{owned.ids['batch'][0]}/download").status_code == 410
