"""The way through a provider, once with an honest issuer and once with every lie there is."""

import gzip
import hashlib
import hmac
import json
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.responses import JSONResponse, PlainTextResponse, Response
from werkzeug.serving import make_server

from app import issuers, oidc
from app.settings import Provider
from db import sessions, users
from db.migrate import migrate
from tests.app.house import PLACES, House, house, provider
from tests.app.liar import Liar, by_hand, challenge_of, query_of
from tests.app.test_login import ELSEWHERE
from tests.db.places import Places
from tests.serving import served


@pytest.fixture(scope="module")
def migrated(tmp_path_factory) -> Places:
    places = Places(tmp_path_factory.mktemp("migrated"))
    migrate(places.url, places.keys_url)
    return places


@pytest.fixture(scope="module")
def running() -> Iterator[Liar]:
    liar = Liar(*(RSAKey.generate_key(2048, {"kid": kid, "use": "sig"}) for kid in ("a", "b")))
    with served(liar.app) as liar.url:
        yield liar


@pytest.fixture
def liar(running) -> Liar:
    running.reset()
    return running


@pytest.fixture
def make(migrated, tmp_path) -> Iterator:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(house(migrated, tmp_path, **settings))


@pytest.fixture
def home(make, liar) -> House:
    return make(oidc_providers=(provider(liar.url),))


@pytest.fixture
def impatient(monkeypatch) -> None:
    for module in (issuers, oidc):
        monkeypatch.setattr(module, "PATIENCE", 0.4)


def away(browser, path: str = "/login/one") -> str:
    """Press the button; where the browser is sent."""
    answer = browser.get(path)
    assert answer.status_code == 303
    return answer.headers["location"]


def come_back(browser, **params: str):
    return browser.get("/auth/callback", params=params)


def go_through(home: House, liar: Liar, path: str = "/login/one", browser=None):
    browser = browser or home.browser()
    return come_back(browser, **liar.approve(away(browser, path)))


def assert_nobody_came_in(home: House, answer, status: int) -> None:
    assert answer.status_code == status
    assert "session" not in answer.cookies
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["problem"].endswith((".", "again."))
    assert answer.json()["keys"], "there must be a button to try again"
    assert home.rows("SELECT 1 FROM user UNION SELECT 1 FROM session") == []


# An honest issuer that others wrote, with real servers on both sides.


