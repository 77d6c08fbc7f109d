"""Who is found by which credentials."""

import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import anyio
import pytest
from starlette.requests import Request

from app.cookies import session_cookie, signin_cookie
from app.identify import Identify, gradio_username
from app.problems import Problem
from app.settings import Settings
from db import acknowledgements, sessions, tokens
from db.migrate import migrate
from db.people import User, UserState
from db.store import Store
from db.users import ensure_user, note_address
from pages.visitor import Visitor
from tests.db.places import Places

POLICY = "2026-01-01-0123456789ab"
HEADERS = ("Authorization", "X-HF-Authorization", "X-API-Key")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    places = Places(tmp_path)
    migrate(places.url, places.keys_url)
    with places.open() as store:
        yield store


@pytest.fixture
def identify(store: Store) -> Identify:
    return Identify(store, session_cookie(Settings()), POLICY)


def user(store: Store, name: str | None = "Ada") -> UUID:
    return ensure_user(store, "local", secrets.token_hex(8), display_name=name)


def token(store: Store, user_id: UUID) -> str:
    return tokens.create(store, user_id, "a token")[1]


def session(store: Store, user_id: UUID) -> str:
    return sessions.begin(store, user_id, sessions.Device())


def asked(identify: Identify, *headers: tuple[str, str]) -> Visitor | None:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return anyio.run(identify, Request({"type": "http", "headers": raw}))


def sent(name: str, secret: str) -> tuple[str, str]:
    return name, secret if name == "X-API-Key" else f"Bearer {secret}"


@pytest.mark.parametrize(
    ("issuer", "address", "verified", "listed", "is_admin"),
    [
        ("https://id.example.org", "ada@example.org", True, "Ada@Example.org", True),
        ("https://id.example.org", "ada@example.org", False, "ada@example.org", False),
        ("https://id.example.org", "ada@example.org", True, "bob@example.org", False),
        ("https://id.example.org", "ada@example.org", True, "", False),
        ("https://id.example.org", None, True, "ada@example.org", False),
        # The command line's users: nobody vouches for their addresses.
        ("local", "ada@example.org", False, "ada@example.org", False),
    ],
)
def test_an_admin_has_a_verified_address_that_is_listed_now(
    store: Store, issuer: str, address: str | None, verified: bool, listed: str, is_admin: bool
) -> None:
    settings = Settings(admin_emails=listed)
    identify = Identify(store, session_cookie(settings), POLICY, settings.names_admin)
    ada = ensure_user(store, issuer, "ada", email=address, email_verified=verified)
    cookie = ("Cookie", f"session={session(store, ada)}")

    visitor = asked(identify, cookie)
    assert visitor is not None
    assert (visitor.is_admin, visitor.is_in_office) == (is_admin, is_admin)
    by_token = asked(identify, sent("X-API-Key", token(store, ada)))
    assert by_token is not None
    assert (by_token.is_admin, by_token.is_in_office) == (is_admin, False)

    # The same session after a restart without them on the list, or after their provider has
    # stopped to vouch for them.
    removed = Identify(store, session_cookie(settings), POLICY, Settings().names_admin)
    assert (found := asked(removed, cookie)) is not None
    assert not found.is_admin
    note_address(store, ada, address, verified=False)
    assert (found := asked(identify, cookie)) is not None
    assert not found.is_admin


def test_the_owner_of_this_machine_is_an_admin_without_a_list(
    store: Store, identify: Identify
) -> None:
    owner = ensure_user(store, "local", "owner", is_admin=True)

    visitor = asked(identify, ("Cookie", f"session={session(store, owner)}"))

    assert visitor is not None
    assert visitor.is_in_office


@pytest.mark.parametrize("name", HEADERS)
def test_a_token_is_taken_from_each_of_three_headers(
    store: Store, identify: Identify, name: str
) -> None:
    ada = user(store)

    visitor = asked(identify, sent(name, token(store, ada)))

    assert visitor == Visitor(ada, "Ada", is_admin=False, acknowledged=False, via="token")


def test_a_cookie_names_a_session(store: Store, identify: Identify) -> None:
    ada = user(store)

    visitor = asked(identify, ("Cookie", f"theme=dark; session={session(store, ada)}"))

    assert visitor is not None
    assert (visitor.user_id, visitor.via) == (ada, "cookie")
    assert visitor.session == sessions.current(store, ada)[0].id_hash


def test_nobody_is_found_without_credentials(identify: Identify) -> None:
    assert asked(identify) is None


def test_a_session_that_is_over_is_nobodys(store: Store, identify: Identify) -> None:
    secret = session(store, user(store))
    sessions.end(store, secret)

    assert asked(identify, ("Cookie", f"session={secret}")) is None
    assert asked(identify, ("Cookie", "session=anything")) is None


