"""The whole web app in this process, over a service in a temporary folder."""

import asyncio
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app import cookies, server
from app.settings import Settings
from db import acknowledgements, sessions, tokens
from pages.public import Site
from tasks.service import Service
from tests.tasks.conftest import ada, bob, machine, service, settings, submit, upload

__all__ = ["ada", "bob", "machine", "service", "settings", "submit", "upload"]

Browser = Callable[[UUID | None], TestClient]


@pytest.fixture
def app(settings: Settings, service: Service, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """As the web process makes it."""
    for name in (*server.QUIET, "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, "1")  # to be as before, afterwards
    server.prepare_gradio(settings)
    from app.main import create_app

    async def made() -> FastAPI:
        """Where no loop runs, Gradio makes one of its own and leaves it open."""
        return create_app(settings, service)

    return asyncio.run(made())


@pytest.fixture
def browser(app: FastAPI, settings: Settings, service: Service) -> Iterator[Browser]:
    """A browser of a user who has agreed to the terms, or of nobody."""
    opened: list[TestClient] = []

    def browser(user_id: UUID | None) -> TestClient:
        client = TestClient(app, settings.origin, follow_redirects=False)
        client.headers["Origin"] = settings.origin
        if user_id is not None:
            acknowledgements.record(service.store, user_id, Site(settings).policy_version)
            secret = sessions.begin(service.store, user_id, sessions.Device())
            client.cookies.set(cookies.session_cookie(settings).name, secret)
        opened.append(client)
        return client

    yield browser
    for client in opened:
        client.close()


@pytest.fixture
def token(service: Service, settings: Settings) -> Callable[[UUID], str]:
    """A token of a user who has agreed to the terms."""

    def token(user_id: UUID) -> str:
        acknowledgements.record(service.store, user_id, Site(settings).policy_version)
        return tokens.create(service.store, user_id, "script")[1]

    return token