@contextmanager
def mock_provider(**claims: object) -> Iterator[tuple[str, list[dict]]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what its own library wants replaced
        import oidc_provider_mock
    user = oidc_provider_mock.User(sub="ada-1", claims=claims)
    app = oidc_provider_mock.app(user_claims=[user], require_nonce=True)
    seen: list[dict] = []

    def record(response):
        from flask import request

        seen.append(
            {
                "path": request.path,
                "method": request.method,
                "query": request.args.to_dict(),
                "form": request.form.to_dict(),
                "answer": response.get_json(silent=True),
            }
        )
        return response

    app.after_request(record)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


CANARIES = {
    "picture": "https://img.example/canary-picture.jpg",
    "locale": "canary-locale",
    "birthdate": "1815-12-10-canary",
    "gender": "canary-gender",
    "phone_number": "canary-phone",
    "hd": "canary-hd.example",
    "given_name": "canary-given",
    "profile": "canary-profile",
}


@pytest.fixture
def real(make) -> Iterator[tuple[House, str, str, list[dict]]]:
    """A house and a provider that reach each other by HTTP."""
    claims = {"name": "Ada Lovelace", "email": "ada@example.org", **CANARIES}
    with ExitStack() as stack:
        issuer, seen = stack.enter_context(mock_provider(**claims))

        class Door:
            app = None

            async def __call__(self, scope, receive, send):
                await self.app(scope, receive, send)

        door = Door()
        origin = stack.enter_context(served(door))
        home = make(oidc_providers=(provider(issuer),), public_url=origin)
        door.app = home.gate
        yield home, origin, issuer, seen


@pytest.mark.filterwarnings("ignore::DeprecationWarning:authlib")
def test_the_whole_way_with_a_real_provider(real):
    home, origin, issuer, seen = real
    ours: list[httpx.Response] = []

    def record(response: httpx.Response) -> None:
        if str(response.url).startswith(origin):
            ours.append(response)

    with httpx.Client(follow_redirects=True, event_hooks={"response": [record]}) as browser:
        form = browser.get(f"{origin}/login/one?next=history")
        assert str(form.url).startswith(f"{issuer}/oauth2/authorize?")
        asked = query_of(str(form.url))
        end = browser.post(form.url, data={"sub": "ada-1"})
        assert str(end.url) == f"{origin}/?tab=history"
        session, jar = browser.cookies["session"], {cookie.name for cookie in browser.cookies.jar}

    assert jar == {"session"}, "the sign-in's own cookie is gone, and the provider left none"
    assert set(asked) == {
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
    }
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"] == f"{origin}/auth/callback"
    assert asked["scope"].split() == ["openid", "email", "profile"]
    assert len(asked["state"]) >= 22
    assert len(asked["nonce"]) >= 20

    # The provider does not look at PKCE; so this does.
    assert [one["path"] for one in seen] == [
        "/.well-known/openid-configuration",
        "/oauth2/authorize",
        "/oauth2/authorize",
        "/oauth2/token",
        "/jwks",
    ]
    token = seen[3]
    assert set(token["form"]) == {"grant_type", "code", "redirect_uri", "code_verifier"}
    verifier = token["form"]["code_verifier"]
    assert asked["code_challenge_method"] == "S256"
    assert asked["code_challenge"] == challenge_of(verifier)
    assert len(verifier) >= 43

    # What the browser was given by us never names the verifier, nor anything but two secrets.
    for response in ours:
        assert verifier not in str(response.headers) + response.text
    callback = next(one for one in ours if one.url.path == "/auth/callback")
    assert callback.status_code == 303
    assert callback.headers["referrer-policy"] == "no-referrer"
    assert callback.headers["cache-control"] == "no-store"

    found = sessions.find(home.store, session)
    assert (found.person.display_name, found.person.email) == ("Ada Lovelace", "ada@example.org")
    assert found.person.is_admin is False
    assert home.rows("SELECT issuer, subject FROM identity") == [(issuer, "ada-1")]
    assert home.rows("SELECT email_verified FROM user") == [(0,)], "the provider did not say so"

    kept = home.places.everything()
    for canary in CANARIES.values():
        assert canary.encode() not in kept
    for name in ("access_token", "id_token", "refresh_token"):
        assert token["answer"][name].encode() not in kept


@pytest.mark.filterwarnings("ignore::DeprecationWarning:authlib")
def test_somebody_who_says_no_at_a_real_provider(real):
    home, origin, _, _ = real
    with httpx.Client(follow_redirects=True) as browser:
        form = browser.get(f"{origin}/login/one")
        end = browser.post(form.url, data={"action": "deny"})
        assert end.status_code in (400, 403)
        assert "sign" in end.json()["problem"]
        assert not list(browser.cookies.jar)
    assert home.rows("SELECT 1 FROM user UNION SELECT 1 FROM session") == []


# The same with ours, which checks more and can be told to lie.


def test_an_honest_answer_signs_in(home, liar):
    answer = go_through(home, liar, "/login/one?next=account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?tab=account")
    assert answer.headers["referrer-policy"] == "no-referrer"
    person = sessions.find(home.store, answer.cookies["session"]).person
    assert (person.display_name, person.email) == ("Ada", "ada@example.org")
    assert home.rows("SELECT email_verified, is_admin FROM user") == [(1, 0)]
    assert home.rows("SELECT 1 FROM sign_in") == []
    assert b"access-canary" not in home.places.everything()


def test_the_same_person_comes_back_as_the_same_user(home, liar):
    go_through(home, liar)
    liar.claims = {"email": "other@example.org", "name": "Somebody"}
    go_through(home, liar)
    # The name is theirs; the address is the provider's word, and the last one counts.
    kept = "SELECT display_name, email, email_verified FROM user"
    assert home.rows(kept) == [("Ada", "other@example.org", 1)]
    liar.claims = {"email": "other@example.org", "email_verified": False}
    go_through(home, liar)
    assert home.rows(kept) == [("Ada", "other@example.org", 0)]


def test_nobody_is_recognised_by_an_address(make, liar):
    home = make(oidc_providers=(provider(liar.url),))
    mine = {"email": "ada@example.org", "email_verified": True}
    users.ensure_user(home.store, "https://another.example.org", "ada", **mine)
    users.ensure_user(home.store, "local", "ada@example.org", **mine)
    assert go_through(home, liar).status_code == 303
    assert len(home.rows("SELECT 1 FROM user")) == 3


def test_an_issuer_is_asked_once_what_it_is(home, liar):
    for _ in range(3):
        go_through(home, liar)
    assert sorted(liar.asked) == ["jwks", "openid-configuration", "token", "token", "token"]


def test_endpoints_stay_where_they_were(home, liar):
    go_through(home, liar)
    liar.metadata = {"token_endpoint": "http://127.0.0.1:9/token"}
    assert go_through(home, liar).status_code == 303


@pytest.mark.parametrize(
    ("claims", "without", "email", "verified"),
    [
        ({}, {"email_verified"}, "ada@example.org", 0),
        ({"email_verified": "true"}, (), "ada@example.org", 1),
        ({"email_verified": False}, (), None, 0),
        ({"email_verified": "false"}, (), None, 0),
        ({"email_verified": None}, (), None, 0),
        ({"email_verified": [True]}, (), None, 0),
        ({}, {"email"}, None, 0),
        ({"email": "nobody"}, (), None, 0),
        ({"email": "a" * 250 + "@example.org"}, (), None, 0),
        ({"email": "a@b\r\nBcc: c@d"}, (), None, 0),
        ({"email": ["ada@example.org"]}, (), None, 0),
    ],
)
def test_what_is_kept_of_an_address(home, liar, claims, without, email, verified):
    liar.claims, liar.without = claims, set(without)
    assert go_through(home, liar).status_code == 303
    assert home.rows("SELECT email, email_verified FROM user") == [(email, verified)]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("  Ada\n\tLovelace ", "Ada Lovelace"),
        ("A\u202eda\x00\x1b[31m", "A da [31m"),
        ("x" * 500, "x" * 80),
        ("爱达 🎨", "爱达 🎨"),
        ("", None),
        (" \u200b ", None),
        (["Ada"], None),
        (None, None),
    ],
)
def test_what_is_kept_of_a_name(home, liar, said, kept):
    liar.claims = {"name": said, "preferred_username": "ada-the-first"}
    assert go_through(home, liar).status_code == 303
    assert home.rows("SELECT display_name FROM user") == [(kept,)]


