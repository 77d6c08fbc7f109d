"""Settings: who can get in, where the service is found, and what is refused."""

import json
from pathlib import Path

import pytest

from app.settings import InvalidSettings, Settings, load_settings
from pages.public import Site


def provider(**changed: str) -> dict[str, str]:
    return {
        "key": "work",
        "name": "Work",
        "issuer": "https://id.example.org",
        "client_id": "upscaler",
        "client_secret": "s3cret",
        **changed,
    }


def test_one_person_on_their_own_machine_signs_in_with_one_press() -> None:
    settings = Settings()

    assert settings.origin == "http://127.0.0.1:7860"
    assert settings.is_loopback
    assert settings.has_local_sign_in
    settings.check_reachable()


@pytest.mark.parametrize(
    "reachable",
    [
        {"host": "0.0.0.0"},
        {"host": "::"},
        {"host": "192.168.1.5"},
        {"public_url": "https://upscale.example.org"},
        {"host": "127.0.0.1", "public_url": "http://192.168.1.5:7860"},
        {"space_host": "ada-upscaler.hf.space"},
    ],
)
def test_what_others_can_reach_refuses_to_start_without_asking_who_they_are(
    reachable: dict[str, str],
) -> None:
    settings = Settings(**reachable)

    assert not settings.has_local_sign_in
    with pytest.raises(InvalidSettings, match="LOCAL_PASSPHRASE"):
        settings.check_reachable()
    Settings(**reachable, local_passphrase="open sesame").check_reachable()
    Settings(**reachable, oidc_providers=[provider()]).check_reachable()


def test_an_address_is_an_admins_whatever_its_capitals() -> None:
    settings = Settings(admin_emails=" Ada@Example.org, kim@example.org,,")

    assert settings.names_admin("ada@example.org")
    assert settings.names_admin("ADA@EXAMPLE.ORG")
    assert settings.names_admin("kim@example.org")
    for other in (
        None,
        "",
        " ",
        "bob@example.org",
        "example.org",
        "ada@example.org,kim@example.org",
    ):
        assert not settings.names_admin(other), other
    # The Kelvin sign becomes a k in small letters, and is somebody else's all the same.
    assert not settings.names_admin("\u212aim@example.org")
    assert not Settings().names_admin("")


def test_admins_that_are_no_addresses_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("ada", "ada@example.org; bob@example.org", "ada@"):
        monkeypatch.setenv("ADMIN_EMAILS", wrong)
        with pytest.raises(InvalidSettings, match="ADMIN_EMAILS"):
            load_settings()


def test_an_empty_passphrase_is_none() -> None:
    with pytest.raises(InvalidSettings):
        Settings(host="0.0.0.0", local_passphrase="").check_reachable()


def test_a_space_brings_its_provider_and_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTH_CLIENT_ID", "space")
    monkeypatch.setenv("OAUTH_CLIENT_SECRET", "s3cret")
    monkeypatch.setenv("OPENID_PROVIDER_URL", "https://huggingface.co/")
    monkeypatch.setenv("SPACE_HOST", "ada-upscaler.hf.space,upscale.example.org")

    settings = load_settings()

    assert settings.origin == "https://ada-upscaler.hf.space"
    assert settings.is_space
    assert settings.is_https
    assert [(p.key, p.issuer) for p in settings.providers] == [
        ("huggingface", "https://huggingface.co")
    ]


def test_a_space_without_storage_of_its_own_says_so(tmp_path: Path) -> None:
    space = Settings(space_host="ada-upscaler.hf.space", data_dir=tmp_path)

    assert not space.is_lasting
    assert "no storage of its own" in Site(space).landing(framed=False)
    assert Settings(data_dir=tmp_path).is_lasting
    assert Settings(space_host="ada-upscaler.hf.space", data_dir=Path("/proc")).is_lasting


def test_any_number_of_issuers_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLIENT_ID", "google")
    monkeypatch.setenv("GOOGLE_CLIENT_SECRET", "s3cret")
    monkeypatch.setenv("OIDC_PROVIDERS", json.dumps([provider(), provider(key="home")]))

    settings = load_settings()

    assert [p.key for p in settings.providers] == ["work", "home", "google"]
    assert "s3cret" not in repr(settings)
    assert not settings.has_local_sign_in


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PUBLIC_URL", "upscale.example.org", "PUBLIC_URL"),
        ("PUBLIC_URL", "https://example.org/upscale", "PUBLIC_URL"),
        ("PUBLIC_URL", "javascript:alert(1)", "PUBLIC_URL"),
        ("PORT", "70000", "PORT"),
        ("OIDC_PROVIDERS", json.dumps([provider(key="../x")]), "OIDC_PROVIDERS.0.KEY"),
        ("OIDC_PROVIDERS", json.dumps([provider(issuer="http://id.example.org")]), "ISSUER"),
        ("OIDC_PROVIDERS", json.dumps([provider(), provider()]), "providers"),
        ("OIDC_PROVIDERS", "{", "OIDC_PROVIDERS"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(InvalidSettings, match=said) as caught:
        load_settings()
    assert "s3cret" not in str(caught.value)


def test_a_trailing_slash_is_not_a_path() -> None:
    settings = Settings(public_url="https://Upscale.Example.org/")

    assert settings.origin == "https://upscale.example.org"
