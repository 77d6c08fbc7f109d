"""The sign-in routes over real rows, with a gate and pages that are as small as can be."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from app import login, problems
from app.settings import Provider, Settings
from app.web import Web
from db import sessions
from db.store import Store
from pages.visitor import KEY, Visitor
from tests.db.machine import Machine
from tests.db.places import Places

HERE = ("127.0.0.1", 50000)
VERSION = "2026-01-01-0123456789ab"
PLACES = {"/", *(f"/?tab={tab}" for tab in ("upscale", "history", "account", "policies", "admin"))}


class Pages:
    """Pages that say as JSON what they were told."""

    policy_version = VERSION

    def sign_in(self, providers, local, problem=None, next=None):
        keys = [(each.key, each.name, each.policy_url) for each in providers]
        return json.dumps({"keys": keys, "local": local, "problem": problem, "next": next})

    def welcome(self, name, problem=None):
        return json.dumps({"name": name, "problem": problem})


class Gate:
    """Leaves the visitor in the scope, as `app.gate` does."""

    def __init__(self, app, store: Store) -> None:
        self.app = app
        self.store = store
        self.via = "cookie"

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            pairs = [part.strip() for part in headers.get(b"cookie", b"").decode().split(";")]
            secret = dict(pair.split("=", 1) for pair in pairs if pair).get("session")
            found = sessions.find(self.store, secret) if secret else None
            if found is not None:
                person = found.person
                scope.setdefault("state", {})[KEY] = Visitor(
                    person.id,
                    person.display_name or person.email or "You",
                    person.is_admin,
                    person.policy_version == VERSION,
                    self.via,
                    found.id_hash,
                )
        await self.app(scope, receive, send)


@dataclass
class House:
    settings: Settings
    store: Store
    machine: Machine
    places: Places
    app: FastAPI
    gate: Gate

    def browser(self, origin: str | None = None, client: tuple[str, int] = HERE) -> TestClient:
        """A browser of its own, somewhere; its cookies are sent to `origin` alone."""
        return TestClient(
            self.gate,
            base_url=origin or self.settings.origin,
            client=client,
            follow_redirects=False,
            headers={"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"},
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.places.folder / "app.db")
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


@contextmanager
def house(places: Places, folder: Path, **settings: Any) -> Iterator[House]:
    """Everything in a folder of its own."""
    machine, own = Machine(), places.copy_to(folder / "data")
    known = Settings(data_dir=own.folder, **settings)
    with own.open(machine) as store:
        app = FastAPI(openapi_url=None)
        problems.handle(app)
        web = Web(known, SimpleNamespace(store=store), Pages())
        app.include_router(login.routes(web))
        yield House(known, store, machine, own, app, Gate(app, store))


def provider(issuer: str, key: str = "one", **more: Any) -> Provider:
    known = {"name": "Provider One", "client_id": "client-1", "client_secret": "secret-1"}
    return Provider(key=key, issuer=issuer, **(known | more))