def test_hugging_face_has_names_of_its_own(make, liar):
    home = make(
        oauth_client_id="client-1", oauth_client_secret="secret-1", openid_provider_url=liar.url
    )
    liar.claims, liar.without = {"preferred_username": "ada-the-first"}, {"name"}
    browser = home.browser()
    address = away(browser, "/login/huggingface")
    assert set(query_of(address)["scope"].split()) == {"openid", "profile", "email"}
    assert come_back(browser, **liar.approve(address)).status_code == 303
    assert home.rows("SELECT display_name FROM user") == [("ada-the-first",)]


# A browser that is not where it should be.


def test_the_cookie_of_a_sign_in_holds_one_secret(home, liar):
    answer = home.browser().get("/login/one")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    header = answer.headers["set-cookie"]
    assert {"HttpOnly", "Max-Age=600", "Path=/", "SameSite=lax"} <= set(header.split("; "))
    asked = query_of(answer.headers["location"])
    assert not {asked["state"], asked["nonce"]} & {answer.cookies["signin"]}
    assert len(answer.cookies["signin"]) >= 43


def test_without_the_cookie_nobody_comes_in(home, liar):
    answer = come_back(home.browser(), **liar.approve(away(home.browser())))
    assert_nobody_came_in(home, answer, 400)


