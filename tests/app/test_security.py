"""Hosts, origins, headers and the request log: what holds for every request and answer."""

import itertools
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from app.gate_rules import Look
from app.origins import OwnAddresses
from app.security import content_policies, protect
from app.settings import Provider, Settings
from app.web import Web
from db import acknowledgements, sessions, tokens
from db.users import ensure_user
from pages.public import Site
from tasks.service import Service, prepare
from tests.app.gated import LANDING, pages

PUBLIC = "https://upscale.example.org"
SPACE = "owner-space.hf.space"
HTML = {"Accept": "text/html"}


FIXED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), "
    "midi=(), payment=(), usb=()",
}


class Front:
    """The service with some settings, asked without a network."""

    def __init__(self, settings: Settings, service: Service) -> None:
        web = Web(settings, service, Site(settings))
        app = pages(web)
        protect(app, web)
        self.origin = settings.origin
        self.client = TestClient(
            app, self.origin, raise_server_exceptions=False, follow_redirects=False
        )
        user_id = ensure_user(service.store, "local", "ada")
        acknowledgements.record(service.store, user_id, web.site.policy_version)
        secret = sessions.begin(service.store, user_id, sessions.Device())
        name = "__Host-session" if settings.is_https else "session"
        self.cookie = {"Cookie": f"{name}={secret}"}
        self.token = {"X-API-Key": tokens.create(service.store, user_id, "a token")[1]}

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(
            path, headers={key.replace("_", "-"): headers[key] for key in headers}
        )


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Callable[..., Front]]:
    with ExitStack() as opened:

        def front(**given: Any) -> Front:
            settings = Settings(data_dir=tmp_path, **given)
            prepare(settings)
            return Front(settings, opened.enter_context(Service.open(settings)))

        yield front


class TestHeaders:
    def answers(self, front: Front) -> dict[str, Any]:
        """One of every kind."""
        client = front.client
        preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        return {
            "a page": client.get("/privacy"),
            "the landing page": client.get("/"),
            "health": client.get("/healthz"),
            "not found": client.get("/nothing", headers=front.token),
            "not found, as a page": client.get("/nothing", headers=front.token | HTML),
            "signed out": client.get("/config"),
            "sent to sign in": client.get("/config", headers=HTML),
            "a wrong method": client.get("/logout", headers=front.token),
            "a wrong token": client.get("/privacy", headers={"X-API-Key": "x"}),
            "another site": client.post("/login/local", headers={"Origin": "null"}),
            "a preflight": client.options("/config", headers=preflight),
            "another host": client.get("/privacy", headers={"Host": "evil.example"}),
            "what broke": client.get("/terms"),
            "what broke, as a page": client.get("/terms", headers=HTML),
            "a wrong body": client.post("/gradio_api/call/x", headers=front.token, content=b"x"),
        }

    def test_every_kind_of_answer_has_them(self, front: Callable[..., Front]) -> None:
        for kind, answer in self.answers(front()).items():
            for name, value in FIXED.items():
                assert answer.headers.get_list(name) == [value], (kind, name)
            policy = answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy, kind
            assert "unsafe" not in policy, kind
            if answer.headers.get("content-type", "").startswith("text/html"):
                assert "script-src 'self'; style-src 'self'" in policy, kind
            else:
                assert policy.startswith("sandbox; default-src 'none'"), kind
            assert "server" not in answer.headers, kind
            assert "strict-transport-security" not in answer.headers, kind

    def test_the_kinds_are_what_they_are_called(self, front: Callable[..., Front]) -> None:
        statuses = {kind: answer.status_code for kind, answer in self.answers(front()).items()}

        assert statuses == {
            "a page": 200,
            "the landing page": 200,
            "health": 200,
            "not found": 404,
            "not found, as a page": 404,
            "signed out": 401,
            "sent to sign in": 303,
            "a wrong method": 405,
            "a wrong token": 401,
            "another site": 403,
            "a preflight": 400,
            "another host": 400,
            "what broke": 500,
            "what broke, as a page": 500,
            "a wrong body": 415,
        }

    def test_https_is_to_stay_https(self, front: Callable[..., Front]) -> None:
        answer = front(public_url=PUBLIC).get("/privacy")

        assert answer.headers["strict-transport-security"] == "max-age=31536000"

    def test_only_the_hub_may_frame_a_space_and_nobody_else_anything(
        self, front: Callable[..., Front]
    ) -> None:
        answer = front(space_host=SPACE, local_passphrase="x").get("/privacy")

        policy = answer.headers["content-security-policy"]
        assert f"frame-ancestors https://huggingface.co https://{SPACE};" in policy
        assert "x-frame-options" not in answer.headers

    def test_a_file_is_no_page_whatever_it_says(self, front: Callable[..., Front]) -> None:
        here = front()
        path = here.client.post(
            "/gradio_api/upload", headers=here.token, files={"files": b"<script>1</script>"}
        ).json()[0]
        page = Path(path).rename(Path(path).with_name("page.html"))

        answer = here.client.get(f"/gradio_api/file={page}", headers=here.token)

        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert answer.headers["cache-control"] == "private, no-store"

    def test_forms_lead_home_or_to_who_vouches(self) -> None:
        provider = Provider(
            key="x",
            name="X",
            issuer="https://id.example.org/realms/x",
            client_id="a",
            client_secret=SecretStr("b"),
        )

        for look, policy in content_policies(Settings(oidc_providers=(provider,))).items():
            if look is not Look.FILE:
                assert "form-action 'self' https://id.example.org;" in policy


