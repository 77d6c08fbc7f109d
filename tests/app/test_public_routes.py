"""The routes that anybody may read, over a real service."""

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from app import public_routes
from app.settings import Settings
from app.web import Web
from pages.public import PRODUCT, Site
from tasks.retention import sweep
from tasks.service import Service
from tests.db.machine import Machine

STATIC = Path(__file__).parents[2] / "pages" / "static"
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
    pages = ["/$", "/privacy", "/cookies", "/terms", "/api"]
    assert allowed == [*pages, "/ui/", "/favicon.ico", "/manifest.json"]


def test_the_icon_and_the_manifest_are_ours(anybody: TestClient) -> None:
    icon, manifest = anybody.get("/favicon.ico"), anybody.get("/manifest.json")

    with Image.open(io.BytesIO(icon.content)) as image:
        assert image.ico.sizes() == {(16, 16), (32, 32), (48, 48)}
    assert manifest.headers["content-type"] == "application/manifest+json"
    told = manifest.json()
    assert told["name"] == PRODUCT
    assert told["start_url"] == "/"
    for each in told["icons"]:
        file = STATIC / each["src"].removeprefix("/ui/")
        if each["type"] == "image/png":
            with Image.open(file) as image:
                assert each["sizes"] == f"{image.width}x{image.height}"
        else:
            assert file.read_text().startswith("<svg")
    assert {each["purpose"] for each in told["icons"]} == {"any", "maskable"}


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