def test_with_somebody_elses_answer_nobody_comes_in(home, liar):
    """Who is sent a link with another person's code does not become that person."""
    browser, attacker = home.browser(), home.browser()
    away(browser)
    answer = come_back(browser, **liar.approve(away(attacker)))
    assert_nobody_came_in(home, answer, 400)
    assert "token" not in liar.asked


@pytest.mark.parametrize("state", ["", "x", "ä", "\x00", None])
def test_a_wrong_state_ends_the_sign_in(home, liar, state):
    browser = home.browser()
    params = liar.approve(away(browser))
    wrong = {"code": params["code"]} | ({} if state is None else {"state": state})
    answer = come_back(browser, **wrong)
    assert_nobody_came_in(home, answer, 400)
    assert "signin" not in browser.cookies
    assert_nobody_came_in(home, come_back(browser, **params), 400)


def test_an_answer_works_once(home, liar):
    browser = home.browser()
    params = liar.approve(away(browser))
    planted = browser.cookies["signin"]
    assert come_back(browser, **params).status_code == 303
    browser.cookies.set("signin", planted, domain="127.0.0.1")
    answer = come_back(browser, **params)
    assert answer.status_code == 400
    assert "another tab" in answer.json()["problem"]
    assert liar.asked.count("token") == 1


def test_a_second_tab_takes_over_and_the_first_is_told(home, liar):
    browser = home.browser()
    first = liar.approve(away(browser))
    second = liar.approve(away(browser))
    assert come_back(browser, **second).status_code == 303
    answer = come_back(browser, **first)
    assert answer.status_code == 400
    assert "another tab" in answer.json()["problem"]
    assert answer.json()["keys"]


@pytest.mark.parametrize(("minutes", "status"), [(9.9, 303), (10.1, 400)])
def test_a_sign_in_has_ten_minutes(home, liar, minutes, status):
    browser = home.browser()
    params = liar.approve(away(browser))
    home.machine.passes(minutes=minutes)
    assert come_back(browser, **params).status_code == status


def test_who_says_no_is_told_that_nothing_was_kept(home, liar):
    browser = home.browser()
    state = query_of(away(browser, "/login/one?next=history"))["state"]
    answer = come_back(browser, error="access_denied", error_description="<b>no", state=state)
    assert_nobody_came_in(home, answer, 403)
    assert "Provider One" in answer.json()["problem"]
    assert "<b>" not in answer.text
    assert answer.json()["next"] == "history"
    assert "token" not in liar.asked


def test_no_code_is_no_answer(home, liar):
    browser = home.browser()
    state = query_of(away(browser))["state"]
    assert_nobody_came_in(home, come_back(browser, state=state), 502)


def test_the_session_after_signing_in_is_another_one(home, liar):
    browser = home.browser()
    go_through(home, liar, browser=browser)
    before = browser.cookies["session"]
    go_through(home, liar, browser=browser)
    assert browser.cookies["session"] != before
    assert sessions.find(home.store, before) is None


@pytest.mark.parametrize("word", ELSEWHERE)
def test_nobody_is_sent_elsewhere(home, liar, word):
    browser = home.browser()
    address = browser.get("/login/one", params={"next": word}).headers["location"]
    assert address.startswith(f"{liar.url}/authorize?")
    assert query_of(address)["redirect_uri"] == "http://127.0.0.1:7860/auth/callback"
    assert come_back(browser, **liar.approve(address)).headers["location"] in PLACES


# An issuer that lies about somebody.


def other_key(liar: Liar, claims: dict) -> str:
    return jwt.encode({"alg": "RS256", "kid": "a"}, claims, liar.keys[1])


def unsigned(liar: Liar, claims: dict) -> str:
    return by_hand({"alg": "none", "kid": "a"}, claims, b"")


