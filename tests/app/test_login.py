"""The owner signs in on this machine only, a new session is always a new one, and nobody is sent
elsewhere afterwards."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from app.attempts import ALL, EACH, WITHIN, Failures
from db import acknowledgements, sessions, users
from db.migrate import migrate
from pages.tabs import tab_named
from tests.app.house import HERE, PLACES, VERSION, House, house, provider
from tests.db.places import Places

PASSPHRASE = "correct horse battery staple"
FAR = ("198.51.100.7", 50000)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory) -> Places:
    places = Places(tmp_path_factory.mktemp("migrated"))
    migrate(places.url, places.keys_url)
    return places


@pytest.fixture
def make(migrated, tmp_path) -> Iterator:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(house(migrated, tmp_path, **settings))


@pytest.fixture
def home(make) -> House:
    return make()


@pytest.fixture
def fort(make) -> House:
    return make(host="0.0.0.0", public_url="https://up.example.org", local_passphrase=PASSPHRASE)


def signed_in(home: House, **more):
    browser = home.browser(**more)
    assert browser.post("/login/local").status_code == 303
    return browser


# The owner, by one press.


def test_the_page_has_one_button_on_this_machine(home):
    answer = home.browser().get("/login")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {"keys": [], "local": "press", "problem": None, "next": None}


def test_one_press_signs_the_owner_in(home):
    answer = home.browser().post("/login/local")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    found = sessions.find(home.store, answer.cookies["session"])
    assert (found.person.display_name, found.person.is_admin) == ("Owner", True)
    assert home.rows("SELECT issuer, subject FROM identity") == [("local", "owner")]
    assert home.rows("SELECT ip_trunc, browser_family, os_family FROM session") == [
        ("127.0.0.0/24", "firefox", "linux")
    ]


def test_the_owner_is_one_and_the_same(home):
    signed_in(home)
    signed_in(home)
    assert len(home.rows("SELECT 1 FROM user")) == 1


@pytest.mark.parametrize("origin", ["http://localhost:7860", "http://[::1]:7860"])
def test_this_machine_has_several_names(home, origin):
    assert home.browser(origin).post("/login/local").status_code == 303


@pytest.mark.parametrize(
    ("origin", "client", "headers"),
    [
        ("http://rebound.example.org:7860", HERE, {}),
        ("http://127.0.0.1.example.org", HERE, {}),
        ("http://localhost.example.org", HERE, {}),
        ("http://192.168.0.5:7860", HERE, {}),
        (None, HERE, {"host": ""}),
        (None, HERE, {"host": "[::1"}),
        (None, FAR, {}),
        (None, ("testclient", 1), {}),
        (None, HERE, {"x-forwarded-for": "198.51.100.7"}),
        (None, HERE, {"x-real-ip": "198.51.100.7"}),
        (None, HERE, {"forwarded": "for=198.51.100.7"}),
        (None, HERE, {"via": "1.1 proxy"}),
    ],
)
def test_nobody_else_presses(home, origin, client, headers):
    browser = home.browser(origin, client)
    answer = browser.post("/login/local", headers=headers)
    assert answer.status_code == 403
    assert "only the machine" in answer.json()["problem"]
    assert answer.json()["local"] is None
    assert not answer.cookies
    assert home.rows("SELECT 1 FROM user UNION SELECT 1 FROM session") == []
    assert browser.get("/login", headers=headers).json()["local"] is None


def test_with_a_provider_the_owner_has_no_button(make):
    home = make(oidc_providers=(provider("https://id.example.org"),))
    assert home.browser().get("/login").json() == {
        "keys": [["one", "Provider One", None]],
        "local": None,
        "problem": None,
        "next": None,
    }
    assert home.browser().post("/login/local").status_code == 404


def test_an_unknown_provider_is_not_there(home):
    for name in ("nobody", "local", "%00", "one%0d%0aX: y"):
        assert home.browser().get(f"/login/{name}").status_code == 404


@pytest.mark.parametrize("path", ["/logout", "/logout/everywhere"])
def test_looking_at_an_address_does_nothing(home, path):
    browser = signed_in(home)
    assert browser.get(path).status_code == 405
    assert sessions.find(home.store, browser.cookies["session"])


def test_who_is_signed_in_needs_no_page(home):
    answer = signed_in(home).get("/login?next=history")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?tab=history")


def test_a_suspended_owner_stays_out(home):
    signed_in(home)
    with home.store.writing() as rows:
        rows.exec_driver_sql("UPDATE user SET state = 'suspended'")
    answer = home.browser().post("/login/local")
    assert answer.status_code == 403
    assert "suspended" in answer.json()["problem"]
    assert not answer.cookies


# The owner, by a passphrase.


def enter(browser, passphrase: str, **more: str):
    return browser.post("/login/local", data={"passphrase": passphrase, **more})


def test_the_passphrase_lets_in_from_anywhere(fort):
    browser = fort.browser(client=FAR)
    assert browser.get("/login").json()["local"] == "passphrase"
    answer = enter(browser, PASSPHRASE, next="account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?tab=account")
    header = answer.headers["set-cookie"]
    assert header.startswith("__Host-session=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(header.split("; "))


@pytest.mark.parametrize("wrong", ["", "x", PASSPHRASE + " ", PASSPHRASE.upper(), "ä" * 50, "\0"])
def test_another_passphrase_does_not(fort, wrong):
    answer = enter(fort.browser(client=FAR), wrong)
    assert answer.status_code == 403
    assert answer.json()["problem"] == "That is not the passphrase."
    assert not answer.cookies
    assert fort.rows("SELECT 1 FROM user") == []


def test_a_passphrase_with_any_letters(make):
    fort = make(local_passphrase="käse + brot & 100%")
    assert enter(fort.browser(), "käse + brot & 100%").status_code == 303


def test_the_passphrase_is_asked_for_on_this_machine_too(make):
    fort = make(local_passphrase=PASSPHRASE)
    assert fort.browser().get("/login").json()["local"] == "passphrase"
    assert fort.browser().post("/login/local").status_code == 403


def test_after_five_wrong_ones_a_network_waits(fort):
    near = fort.browser(client=("198.51.100.200", 1))
    for _ in range(EACH):
        assert enter(fort.browser(client=FAR), "wrong").status_code == 403
    answer = enter(near, PASSPHRASE)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= WITHIN
    assert "15 minutes" in answer.json()["problem"]
    assert enter(fort.browser(client=("203.0.113.1", 1)), PASSPHRASE).status_code == 303


def test_failures_are_forgotten_after_a_while():
    now = 0.0
    failures = Failures(lambda: now)
    for _ in range(EACH):
        assert failures.wait("a") == 0
        failures.note("a")
        now += 60
    assert failures.wait("a") == WITHIN - EACH * 60
    assert failures.wait(None) == failures.wait("b") == 0
    now = WITHIN - 0.5
    assert failures.wait("a") == 1
    now = WITHIN
    assert failures.wait("a") == 0


def test_who_changes_networks_waits_as_well():
    now = 0.0
    failures = Failures(lambda: now)
    tries = 0
    while not failures.wait(f"network {tries}"):
        failures.note(f"network {tries}")
        tries += 1
    assert tries == ALL
    assert failures.wait("somebody new") == WITHIN
    now = WITHIN
    assert failures.wait("somebody new") == 0


# Sessions.


def test_the_session_after_signing_in_is_another_one(home):
    browser = signed_in(home)
    before = browser.cookies["session"]
    browser.post("/login/local")
    after = browser.cookies["session"]
    assert after != before
    assert sessions.find(home.store, before) is None
    assert sessions.find(home.store, after)


def test_a_planted_session_is_not_taken_over(home):
    browser = home.browser()
    browser.cookies.set("session", "planted-by-somebody-else", domain="127.0.0.1")
    answer = browser.post("/login/local")
    assert answer.cookies["session"] != "planted-by-somebody-else"
    assert sessions.find(home.store, "planted-by-somebody-else") is None


def test_the_rows_alone_open_nothing(home):
    secret = signed_in(home).cookies["session"]
    assert secret.encode() not in home.places.everything()
    assert len(secret) >= 43


def test_signing_out_ends_the_session_and_clears_the_cache(home):
    browser, other = signed_in(home), signed_in(home)
    secret = browser.cookies["session"]
    answer = browser.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["clear-site-data"] == '"cache"'
    assert answer.headers["cache-control"] == "no-store"
    assert {header.split("=")[0] for header in answer.headers.get_list("set-cookie")} == {
        "session",
        "signin",
    }
    assert "session" not in browser.cookies
    assert sessions.find(home.store, secret) is None
    assert sessions.find(home.store, other.cookies["session"])


def test_signing_out_twice_is_no_error(home):
    assert home.browser().post("/logout").status_code == 303


def test_signing_out_everywhere_is_of_one_user(home):
    browsers = [signed_in(home) for _ in range(3)]
    bob = users.ensure_user(home.store, "https://id.example.org", "bob")
    bobs = sessions.begin(home.store, bob, sessions.Device())
    answer = browsers[0].post("/logout/everywhere")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["clear-site-data"] == '"cache"'
    secrets = [browser.cookies.get("session") for browser in browsers]
    assert secrets[0] is None
    assert [sessions.find(home.store, secret) for secret in secrets[1:]] == [None, None]
    assert sessions.find(home.store, bobs)


def test_nobody_signs_out_everywhere(home):
    assert home.browser().post("/logout/everywhere").status_code == 401


def test_a_program_neither_agrees_nor_signs_people_out(home):
    browser = signed_in(home)
    home.gate.via = "token"
    assert browser.post("/welcome", data={"terms": "on", "age": "on"}).status_code == 401
    assert browser.post("/logout/everywhere").status_code == 401
    assert sessions.find(home.store, browser.cookies["session"])


# Terms, policy and age.


def test_the_first_page_asks(home):
    answer = signed_in(home).get("/welcome")
    assert answer.json() == {"name": "Owner", "problem": None}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("tick", ["on", "yes"])
def test_with_both_ticks_it_is_written_down_once(home, tick):
    browser = signed_in(home)
    for _ in range(2):
        answer = browser.post("/welcome", data={"terms": tick, "age": tick})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert home.rows("SELECT policy_version, age_declared, source FROM acknowledgement") == [
        (VERSION, 1, "person")
    ]
    assert browser.get("/welcome").headers["location"] == "/"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"terms": "on"},
        {"age": "on"},
        {"terms": "on", "age": "off"},
        {"terms": "on", "age": ""},
        {"terms": "12", "age": "12"},
    ],
)
def test_without_a_tick_nothing_is_written_down(home, fields):
    answer = signed_in(home).post("/welcome", data=fields)
    assert answer.status_code == 422
    assert "tick both" in answer.json()["problem"]
    assert home.rows("SELECT 1 FROM acknowledgement") == []


def test_ticks_count_in_a_form_only(home):
    browser = signed_in(home)
    assert browser.post("/welcome", json={"terms": "on", "age": "on"}).status_code == 422
    assert browser.post("/welcome?terms=on&age=on").status_code == 422
    assert home.rows("SELECT 1 FROM acknowledgement") == []


def test_who_agreed_to_an_older_policy_is_asked_again(home):
    browser = signed_in(home)
    owner = users.ensure_user(home.store, "local", "owner")
    acknowledgements.record(home.store, owner, "2025-01-01-000000000000")
    assert browser.get("/welcome").status_code == 200
    browser.post("/welcome", data={"terms": "on", "age": "on"})
    assert browser.get("/welcome").status_code == 303


def test_who_is_not_signed_in_is_not_asked(home):
    answer = home.browser().get("/welcome")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert home.browser().post("/welcome", data={"terms": "on", "age": "on"}).status_code == 401


@pytest.mark.parametrize("path", ["/welcome", "/login/local"])
def test_a_form_is_small(home, path):
    browser = signed_in(home)
    assert browser.post(path, data={"terms": "x" * 9000}).status_code == 413
    assert browser.post(path, data={f"f{number}": "x" for number in range(20)}).status_code == 422
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert browser.post(path, content=b"\xff\xfe", headers=form).status_code == 422


# Where somebody is sent afterwards.

ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "\n//evil.example",
    "/%09/evil.example",
    "%2f%2fevil.example",
    "%252f%252fevil.example",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example",
    "http://evil.example/upscale",
    "//evil.example/%2e%2e",
    "//evil.example#history",
    "//upscale@evil.example",
    "https://127.0.0.1:7860@evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,hi",
    "vbscript:x",
    "/../../evil",
    ".evil.example",
    "@evil.example",
    "upscale\r\nLocation: https://evil.example",
    "upscale\r\nSet-Cookie: session=planted",
    "history/../../evil",
    "UPSCALE",
    "upscale ",
    "upscale&tab=//evil.example",
    "\u3002evil.example",
    "/auth/callback",
    "",
]


@pytest.mark.parametrize("word", ELSEWHERE)
def test_nobody_is_sent_elsewhere(home, word):
    assert tab_named(word) is None
    browser = home.browser()
    assert browser.get("/login", params={"next": word}).json()["next"] is None
    answer = browser.post("/login/local", data={"next": word})
    assert answer.headers["location"] == "/"
    assert browser.get("/login", params={"next": word}).headers["location"] == "/"


def test_a_place_is_passed_on(home):
    browser = home.browser()
    seen = set()
    for name in ("upscale", "history", "account", "policies", "admin"):
        assert home.browser().get(f"/login?next={name}").json()["next"] == name
        seen.add(browser.post("/login/local", data={"next": name}).headers["location"])
    assert seen == PLACES - {"/"}


def test_a_page_that_was_told_two_places_is_sent_to_one(home):
    answer = home.browser().post(
        "/login/local",
        content=b"next=history&next=//evil.example",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.headers["location"] in PLACES