def test_two_cookies_of_one_name_are_believed_neither(store: Store, identify: Identify) -> None:
    planted, own = session(store, user(store)), session(store, user(store))

    assert asked(identify, ("Cookie", f"session={planted}; session={own}")) is None
    assert asked(identify, ("Cookie", f"session={planted}"), ("Cookie", f"session={own}")) is None


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("wrong", ["iu_wrong", "iu_" + "0" * 36, "", "hf_something", "\u00e9"])
def test_a_wrong_token_is_refused_even_beside_a_session(
    store: Store, identify: Identify, name: str, wrong: str
) -> None:
    cookie = ("Cookie", f"session={session(store, user(store))}")

    with pytest.raises(Problem) as refused:
        asked(identify, sent(name, wrong), cookie)

    assert (refused.value.status, refused.value.code) == (401, "UNAUTHORIZED")
    assert wrong == "" or wrong not in refused.value.message


def test_a_revoked_token_is_refused(store: Store, identify: Identify) -> None:
    ada = user(store)
    view, secret = tokens.create(store, ada, "a token")
    tokens.revoke(store, view.id, ada)

    with pytest.raises(Problem):
        asked(identify, sent("X-API-Key", secret))


def test_two_different_tokens_are_refused_and_one_sent_twice_is_not(
    store: Store, identify: Identify
) -> None:
    ada = user(store)
    one, other = token(store, ada), token(store, ada)

    with pytest.raises(Problem):
        asked(identify, sent("Authorization", one), sent("X-API-Key", other))
    with pytest.raises(Problem):
        asked(identify, sent("Authorization", one), sent("Authorization", other))
    assert asked(identify, sent("Authorization", one), sent("X-API-Key", one))


def test_the_token_of_one_and_the_session_of_another_are_refused(
    store: Store, identify: Identify
) -> None:
    ada, ben = user(store), user(store)
    cookie = ("Cookie", f"session={session(store, ben)}")

    with pytest.raises(Problem):
        asked(identify, sent("X-API-Key", token(store, ada)), cookie)

    visitor = asked(identify, sent("X-API-Key", token(store, ben)), cookie)
    assert visitor is not None
    assert visitor.via == "token"


def test_on_a_space_a_bearer_that_is_no_token_of_ours_says_nothing(store: Store) -> None:
    identify = Identify(store, session_cookie(Settings()), POLICY, behind_bearer=True)
    ada = user(store)
    of_hub = ("Authorization", "Bearer hf_abc")

    assert asked(identify, of_hub) is None
    assert asked(identify, of_hub, sent("X-API-Key", token(store, ada)))
    with pytest.raises(Problem):
        asked(identify, ("Authorization", "Bearer iu_abc"))


def test_a_proxys_password_is_not_ours(store: Store, identify: Identify) -> None:
    assert asked(identify, ("Authorization", "Basic dXNlcjpwYXNz")) is None


def test_who_agreed_to_the_present_policy_has_acknowledged(
    store: Store, identify: Identify
) -> None:
    ada, ben = user(store), user(store)
    acknowledgements.record(store, ada, POLICY)
    acknowledgements.record(store, ben, "2025-01-01-0123456789ab")

    found = [asked(identify, sent("X-API-Key", token(store, each))) for each in (ada, ben)]

    assert [visitor and visitor.acknowledged for visitor in found] == [True, False]


def test_who_is_suspended_is_signed_out(store: Store, identify: Identify) -> None:
    ada = user(store)
    cookie, key = session(store, ada), token(store, ada)
    with store.writing() as rows:
        rows.execute(
            User.__table__.update().where(User.id == ada).values(state=UserState.SUSPENDED)
        )

    assert asked(identify, ("Cookie", f"session={cookie}")) is None
    with pytest.raises(Problem):
        asked(identify, sent("X-API-Key", key))


def test_somebody_without_a_name_is_called_you(store: Store, identify: Identify) -> None:
    visitor = asked(identify, sent("X-API-Key", token(store, user(store, None))))

    assert visitor is not None
    assert visitor.name == "You"


def test_gradio_is_told_a_word_that_says_nothing(store: Store, identify: Identify) -> None:
    ada = user(store)
    first, second = (
        asked(identify, ("Cookie", f"session={session(store, ada)}")) for _ in range(2)
    )
    assert first is not None
    assert second is not None

    words = {gradio_username(first), gradio_username(first), gradio_username(second)}

    assert len(words) == 2, "one for each session"
    assert not any(str(ada) in word or ada.hex in word or "Ada" in word for word in words)


def test_the_cookies_have_the_attributes_that_keep_them() -> None:
    from starlette.responses import Response

    plain, safe = Settings(), Settings(public_url="https://upscale.example.org")
    response = Response()
    for settings in (plain, safe):
        session_cookie(settings).set(response, "secret")
        signin_cookie(settings).set(response, "secret")
    session_cookie(safe).drop(response)

    ten_minutes, days = timedelta(minutes=10).seconds, 14 * 24 * 60 * 60
    assert response.headers.getlist("set-cookie") == [
        f"session=secret; HttpOnly; Max-Age={days}; Path=/; SameSite=lax",
        f"signin=secret; HttpOnly; Max-Age={ten_minutes}; Path=/; SameSite=lax",
        f"__Host-session=secret; HttpOnly; Max-Age={days}; Path=/; SameSite=lax; Secure",
        f"__Host-signin=secret; HttpOnly; Max-Age={ten_minutes}; Path=/; SameSite=lax; Secure",
        '__Host-session=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax; Secure',
    ]