def with_the_public_key_as_secret(liar: Liar, claims: dict) -> str:
    header, pem = {"alg": "HS256", "kid": "a"}, liar.keys[0].as_pem(private=False)
    message = by_hand(header, claims, b"").rstrip(".").encode()
    return by_hand(header, claims, hmac.digest(pem, message, "sha256"))


def with_our_own_secret(liar: Liar, claims: dict) -> str:
    header = {"alg": "HS256"}
    message = by_hand(header, claims, b"").rstrip(".").encode()
    return by_hand(header, claims, hmac.digest(b"secret-1", message, "sha256"))


def with_a_key_of_its_own(liar: Liar, claims: dict) -> str:
    header = {"alg": "RS256", "kid": "a", "jwk": liar.keys[1].as_dict(private=False)}
    return jwt.encode(header, claims, liar.keys[1])


@pytest.mark.parametrize(
    "sign",
    [
        other_key,
        unsigned,
        with_the_public_key_as_secret,
        with_our_own_secret,
        with_a_key_of_its_own,
    ],
)
@pytest.mark.parametrize("supported", [["RS256"], ["none", "HS256", "RS256"]])
def test_a_token_that_the_issuer_did_not_sign(home, liar, sign, supported):
    liar.metadata = {"id_token_signing_alg_values_supported": supported}
    liar.sign = lambda claims: sign(liar, claims)
    assert_nobody_came_in(home, go_through(home, liar), 502)


LONG_AGO, FAR_AHEAD = 1_000_000_000, 9_000_000_000


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://another.example.org"},
        {"iss": "{url}/"},
        {"iss": ["{url}"]},
        {"iss": ""},
        {"aud": "client-2"},
        {"aud": ["client-2"]},
        {"aud": ["client-1", "client-2"]},
        {"aud": []},
        {"azp": "client-2"},
        {"exp": LONG_AGO},
        {"exp": "never"},
        {"exp": True},
        {"nbf": FAR_AHEAD},
        {"iat": FAR_AHEAD},
        {"nonce": "another"},
        {"nonce": ""},
        {"nonce": ["another"]},
        {"sub": ""},
        {"sub": ["ada"]},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "ädä"},
        {"at_hash": "wrong"},
    ],
)
def test_a_token_that_is_not_about_this_sign_in(home, liar, claims):
    filled = {
        name: value.format(url=liar.url) if isinstance(value, str) else value
        for name, value in claims.items()
    }
    liar.claims = filled
    assert_nobody_came_in(home, go_through(home, liar), 502)


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "iat", "nonce", "sub", "id_token"])
def test_a_token_that_lacks_something(home, liar, name):
    liar.without = {name}
    assert_nobody_came_in(home, go_through(home, liar), 502)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "....", None, 7, {}, "\ud800", "a" * 200_000])
def test_a_token_that_is_none(home, liar, token):
    liar.answer = {"id_token": token}
    assert_nobody_came_in(home, go_through(home, liar), 502)


def test_an_answer_of_another_issuer(home, liar):
    browser = home.browser()
    params = liar.approve(away(browser)) | {"iss": "https://another.example.org"}
    assert_nobody_came_in(home, come_back(browser, **params), 502)
    assert "token" not in liar.asked


def test_an_answer_that_names_its_issuer(home, liar):
    browser = home.browser()
    assert come_back(browser, **liar.approve(away(browser)), iss=liar.url).status_code == 303


def test_a_code_that_was_used_before(home, liar):
    browser = home.browser()
    params = liar.approve(away(browser))
    liar.codes.clear()
    assert_nobody_came_in(home, come_back(browser, **params), 502)


# Keys that change.


def test_a_new_key_is_asked_for_once_and_at_the_same_place(home, liar):
    go_through(home, liar)
    liar.metadata = {"jwks_uri": "http://127.0.0.1:9/jwks"}
    liar.key, liar.published = liar.keys[1], [liar.keys[1]]
    assert go_through(home, liar).status_code == 303
    assert liar.asked.count("jwks") == 2
    assert liar.asked.count("openid-configuration") == 1


