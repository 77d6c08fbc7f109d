"""The tab Account, asked as its JavaScript asks it."""

import itertools
import json
import re
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from app.settings import Provider, Settings
from db import acknowledgements, sessions, tokens, users
from db.errors import NotFound
from db.people import Scope
from pages.account import AccountTab
from pages.examples import examples
from pages.visitor import Visitor
from tasks.service import Service
from tests.db.machine import Machine
from tests.tasks.conftest import Submit, ada, bob, machine, service, settings, submit, upload

__all__ = ["ada", "bob", "machine", "service", "settings", "submit", "upload"]


def visitor(user_id: UUID, session: bytes | None = None) -> Visitor:
    return Visitor(user_id, "Ada", False, True, "cookie", session)


def signed_in(service: Service, user_id: UUID, browser: str = "firefox") -> Visitor:
    device = sessions.Device("198.51.100.0/24", browser, "linux")
    found = sessions.find(service.store, sessions.begin(service.store, user_id, device))
    assert found is not None
    return visitor(user_id, found.id_hash)


@pytest.fixture
def tab(service: Service, settings: Settings) -> AccountTab:
    return AccountTab(service, settings)


def test_a_token_is_shown_once_and_opens_nothing_after_it_is_revoked(
    tab: AccountTab, service: Service, ada: UUID
) -> None:
    made = tab.make(visitor(ada), {"name": " CI / back\u202eup\n"})

    assert tokens.find(service.store, made["secret"]) is not None
    assert [token["name"] for token in made["tokens"]] == ["CI / backup"]
    shown = tab.show(visitor(ada))
    assert made["secret"] not in str(shown)

    (token,) = shown["tokens"]
    after = tab.revoke(visitor(ada), {"token": token["id"]})

    assert after["tokens"] == []
    assert tokens.find(service.store, made["secret"]) is None


def test_a_token_has_the_scope_and_the_time_that_were_chosen(
    tab: AccountTab, service: Service, machine: Machine, ada: UUID
) -> None:
    made = {}
    for scope, days in itertools.product(Scope, (None, 365, 90, 30)):
        what = {"name": "", "scope": scope.value, "days": days}
        made[scope, days] = tab.make(visitor(ada), what)["secret"]
    shown = tab.show(visitor(ada))["tokens"]
    assert {token["name"] for token in shown} == {"A program"}
    assert sorted(token["scope"] for token in shown) == ["read"] * 4 + ["write"] * 4
    assert sum(token["expires_at"] is None for token in shown) == 2

    for passed, left in ((29, {None, 365, 90, 30}), (60, {None, 365, 90}), (9_999, {None})):
        machine.passes(days=passed)
        found = {which: tokens.find(service.store, secret) for which, secret in made.items()}
        assert {days for (_, days), holder in found.items() if holder} == left
        assert all(holder.scope is scope for (scope, _), holder in found.items() if holder)


def test_a_token_that_is_over_is_said_to_be(
    tab: AccountTab, machine: Machine, ada: UUID, service: Service
) -> None:
    tab.make(visitor(ada), {"name": "old", "days": 30})
    machine.passes(days=31)

    (token,) = tab.show(visitor(ada))["tokens"]
    assert token["over"]

    assert tab.revoke(visitor(ada), {"token": token["id"]})["tokens"] == []


def test_what_is_not_offered_makes_no_token(tab: AccountTab, service: Service, ada: UUID) -> None:
    for what in (
        {"scope": "admin"},
        {"days": 7},
        {"days": "90 days"},
        {"name": 5},
        {"name": "n" * 1001},
    ):
        with pytest.raises(ValidationError):
            tab.make(visitor(ada), what)

    assert tokens.listed(service.store, ada) == ()


def test_a_name_is_cleaned_and_cut(tab: AccountTab, service: Service, ada: UUID) -> None:
    for written, kept in (
        ("  Ada\tLovelace\n", "AdaLovelace"),
        ("A" * 90, "A" * 80),
        ("e\u0301ve \u202egnp.exe", "éve gnp.exe"),
        ("`${alert(1)}` {{name}} <b>", "`${alert(1)}` {{name}} <b>"),
        ("\u200b \n", None),
        ("", None),
    ):
        shown = tab.rename(visitor(ada), {"name": written})["person"]

        assert (shown["name"], shown["called"]) == (kept, kept or "You")
        assert users.person(service.store, ada).display_name == kept


