"""`python -m app token create`, in this process."""

import signal
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.__main__ import main
from app.settings import Settings
from db import tokens
from db.people import Acknowledgement, Identity, Scope
from pages.public import Site
from tasks.service import Service

Create = Callable[..., str]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", tempfile.gettempdir())
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    return Settings()


@pytest.fixture
def create(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Create:
    """What the command prints."""

    def create(*arguments: str) -> str:
        assert main(["token", "create", *arguments]) == 0
        return capsys.readouterr().out

    return create


@pytest.fixture
def service(create: Create, settings: Settings) -> Iterator[Service]:
    create("--email", "somebody@else.org")  # which makes the data folder
    with Service.open(settings) as service:
        yield service


def test_it_prints_a_token_alone_that_opens_the_service_for_a_user_it_makes(
    create: Create, service: Service, settings: Settings
) -> None:
    printed = create("--email", "ada@example.org")

    assert tokens.is_token(printed.removesuffix("\n"))
    holder = tokens.find(service.store, printed.strip())
    assert holder is not None
    assert holder.scope is Scope.WRITE
    person = holder.person
    assert (person.email, person.is_admin) == ("ada@example.org", False)
    assert person.policy_version == Site(settings).policy_version
    with service.store.reading() as rows:
        found = rows.execute(
            select(Identity.issuer, Identity.subject, Acknowledgement.source)
            .join(Acknowledgement, Acknowledgement.user_id == Identity.user_id)
            .where(Identity.user_id == person.id)
        ).all()
    assert [tuple(row) for row in found] == [("local", "ada@example.org", "operator")]


def test_a_second_token_is_the_same_users_and_has_its_name(
    create: Create, service: Service
) -> None:
    first = create("--email", "ada@example.org").strip()
    second = create("--email", " ada@example.org ", "--name", "camera").strip()

    ada = tokens.find(service.store, first)
    assert first != second
    assert ada == tokens.find(service.store, second)
    assert ada is not None
    listed = tokens.listed(service.store, ada.person.id)
    assert {token.name for token in listed} == {"command line", "camera"}
    assert {token.expires_at for token in listed} == {None}


def test_a_token_may_be_for_reading_and_for_some_days(create: Create, service: Service) -> None:
    secret = create("--email", "ada@example.org", "--scope", "read", "--days", "90").strip()

    holder = tokens.find(service.store, secret)
    assert holder is not None
    assert holder.scope is Scope.READ
    (token,) = tokens.listed(service.store, holder.person.id)
    assert token.expires_at == token.created_at + timedelta(days=90)


@pytest.mark.parametrize(
    "wrong", [("--days", "0"), ("--days", "-1"), ("--days", "9999"), ("--scope", "admin")]
)
def test_what_is_no_scope_and_no_number_of_days_is_refused(
    settings: Settings, capsys: pytest.CaptureFixture[str], wrong: tuple[str, str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["token", "create", "--email", "ada@example.org", *wrong])

    assert wrong[0] in capsys.readouterr().err
    assert not settings.data_dir.exists()


@pytest.mark.parametrize("wrong", ["ada", "@", "ada@", "a b@c", "a@b@c", f"{'a' * 250}@b.org", ""])
def test_what_is_no_address_is_refused(
    settings: Settings, capsys: pytest.CaptureFixture[str], wrong: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["token", "create", "--email", wrong])

    assert "is not an e-mail address" in capsys.readouterr().err
    assert not settings.data_dir.exists()