def test_a_key_that_is_nowhere_is_asked_for_once(home, liar):
    liar.key = liar.keys[1]
    assert_nobody_came_in(home, go_through(home, liar), 502)
    assert liar.asked.count("jwks") == 2


@pytest.mark.parametrize("keys", [{"keys": []}, {"keys": "x"}, {"keys": [{"kty": "RSA"}]}, []])
def test_keys_that_are_none_are_not_kept(home, liar, keys):
    liar.instead["jwks"] = lambda right: JSONResponse(keys)
    assert_nobody_came_in(home, go_through(home, liar), 502)
    liar.instead.clear()
    assert go_through(home, liar).status_code == 303


# An issuer that is not the one that was configured, or not well.


def refused_at_the_button(home: House) -> None:
    answer = home.browser().get("/login/one?next=history")
    assert_nobody_came_in(home, answer, 502)
    assert "cannot be reached" in answer.json()["problem"]
    assert answer.json()["next"] == "history"
    assert home.rows("SELECT 1 FROM sign_in") == []


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://another.example.org"},
        {"issuer": "{url}/"},
        {"issuer": None},
        {"issuer": ["{url}"]},
        {"token_endpoint": None},
        {"token_endpoint": "http://id.example.org/token"},
        {"token_endpoint": "//127.0.0.1/token"},
        {"token_endpoint": "ftp://127.0.0.1/token"},
        {"token_endpoint": "http://127.0.0.1.example.org/token"},
        {"token_endpoint": "https://user:word@id.example.org/token"},
        {"token_endpoint": "https://[/token"},
        {"token_endpoint": "https://id.example.org:99999/token"},
        {"token_endpoint": ["https://id.example.org/token"]},
        {"jwks_uri": "http://169.254.169.254/latest"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://id.example.org/\r\nSet-Cookie: a=b"},
        {"authorization_endpoint": "https://id.example.org/#part"},
        {"id_token_signing_alg_values_supported": ["none"]},
        {"id_token_signing_alg_values_supported": ["HS256"]},
    ],
)
def test_metadata_that_is_not_believed(home, liar, metadata):
    liar.metadata = {
        name: value.format(url=liar.url) if isinstance(value, str) else value
        for name, value in metadata.items()
    }
    refused_at_the_button(home)
    assert liar.asked == ["openid-configuration"]


def test_endpoints_may_be_on_other_hosts(home, liar):
    """Google's are on three."""
    liar.metadata = {"authorization_endpoint": "https://accounts.example.org/o/oauth2/v2/auth"}
    assert away(home.browser()).startswith("https://accounts.example.org/o/oauth2/v2/auth?")


def test_metadata_does_not_configure_our_client(home, liar):
    """Authlib would take these for options of its client of HTTP."""
    liar.metadata = {
        "verify": False,
        "proxy": "http://127.0.0.1:9",
        "base_url": "http://127.0.0.1:9",
        "timeout": 0.000001,
        "scope": "everything",
        "response_type": "token",
        "prompt": "none",
        "code_challenge_method": "plain",
        "grant_type": "password",
        "_loaded_at": 1,
        "jwks": {"keys": [liar.keys[1].as_dict(private=False)]},
    }
    browser = home.browser()
    address = away(browser)
    asked = query_of(address)
    assert (asked["scope"], asked["response_type"]) == (issuers.SCOPE, "code")
    assert asked["code_challenge_method"] == "S256"
    assert "prompt" not in asked
    assert come_back(browser, **liar.approve(address)).status_code == 303


HUGE = "x" * issuers.LARGEST_ANSWER
BROKEN = {
    "down": lambda right: PlainTextResponse("down", 500),
    "text": lambda right: PlainTextResponse("not JSON"),
    "list": lambda right: JSONResponse([right]),
    "deep": lambda right: PlainTextResponse("[" * 200_000),
    "bytes": lambda right: Response(b"\xff\xfe", media_type="application/json"),
    "huge": lambda right: JSONResponse(right | {"x": HUGE}),
    "packed": lambda right: Response(
        gzip.compress(json.dumps(right).encode()), headers={"content-encoding": "gzip"}
    ),
    "refused": lambda right: JSONResponse({"error": "invalid_client"}, 401),
}


