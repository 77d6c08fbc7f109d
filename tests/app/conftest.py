"""The whole web app behind a port, over a service in a temporary folder."""

import socket
from collections.abc import Callable, Iterator
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from app import cookies, server
from app.settings import Settings
from db import acknowledgements, sessions
from pages.public import Site
from tasks.service import Service
from tests.serving import served, whole_app
from tests.tasks.conftest import ada, bob, machine, service, settings, submit, upload

__all__ = ["ada", "bob", "machine", "service", "settings", "submit", "upload"]

Browser = Callable[[UUID | None], httpx.Client]


@pytest.fixture
def app(settings: Settings, service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[FastAPI]:
    """As the web process makes and serves it. Sets `settings.port`."""
    for name in (*server.QUIET, "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, "1")  # to be as before, afterwards
    server.prepare_gradio(settings)
    listener = socket.create_server(("127.0.0.1", 0))
    object.__setattr__(settings, "port", listener.getsockname()[1])
    app = whole_app(settings, service)
    with served(app, listener):
        yield app


@pytest.fixture
def browser(app: FastAPI, settings: Settings, service: Service) -> Iterator[Browser]:
    """A browser of a user who has agreed to the terms, or of nobody."""
    opened: list[httpx.Client] = []

    def browser(user_id: UUID | None) -> httpx.Client:
        client = httpx.Client(base_url=settings.origin, headers={"Origin": settings.origin})
        if user_id is not None:
            acknowledgements.record(service.store, user_id, Site(settings).policy_version)
            secret = sessions.begin(service.store, user_id, sessions.Device())
            client.cookies.set(cookies.session_cookie(settings).name, secret)
        opened.append(client)
        return client

    yield browser
    for client in opened:
        client.close()
