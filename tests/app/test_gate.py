"""What the gate opens, to whom, and what it keeps from Gradio."""

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AuthenticationError

from app.gate_rules import TABLE, Access, Check, methods_of, rule_for
from tests.app.gated import LANDING, House, function_index, house, mounted

# Inside Gradio, after every event.
pytestmark = pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting'")

HTML = {"Accept": "text/html,*/*"}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("gated")) as found:
        yield found


@pytest.fixture
def ungated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    # For one test: while it is there, Gradio's folder is its own and not the other's.
    with house(tmp_path_factory.mktemp("ungated"), gated=False) as found:
        yield found


@pytest.fixture(scope="module")
def installed() -> set[tuple[str, str]]:
    """Method and pattern of every route of the installed Gradio, its run history included."""
    return {
        (method, _plain(path))
        for path, methods in _routes(mounted(run_history=True))
        for method in methods - {"HEAD", "OPTIONS"}
    }


def _routes(app: Any, prefix: str = "") -> Iterator[tuple[str, set[str]]]:
    for route in app.routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from _routes(included, prefix)
        elif hasattr(route, "methods"):
            yield prefix + route.path, set(route.methods)
        else:
            yield from _routes(route.app, prefix + route.path)


def _plain(path: str) -> str:
    """A pattern without the names in it, nor a slash at its end."""
    return re.sub(r"\{[^}]*?(:path)?\}", r"{\1}", path).rstrip("/") or "/"


class TestTable:
    def test_every_route_of_gradio_is_in_the_table(self, installed: set[tuple[str, str]]) -> None:
        known = {(method, _plain(rule.path)) for rule in TABLE for method in rule.methods}

        assert len(installed) > 45, "the routes were not found"
        assert installed - known == set()

    def test_every_row_about_gradio_has_its_route(self, installed: set[tuple[str, str]]) -> None:
        named = {
            (method, _plain(rule.path))
            for rule in TABLE
            if rule.gradio
            for method in rule.methods - {"HEAD"}
        }

        # Only made with a profiler or a monitor that are never switched on.
        assert named - installed == set()

    def test_a_route_that_an_upgrade_adds_would_be_noticed(
        self, installed: set[tuple[str, str]]
    ) -> None:
        known = {(method, _plain(rule.path)) for rule in TABLE for method in rule.methods}

        assert ("POST", "/gradio_api/{}") not in known
        assert not any(_plain(rule.path) in ("/{:path}", "/gradio_api/{:path}") for rule in TABLE)

    @pytest.mark.parametrize(
        "path",
        [
            "/gradio_api/file=../x/../../etc/passwd",
            "/assets/../../../etc/passwd",
            "/assets/./x",
            "/assets/..",
            "/static/..\\x",
            "/privacy\n",
            "/privacy/",
            "//privacy",
            "/privacy\x00",
            "/PRIVACY",
            "/config/",
            "/gradio_api/info/",
            "/gradio_api/run/a/b",
            "/gradio_api/queue/join/x",
            "/landing",
            "",
        ],
    )
    def test_other_ways_of_writing_an_address_are_not_taken(self, path: str) -> None:
        assert rule_for("GET", path) is None
        assert methods_of(path) == frozenset()

    def test_a_body_is_checked_wherever_gradio_takes_one(self) -> None:
        unchecked = [
            rule.path
            for rule in TABLE
            if rule.gradio and "POST" in rule.methods and rule.access is not Access.NOBODY
            if Check.BODY not in rule.check
        ]

        assert unchecked == []

    def test_what_is_shut_is_not_there_for_a_visitor(self, here: House) -> None:
        reached = []
        with here.client(**here.actor().bearer) as client:
            for rule in TABLE:
                path = re.sub(r"\{[^}]*\}", "x", rule.path)
                for method in rule.methods if rule.access is Access.NOBODY else ():
                    answer = client.request(method, path)
                    if rule_for(method, path) is None and answer.status_code not in (404, 405):
                        reached.append((method, path, answer.status_code))
                    if answer.status_code == 404 and method != "HEAD":
                        assert answer.json()["error"]["code"] == "NOT_FOUND", path

        assert reached == []