def moved(name: str):
    return lambda right: Response(status_code=307, headers={"location": f"/moved/{name}"})


@pytest.mark.parametrize("broken", BROKEN)
def test_metadata_that_is_none(home, liar, broken):
    liar.instead["openid-configuration"] = BROKEN[broken]
    refused_at_the_button(home)


def test_an_issuer_does_not_send_us_elsewhere(home, liar):
    liar.instead["openid-configuration"] = moved("openid-configuration")
    refused_at_the_button(home)


@pytest.mark.parametrize("name", ["token", "jwks"])
def test_an_issuer_does_not_send_us_elsewhere_half_way(home, liar, name):
    liar.instead[name] = moved(name)
    assert_nobody_came_in(home, go_through(home, liar), 502)


def test_metadata_that_takes_too_long(home, liar, impatient):
    liar.delay["openid-configuration"] = 0.8
    refused_at_the_button(home)


def test_an_issuer_that_is_not_there(make):
    refused_at_the_button(make(oidc_providers=(provider("http://127.0.0.1:9"),)))


@pytest.mark.parametrize("issuer", ["https://", "http://127.0.0.1:1"])
def test_an_issuer_that_cannot_be_asked(make, issuer):
    refused_at_the_button(make(oidc_providers=(provider(issuer),)))


def test_an_issuer_that_was_down_is_left_alone_for_a_moment(home, liar, monkeypatch):
    liar.instead["openid-configuration"] = lambda right: PlainTextResponse("down", 500)
    refused_at_the_button(home)
    liar.instead.clear()
    refused_at_the_button(home)
    assert liar.asked == ["openid-configuration"]
    monkeypatch.setattr(oidc, "ASKS_AGAIN_AFTER", 0.0)
    assert go_through(home, liar).status_code == 303


@pytest.mark.parametrize("name", ["token", "jwks"])
@pytest.mark.parametrize("broken", BROKEN)
def test_an_issuer_that_is_not_well_half_way(home, liar, name, broken):
    liar.instead[name] = BROKEN[broken]
    assert_nobody_came_in(home, go_through(home, liar), 502)
    liar.instead.clear()
    assert go_through(home, liar).status_code == 303


@pytest.mark.parametrize("name", ["token", "jwks"])
def test_an_issuer_that_is_slow_half_way(home, liar, name, impatient):
    liar.delay[name] = 0.8
    assert_nobody_came_in(home, go_through(home, liar), 502)


# What is said of it all.


def test_the_log_says_what_happened_and_not_to_whom(home, liar, caplog):
    caplog.set_level(logging.INFO)
    browser = home.browser()
    params = liar.approve(away(browser))
    secret = browser.cookies["signin"]
    assert come_back(browser, **params).status_code == 303
    liar.claims = {"nonce": "another"}
    go_through(home, liar)
    come_back(browser, code="code-canary", state="state-canary")
    # But for what the test's own browser and the issuer say of themselves.
    said = [one for one in caplog.records if home.settings.origin not in one.getMessage()]
    said = [one for one in said if not one.name.startswith("uvicorn")]
    ours = {record.getMessage() for record in said if record.name.startswith("app.")}
    assert ours == {"sign_in_untrusted", "sign_in_stale"}
    told = "".join(repr(vars(record)) for record in said)
    for canary in (
        *(params["code"], params["state"], secret, browser.cookies["session"]),
        *("access-canary", "code-canary", "state-canary", "secret-1", "ada@example.org"),
    ):
        assert canary not in told


def test_a_provider_is_not_shown_with_its_secret():
    shown = repr(
        Provider(key="one", name="One", issuer="https://x", client_id="y", client_secret="z9z9")
    )
    assert "z9z9" not in shown
    assert hashlib.sha256(b"z9z9").hexdigest() not in shown