def test_who_vouches_is_called_as_on_the_sign_in_page(service: Service, settings: Settings) -> None:
    known = Provider(
        key="work",
        name="The Works",
        issuer="https://id.example.org",
        client_id="1",
        client_secret="2",  # type: ignore[arg-type]
    )
    tab = AccountTab(service, settings.model_copy(update={"oidc_providers": (known,)}))

    def way(issuer: str) -> str:
        facts = {"email": "ada@example.org", "email_verified": True}
        user = users.ensure_user(service.store, issuer, "1", **facts)
        person = tab.show(visitor(user))["person"]
        assert (person["email"], person["email_verified"]) == ("ada@example.org", True)
        return person["ways"][0]["name"]

    assert way("https://id.example.org") == "The Works"
    assert way("https://gone.example.org/realm") == "gone.example.org"
    assert way(users.LOCAL) == "This server itself"


def test_the_account_says_which_session_is_this_one(
    tab: AccountTab, service: Service, ada: UUID
) -> None:
    here = signed_in(service, ada)
    signed_in(service, ada, "edge")

    shown = tab.show(here)["sessions"]

    assert sorted((each["browser"], each["here"]) for each in shown) == [
        ("edge", False),
        ("firefox", True),
    ]
    assert {each["network"] for each in shown} == {"198.51.100.0/24"}


def test_one_session_is_ended_and_the_others_stay(
    tab: AccountTab, service: Service, ada: UUID, bob: UUID
) -> None:
    here, there = signed_in(service, ada), signed_in(service, ada, "edge")
    bobs = signed_in(service, bob)
    handle = {each["browser"]: each["handle"] for each in tab.show(here)["sessions"]}

    with pytest.raises(NotFound):
        tab.end(bobs, {"session": handle["edge"]})
    left = tab.end(here, {"session": handle["edge"]})["sessions"]

    assert [each["browser"] for each in left] == ["firefox"]
    assert len(tab.show(bobs)["sessions"]) == 1
    assert there.session is not None
    assert there.session.hex() not in json.dumps(tab.show(here))


def test_tokens_of_somebody_else_are_not_there(tab: AccountTab, ada: UUID, bob: UUID) -> None:
    (token,) = tab.make(visitor(ada), {"name": "hers"})["tokens"]

    for wrong in (token["id"], str(uuid4())):
        with pytest.raises(NotFound):
            tab.revoke(visitor(bob), {"token": wrong})

    assert tab.show(visitor(bob))["tokens"] == []
    assert len(tab.show(visitor(ada))["tokens"]) == 1


def test_what_is_held_and_how_much_is_in_use_is_said(
    tab: AccountTab, service: Service, ada: UUID, submit: Submit, settings: Settings
) -> None:
    acknowledgements.record(service.store, ada, "2026-01-01-abc")
    submit(ada, 2)
    waiting = service.folders.inbox / str(ada) / ("0" * 32)
    waiting.mkdir(parents=True)
    (waiting / "later.png").write_bytes(b"later")

    shown = tab.show(visitor(ada))

    held, quota = shown["held"], shown["quota"]
    assert held["stored"]["original"]["files"] == 2
    assert held["waiting"] == {"files": 1, "bytes": 5}
    assert (held["batches"], held["pictures"]) == (1, 2)
    assert held["agreed"]["version"] == "2026-01-01-abc"
    assert held["keeps"] == {
        "readable_hours": 48,
        "gone_hours": 72,
        "record_days": 365,
        "session_days": 30,
        "evidence_years": 3,
    }
    assert (quota["unfinished"], quota["most_unfinished"]) == (2, settings.max_open_jobs)
    assert quota["stored_bytes"] == held["stored"]["original"]["bytes"] > 0
    json.dumps(shown)


def test_the_examples_are_those_of_the_document_with_this_address_and_no_token() -> None:
    found = examples(Settings(public_url="https://up.example.org"))

    assert set(found) == {"python", "curl"}
    assert 'Client("https://up.example.org", token=os.environ["TOKEN"])' in found["python"]
    assert "https://up.example.org/gradio_api/upload" in found["curl"]
    for code in found.values():
        assert "{{" not in code
        assert re.search(r"iu_[0-9A-Za-z]", code) is None