class TestStrangers:
    def test_the_front_is_the_landing_page(self, here: House) -> None:
        with here.client() as client:
            assert client.get("/", headers=HTML).text == LANDING
            assert client.get("/").headers["cache-control"] == "private, no-store"

    @pytest.mark.parametrize(
        "path", ["/config", "/live", "/nothing", "/landing", "/files/x", "/x/"]
    )
    def test_people_are_sent_to_sign_in_and_programs_get_a_sentence(
        self, here: House, path: str
    ) -> None:
        with here.client() as client:
            page, answer = client.get(path, headers=HTML), client.get(path)

        assert (page.status_code, page.headers["location"]) == (303, "/login")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"] == {
            "code": "UNAUTHORIZED",
            "message": "Please sign in.",
            "hint": "Programs send a token that is made under Account.",
        }

    @pytest.mark.parametrize("tab", ["upscale", "history", "account", "policies"])
    def test_a_tab_is_where_they_are_sent_after_signing_in(self, here: House, tab: str) -> None:
        with here.client() as client:
            page = client.get(f"/?tab={tab}", headers=HTML)

        assert (page.status_code, page.headers["location"]) == (303, f"/login?next={tab}")

    def test_nothing_that_they_write_decides_where_they_are_sent(self, here: House) -> None:
        with here.client() as client:
            aims = set()
            for evil in EVIL_ADDRESSES:
                for address in (f"/?tab={evil}", f"/x?next={evil}", f"/{evil}", f"/x/{evil}"):
                    answer = client.get(here.url + address, headers=HTML)
                    aims.add(answer.headers.get("location"))

        assert aims <= {"/login", None}
        assert "/login" in aims

    def test_gradio_and_our_routes_are_shut(self, here: House) -> None:
        opened = []
        with here.client() as client:
            for rule in TABLE:
                path = re.sub(r"\{[^}]*\}", "x", rule.path)
                for method in rule.methods:
                    answer = client.request(method, path, json={})
                    may = rule.access in (Access.OPEN, Access.PUBLIC, Access.FRONT)
                    if not may and answer.status_code not in (401, 404, 405):
                        opened.append((method, path, answer.status_code))

        assert opened == []

    def test_a_wrong_token_is_told_so_everywhere_but_where_nobody_is_asked(
        self, here: House
    ) -> None:
        with here.client(Authorization="Bearer iu_wrong") as client:
            answers = {path: client.get(path).status_code for path in ("/", "/privacy", "/config")}
            assert set(answers.values()) == {401}
            assert client.get("/healthz").status_code == 200


class TestVisitors:
    def test_a_cookie_and_a_token_open_the_front(self, here: House) -> None:
        actor = here.actor()

        with here.client() as client:
            for headers in (actor.cookie, actor.bearer):
                page = client.get("/", headers=headers | HTML)
                assert "window.gradio_config" in page.text
                assert '<span class="chosen">Upscale</span>' in page.text
                other = client.get("/?tab=history", headers=headers | HTML).text
                assert '<span class="chosen">History</span>' in other
                assert "window.gradio_config" in other

    def test_only_gradios_page_may_run_what_stands_in_it(self, here: House) -> None:
        actor = here.actor()

        with here.client(**actor.cookie) as client:
            front, config = client.get("/"), client.get("/config")
            plain = client.get("/privacy")

        assert "script-src 'self' 'unsafe-inline' 'unsafe-eval'" in _policy(front)
        assert "frame-ancestors 'none'" in _policy(front)
        assert "unsafe" not in _policy(plain)
        assert _policy(config).startswith("sandbox; default-src 'none'")
        assert {front.headers["cache-control"], config.headers["cache-control"]} == {
            "private, no-store"
        }

    def test_gradio_knows_its_address_from_nobody_but_us(self, here: House) -> None:
        claimed = {
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "https",
            "X-Gradio-Server": "https://evil.example",
        }

        with here.client(**here.actor().bearer) as client:
            config, page = client.get("/config", headers=claimed), client.get("/", headers=claimed)

        assert config.json()["root"] == here.url
        assert "evil.example" not in config.text + page.text

    def test_a_public_page_knows_a_visitor(self, here: House) -> None:
        with here.client() as client:
            assert client.get("/privacy").text == "a stranger"
            assert client.get("/privacy", headers=here.actor().cookie).text == "known"

    def test_what_is_not_there_is_not_there(self, here: House) -> None:
        with here.client(**here.actor().cookie) as client:
            answer, page = client.get("/nothing"), client.get("/nothing", headers=HTML)

        assert answer.status_code == page.status_code == 404
        assert answer.json()["error"]["code"] == "NOT_FOUND"
        assert page.headers["content-type"].startswith("text/html")

    def test_another_method_is_told_which_ones_there_are(self, here: House) -> None:
        with here.client(**here.actor().bearer) as client:
            answer = client.get("/gradio_api/queue/join")

        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")

    def test_who_has_yet_to_agree_gets_no_further_than_to_agreeing(self, here: House) -> None:
        new = here.actor(agreed=False)

        with here.client() as client:
            for path in ("/", "/config", "/live", "/gradio_api/info", "/?tab=history"):
                page = client.get(path, headers=new.cookie | HTML)
                assert (page.status_code, page.headers["location"]) == (303, "/welcome"), path
            answer = client.get("/config", headers=new.bearer)
            assert answer.status_code == 428
            assert answer.json()["error"]["code"] == "ACKNOWLEDGEMENT_NEEDED"
            join = client.post("/gradio_api/queue/join", headers=new.bearer, json={"data": []})
            assert join.status_code == 428
            for path in ("/welcome", "/privacy", "/healthz"):
                assert client.get(path, headers=new.cookie | HTML).status_code == 200
            assert client.post("/logout", headers=new.cookie).text == "signed out"

    def test_gradio_is_not_told_who_they_are(self, here: House) -> None:
        actor = here.actor()

        with here.client(**actor.cookie) as client:
            config = client.get("/config")

        assert re.fullmatch("[0-9a-f]{32}", config.json()["username"])
        assert str(actor.user_id) not in config.text