class TestHosts:
    @pytest.mark.parametrize(
        ("given", "host", "own"),
        [
            ({}, "127.0.0.1:7860", "http://127.0.0.1:7860"),
            ({}, "localhost:7860", "http://localhost:7860"),
            ({}, "LOCALHOST:7860", "http://localhost:7860"),
            ({}, "[::1]:7860", "http://[::1]:7860"),
            ({}, "127.0.0.1", None),
            ({}, "127.0.0.1:7861", None),
            ({}, "evil.example:7860", None),
            ({}, "127.0.0.1:7860.evil.example", None),
            ({}, "127.0.0.1:7860@evil.example", None),
            ({}, "", None),
            ({"public_url": PUBLIC}, "upscale.example.org", PUBLIC),
            ({"public_url": PUBLIC}, "upscale.example.org:443", PUBLIC),
            ({"public_url": PUBLIC}, "upscale.example.org:444", None),
            ({"public_url": PUBLIC}, "upscale.example.org.", None),
            ({"public_url": PUBLIC}, "evil.upscale.example.org", None),
            ({"public_url": PUBLIC}, "127.0.0.1:7860", None),
            ({"public_url": PUBLIC}, "localhost:7860", None),
            ({"space_host": f"{SPACE}, other.hf.space"}, SPACE, f"https://{SPACE}"),
            (
                {"space_host": f"{SPACE}, other.hf.space"},
                "other.hf.space",
                "https://other.hf.space",
            ),
            ({"space_host": SPACE}, "third.hf.space", None),
            ({"host": "0.0.0.0"}, "192.168.1.5:7860", "http://192.168.1.5:7860"),
            ({"host": "0.0.0.0"}, "localhost:8080", "http://localhost:8080"),
            ({"host": "::"}, "[fe80::1]:7860", "http://[fe80::1]:7860"),
            ({"host": "0.0.0.0"}, "nas.local:7860", None),
            ({"host": "0.0.0.0"}, "192.168.1.5.evil.example", None),
            ({"host": "0.0.0.0"}, "192.168.1.5:7860/x", None),
            ({"host": "0.0.0.0"}, "a@192.168.1.5", None),
            ({"host": "0.0.0.0", "public_url": PUBLIC}, "192.168.1.5:7860", None),
        ],
    )
    def test_a_host_is_ours_or_is_not(
        self, given: dict[str, Any], host: str, own: str | None
    ) -> None:
        addresses = OwnAddresses.of(Settings(**given))

        assert addresses.origin_of(Headers({"host": host})) == own

    def test_two_hosts_or_none_are_not_ours(self) -> None:
        own = OwnAddresses.of(Settings())
        twice = [(b"host", b"127.0.0.1:7860"), (b"host", b"evil.example")]

        assert own.origin_of(Headers(raw=twice)) is None
        assert own.origin_of(Headers()) is None

    def test_another_host_gets_a_sentence_and_nothing_else(
        self, front: Callable[..., Front]
    ) -> None:
        here = front(public_url=PUBLIC)

        for path in ("/", "/privacy", "/config", "/nothing"):
            answer = here.get(path, Host="evil.example")
            assert answer.status_code == 400
            assert answer.json()["error"]["code"] == "WRONG_HOST"
            assert "evil" not in answer.text
        assert here.get("/healthz", Host="evil.example").status_code == 200

    def test_headers_that_claim_another_host_never_arrive(
        self, front: Callable[..., Front]
    ) -> None:
        here = front(public_url=PUBLIC)
        claimed = {
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Port": "1",
            "X-Forwarded-Prefix": "/evil",
            "X-Forwarded-Server": "evil.example",
            "X-Gradio-Server": "https://evil.example",
            "X-Original-URL": "/evil",
            "X-Rewrite-URL": "/evil",
        }
        seen = here.client.get("/api", headers=claimed).json()

        assert seen["url"] == f"{PUBLIC}/api"
        assert "evil" not in str(seen)


