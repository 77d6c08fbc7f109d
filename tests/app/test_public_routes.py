"""The routes that anybody may read, over a real service."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app import public_routes
from app.settings import Settings
from app.web import Web
from pages.public import Site
from tasks.retention import sweep
from tasks.service import Service
from tests.db.machine import Machine

PAGES = ("/privacy", "/cookies", "/terms", "/api", "/privacy/proof")


@pytest.fixture
def anybody(settings: Settings, service: Service) -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(public_routes.routes(Web(settings, service, Site(settings))))
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_there_for_everybody_to_get_and_to_head(path: str, anybody: TestClient) -> None:
    got, headed = anybody.get(path), anybody.head(path)

    assert got.status_code == headed.status_code == 200
    assert got.headers["content-type"] == "text/html; charset=utf-8"
    assert got.text.startswith("<!doctype html>")
    assert headed.content == b""
    assert anybody.post(path).status_code == 405


def test_figures_are_never_cached_and_texts_only_shortly(anybody: TestClient) -> None:
    assert anybody.get("/privacy/proof").headers["cache-control"] == "no-store"
    assert anybody.get("/.well-known/privacy-proof.json").headers["cache-control"] == "no-store"
    assert anybody.get("/privacy").headers["cache-control"] == "public, max-age=300"


def test_the_global_privacy_control_signal_is_said_to_be_heeded(anybody: TestClient) -> None:
    assert anybody.get("/.well-known/gpc.json").json() == {"gpc": True, "lastUpdate": "2026-03-17"}


def test_robots_are_kept_from_everything_that_is_not_public(anybody: TestClient) -> None:
    lines = anybody.get("/robots.txt").text.splitlines()

    assert lines[0] == "User-agent: *"
    assert lines[-1] == "Disallow: /"
    allowed = [line.removeprefix("Allow: ") for line in lines if line.startswith("Allow")]
    assert allowed == ["/$", "/privacy", "/cookies", "/terms", "/api", "/ui/"]


def test_the_proof_follows_a_picture_until_it_is_gone(
    anybody: TestClient,
    service: Service,
    machine: Machine,
    ada: UUID,
    submit: Callable[..., UUID],
) -> None:
    def live() -> dict[str, object]:
        found = anybody.get("/.well-known/privacy-proof.json").json()
        assert set(found) == {"version", "date", "clauses", "live"}
        return found["live"]

    assert live()["oldest_stored_seconds"] is None
    submit(ada)
    machine.passes(timedelta(hours=31))
    assert live()["live_files"] == 1
    assert live()["oldest_stored_seconds"] == 31 * 3600
    assert "31 h 0 min" in anybody.get("/privacy/proof").text
    machine.passes(timedelta(hours=18))
    sweep(service)
    assert live()["live_files"] == 0
    assert live()["deleted"]["expired"] == 1
    assert "Nothing is stored." in anybody.get("/privacy/proof").text