class TestClients:
    """The client library as it is installed, by each way of sending a token."""

    @pytest.mark.parametrize(
        "how",
        [
            lambda token: {"token": token},
            lambda token: {"headers": {"Authorization": f"Bearer {token}"}},
            lambda token: {"headers": {"X-API-Key": token}},
        ],
        ids=["token", "Authorization", "X-API-Key"],
    )
    def test_everything_works_through_the_gate(
        self, here: House, tmp_path: Path, how: Callable[[str], Any]
    ) -> None:
        picture = tmp_path / "photo.txt"
        picture.write_text("its pixels")
        client = Client(here.url, verbose=False, **how(here.actor().token))

        assert client.predict("ab", api_name="/echo") == "abab"
        assert client.predict("ab", count=3, api_name="/echo") == "ababab"
        assert client.predict(handle_file(str(picture)), api_name="/content") == "its pixels"
        files = [handle_file(str(picture))] * 2
        assert client.predict(files, api_name="/contents") == ["its pixels"] * 2
        job = client.submit("step", api_name="/steps")
        assert job.result() == "step 2"
        assert job.outputs() == ["step 0", "step 1", "step 2"]
        assert client.predict("z", 3, api_name="/tick") == "zzz"
        client.close()

    def test_without_a_token_the_client_says_what_is_missing(self, here: House) -> None:
        with pytest.raises(AuthenticationError, match="credentials"):
            Client(here.url, verbose=False)

    def test_calls_work_without_the_client_too(self, here: House) -> None:
        with here.client(**here.actor().bearer) as client:
            started = client.post("/gradio_api/call/echo", json={"data": ["ab", 2]})
            answer = client.get(f"/gradio_api/call/echo/{started.json()['event_id']}")

        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.text == 'event: complete\ndata: ["abab"]\n\n'

    def test_a_stream_comes_as_it_is_made(self, here: House) -> None:
        actor = here.actor()
        here.released.clear()
        with here.client(**actor.bearer) as client:
            started = _join(client, "wait", ["x"], session_hash="a-stream")
            assert started.status_code == 200
            with client.stream(
                "GET", "/gradio_api/queue/data", params={"session_hash": "a-stream"}
            ) as stream:
                lines = (line for line in stream.iter_lines() if line)
                first = next(lines)
                assert not here.released.is_set(), "only came at the end"
                here.released.set()
                rest = list(lines)

        assert "estimation" in first
        assert "x, after a while" in "".join(rest)