class TestOtherSites:
    OURS, THEIRS = PUBLIC, "https://evil.example"

    @pytest.mark.parametrize("who", ["cookie", "token", "stranger"])
    def test_what_another_site_sends_does_nothing(
        self, front: Callable[..., Front], who: str
    ) -> None:
        here = front(public_url=PUBLIC)
        origins = [None, self.OURS, self.THEIRS, "null", "http://upscale.example.org"]
        origins += [f"{PUBLIC}:444", f"{PUBLIC}.evil.example", "https://evil.upscale.example.org"]
        sites = [None, "same-origin", "none", "same-site", "cross-site"]
        wrong = []

        for origin, site in itertools.product(origins, sites):
            headers = {"cookie": here.cookie, "token": here.token, "stranger": {}}[who]
            if origin:
                headers = headers | {"Origin": origin}
            if site:
                headers = headers | {"Sec-Fetch-Site": site}
            address = "/login/local" if who == "stranger" else "/logout"
            answer = here.client.post(address, headers=headers)
            may = origin in (None, self.OURS) and site in (None, "same-origin", "none")
            if who == "cookie":
                may = may and (origin, site) != (None, None)
            expected = 200 if may or who == "token" else 403
            if answer.status_code != expected:
                wrong.append((origin, site, answer.status_code))
            if expected == 403:
                assert answer.json()["error"]["code"] == "CROSS_SITE"

        assert wrong == []

    def test_a_stolen_ride_is_refused_before_anything_is_said_about_the_address(
        self, front: Callable[..., Front]
    ) -> None:
        here = front(public_url=PUBLIC)
        headers = here.cookie | {"Origin": self.THEIRS}

        for path in (
            "/logout",
            "/welcome",
            "/gradio_api/queue/join",
            "/nothing",
            "/logout/everywhere",
        ):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                assert here.client.request(method, path, headers=headers).status_code == 403

    def test_looking_is_free(self, front: Callable[..., Front]) -> None:
        here = front(public_url=PUBLIC)
        headers = here.cookie | {"Origin": self.THEIRS, "Sec-Fetch-Site": "cross-site"}

        assert here.client.get("/privacy", headers=headers).text == "known"

    @pytest.mark.parametrize(
        "origin",
        [
            "https://evil.example",
            "null",
            f"{PUBLIC}.evil.example",
            f"{PUBLIC}:444",
            "http://upscale.example.org",
            "https://evil.upscale.example.org",
            "http://127.0.0.1:7860",
            "http://localhost",
        ],
    )
    def test_no_other_origin_may_read(self, front: Callable[..., Front], origin: str) -> None:
        here = front(public_url=PUBLIC)
        asks = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-api-key",
        }

        for path in ("/", "/privacy", "/config", "/healthz", "/nothing"):
            answers = [
                here.client.get(path, headers=here.token | {"Origin": origin}),
                here.client.options(path, headers={"Origin": origin} | asks),
            ]
            for answer in answers:
                assert "access-control-allow-origin" not in answer.headers
                assert "access-control-allow-credentials" not in answer.headers

    def test_gradio_sees_that_there_is_a_rule_for_other_origins(
        self, front: Callable[..., Front]
    ) -> None:
        from starlette.middleware.cors import CORSMiddleware

        app: Any = front().client.app

        assert any(each.cls is CORSMiddleware for each in app.user_middleware)


class TestLog:
    def test_a_line_says_what_happened_and_no_word_of_a_users(
        self, front: Callable[..., Front], caplog: pytest.LogCaptureFixture
    ) -> None:
        here = front()
        with caplog.at_level(logging.INFO, logger="app.request_log"):
            here.client.get("/auth/callback?code=SECRET&state=SECRET", headers=here.token)
            here.client.get("/files/SECRET/SECRET.png?x=SECRET", headers=here.token)
            here.client.get("/SECRET%0d%0aSECRET", headers=here.token)
            here.client.request("SECRET", "/SECRET", headers={"User-Agent": "SECRET"})
            here.client.get("/privacy", headers={"Host": "SECRET", "Referer": "SECRET"})
            here.client.get("/terms?SECRET")

        lines = [record for record in caplog.records if record.message == "request"]
        assert [(line.__dict__["route"], line.__dict__["status"]) for line in lines] == [
            ("/auth/callback", 404),
            ("/files/{file_id}/{name}", 404),
            ("none", 404),
            ("none", 401),
            ("none", 400),
            ("/terms", 500),
        ]
        assert all(line.__dict__["ms"] >= 0 for line in lines)
        assert [line.__dict__["method"] for line in lines][3] == "other"
        told = str([{**vars(record), "exc_info": None} for record in caplog.records])
        assert "SECRET" not in told

    def test_what_broke_is_logged_and_not_told(
        self, front: Callable[..., Front], caplog: pytest.LogCaptureFixture
    ) -> None:
        answer = front().get("/terms")

        assert answer.json()["error"]["code"] == "INTERNAL_ERROR"
        assert "person" not in answer.text
        (record,) = [each for each in caplog.records if each.message == "request_failed"]
        assert record.exc_info
        assert record.__dict__["route"] == "/terms"


def test_the_landing_page_has_no_name_of_its_own(front: Callable[..., Front]) -> None:
    here = front()

    assert here.get("/").text == LANDING
    assert here.get("/landing").status_code == 401
    assert here.client.get("/landing", headers=here.token).status_code == 404