class TestThieves:
    """Somebody who knows the session hash and the event of another."""

    @pytest.fixture
    def theirs(self, here: House) -> Iterator[tuple[httpx.Client, str, str]]:
        """Ada, in the middle of something: her client, session hash and event."""
        here.released.clear()
        with here.client(**here.actor().bearer) as ada:
            session = secrets.token_hex(6)
            event = _join(ada, "wait", ["hers"], session_hash=session).json()["event_id"]
            yield ada, session, event
            here.released.set()

    def test_nothing_of_anothers_event_is_there(
        self, here: House, theirs: tuple[httpx.Client, str, str]
    ) -> None:
        ada, session, event = theirs
        index = function_index(here, "wait")

        with here.client(**here.actor().bearer) as bob:
            tries = [
                bob.get("/gradio_api/queue/data", params={"session_hash": session}),
                bob.get("/gradio_api/queue/data", params={"session_hash": event}),
                bob.get(f"/gradio_api/queue/data?session_hash={session}&session_hash=x"),
                bob.get(f"/gradio_api/queue/data?session_hash=x&session_hash={session}"),
                bob.get(f"/gradio_api/heartbeat/{session}"),
                bob.get(f"/gradio_api/call/wait/{event}"),
                bob.get(f"/gradio_api/call/other/{event}"),
                _join(bob, "echo", ["x", 1], session_hash=session),
                _join(bob, "echo", ["x", 1], session_hash="own", event_id=event),
                bob.post("/gradio_api/call/echo", json={"data": ["x", 1], "session_hash": session}),
                bob.post("/gradio_api/run/tick", json={"data": ["x", 1], "session_hash": session}),
                bob.post("/gradio_api/run/tick", json={"data": ["x", 1], "event_id": event}),
                _cancel(bob, session, event, index),
                _cancel(bob, "own", event, index),
                _cancel(bob, session, "own", index),
            ]
        here.released.set()
        with here.client() as nobody:
            signed_out = nobody.get("/gradio_api/queue/data", params={"session_hash": session})
        stream = ada.get("/gradio_api/queue/data", params={"session_hash": session})

        assert {(each.status_code, each.json()["error"]["code"]) for each in tries} == {
            (404, "NOT_FOUND")
        }
        assert signed_out.status_code == 401
        assert "hers, after a while" in stream.text

    def test_an_event_that_never_was_looks_the_same(self, here: House) -> None:
        with here.client(**here.actor().bearer) as bob:
            answers = [
                bob.get("/gradio_api/call/wait/0123456789abcdef"),
                _cancel(bob, "own", "0123456789abcdef", 0),
                bob.post("/gradio_api/cancel", json={"session_hash": "own", "fn_index": 0}),
            ]

        assert {each.status_code for each in answers} == {404}

    def test_ones_own_event_can_be_canceled(
        self, here: House, theirs: tuple[httpx.Client, str, str]
    ) -> None:
        ada, session, event = theirs

        assert _cancel(ada, session, event, function_index(here, "wait")).status_code == 200

    def test_the_progress_of_an_upload_is_its_owners(self, here: House) -> None:
        with here.client(**here.actor().bearer) as ada, here.client(**here.actor().bearer) as bob:
            sent = ada.post(
                "/gradio_api/upload", params={"upload_id": "theirs"}, files={"files": b"x"}
            )
            stolen = bob.get("/gradio_api/upload_progress", params={"upload_id": "theirs"})
            mixed = bob.post(
                "/gradio_api/upload", params={"upload_id": "theirs"}, files={"files": b"x"}
            )

        assert sent.status_code == 200
        assert {stolen.status_code, mixed.status_code} == {404}

    def test_without_the_gate_anothers_result_is_read(self, ungated: House) -> None:
        """Or the tests above could not fail."""
        ungated.released.set()
        index = function_index(ungated, "wait")
        body = {"data": ["hers"], "fn_index": index, "session_hash": "hers"}

        with ungated.client() as ada, ungated.client() as bob:
            ada.post("/gradio_api/queue/join", json=body)
            stolen = bob.get("/gradio_api/queue/data", params={"session_hash": "hers"})

        assert "hers, after a while" in stolen.text


def _policy(answer: httpx.Response) -> str:
    return answer.headers["content-security-policy"]


def _join(client: httpx.Client, name: str, data: list[Any], **more: Any) -> httpx.Response:
    functions = client.get("/config").json()["dependencies"]
    index = next(each["id"] for each in functions if each["api_name"] == name)
    body = {"data": data, "fn_index": index, **more}
    return client.post("/gradio_api/queue/join", json=body)


def _cancel(client: httpx.Client, session: str, event: str, index: int) -> httpx.Response:
    body = {"session_hash": session, "event_id": event, "fn_index": index}
    return client.post("/gradio_api/cancel", json=body)


EVIL_ADDRESSES = [
    "//evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https://evil.example",
    "http:/evil.example",
    "%2f%2fevil.example",
    "%2F%5Cevil.example",
    "%09//evil.example",
    "%0d%0aLocation:%20https://evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "@evil.example",
    "evil.example",
    ".evil.example",
    "?next=//evil.example",
    "history%0d%0aSet-Cookie:%20a=b",
    "history@evil.example",
    "history//evil.example",
    "HISTORY",
    "history%00",
    "%20history",
    "history&tab=//evil.example",
    "..%2f..%2fevil.example",
    "%E3%80%82evil.example",
    "///evil.example/%2e%2e",
    "https:%5c%5cevil.example",
    "%68%74%74%70%73://evil.example",
    "welcome",
]
