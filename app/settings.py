"""Settings from the environment, typed and checked once. Imports nothing of ours."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

GOOGLE = "https://accounts.google.com"


class Provider(BaseModel):
    """Somebody who vouches for people: an OpenID Connect issuer."""

    model_config = ConfigDict(frozen=True)

    key: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
    """Its name in addresses."""
    name: str
    """Its name on the sign-in button."""
    issuer: str
    """Its address; its metadata is looked for below, and must name exactly this issuer."""
    client_id: str
    client_secret: SecretStr
    policy_url: str | None = None
    """Where its own privacy policy can be read."""

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            raise ValueError("it must begin with https://")
        return value


class Settings(BaseSettings):
    """Every field is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(env_file=None, frozen=True)

    data_dir: Path = Path("data")
    """Folder of everything that is kept; models lie in its `models/`."""

    max_input_megapixels: float = Field(default=25, gt=0)
    """Most that a picture handed in may have."""

    max_output_megapixels: float = Field(default=400, gt=0)
    """Most that a result may have."""

    max_files_per_batch: int = Field(default=20, gt=0)
    """Most pictures that may be handed in together."""

    max_file_megabytes: float = Field(default=25, gt=0)
    """Most that a picture handed in may weigh."""

    max_open_jobs: int = Field(default=200, gt=0)
    """Most unfinished pictures that one user may have."""

    device: str = "auto"
    """What the worker runs networks on: `auto`, `cpu`, `cuda`, `cuda:1`, …"""

    pictures_at_once: int | None = Field(default=None, gt=0, le=16)
    """Pictures that a worker has in hand at the same time. Not set: 8 on CUDA, 1 elsewhere."""

    warm_models_megabytes: float = Field(default=1024, gt=0)
    """Weights that a worker keeps loaded."""

    memory_megabytes: float | None = Field(default=None, gt=0)
    """What a network may use for one piece of a picture, and an encoder for a picture that it
    needs whole. Not set: a network takes half of what is free."""

    host: str = "127.0.0.1"
    """Address that the web process listens on."""

    port: int = Field(default=7860, ge=0, le=65535)
    """Port that the web process listens on."""

    public_url: str | None = None
    """Where browsers find the service, such as `https://upscale.example.org`, without a path. Not
    set: `http://HOST:PORT`."""

    trusted_proxies: str = ""
    """Addresses whose `X-Forwarded-For` is believed, separated by commas."""

    local_passphrase: SecretStr | None = None
    """Lets whoever knows it sign in as the owner, where the address is not a loopback one."""

    google_client_id: str | None = None
    """Signs in with Google, together with `GOOGLE_CLIENT_SECRET`."""
    google_client_secret: SecretStr | None = None
    """See `GOOGLE_CLIENT_ID`."""

    oidc_providers: tuple[Provider, ...] = ()
    """Any other OpenID Connect issuers, as a JSON list of objects with `key`, `name`, `issuer`,
    `client_id`, `client_secret`."""

    oauth_client_id: str | None = None
    """Signs in with Hugging Face; a Space sets this one and the next three by itself."""
    oauth_client_secret: SecretStr | None = None
    """See `OAUTH_CLIENT_ID`."""
    openid_provider_url: str = "https://huggingface.co"
    """See `OAUTH_CLIENT_ID`."""
    space_host: str | None = None
    """Host names of the Space, separated by commas."""

    admin_emails: str = ""
    """E-mail addresses of the admins, separated by commas. Whoever signs in through a provider
    that says that one of them is theirs, and verified, sees the tab Admin."""

    max_model_megabytes: float = Field(default=1000, gt=0)
    """Most that a file of weights may weigh that an admin hands in."""

    operator_name: str = "ImagesUpscaler.ai"
    """Who runs the service; the policies name them."""
    operator_email: str = "support@imagesupscaler.ai"
    """Where the operator is written to."""
    operator_website: str = "https://imagesupscaler.ai"
    """The operator's site."""

    @property
    def models_dir(self) -> Path:
        return self.data_dir / "models"

    def names_admin(self, address: str | None) -> bool:
        """Whether this address is in `ADMIN_EMAILS`; whether it is verified is not asked here.

        Capitals do not count, but in ASCII alone: of other letters several become one in small
        letters, and then somebody else's address would be an admin's.
        """
        return address is not None and _address(address) in self._admins

    @property
    def _admins(self) -> frozenset[bytes]:
        return frozenset(_address(each) for each in self.admin_emails.split(",") if each.strip())

    @property
    def is_space(self) -> bool:
        """Whether this runs as a Hugging Face Space."""
        return self.space_host is not None

    @property
    def is_lasting(self) -> bool:
        """False on a Space without storage of its own: a restart loses all that is kept."""
        return not self.is_space or self.data_dir.is_mount()

    @property
    def origin(self) -> str:
        """Scheme, host and port of the service, as browsers see it."""
        if self.public_url:
            return self.public_url
        if self.space_host:
            return f"https://{self.space_host.split(',')[0].strip()}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def is_https(self) -> bool:
        return self.origin.startswith("https://")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the service: it listens on a loopback address, and no
        public address says that something stands in front."""
        return is_loopback(self.host) and is_loopback(urlsplit(self.origin).hostname or "")

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Everybody who can be asked who somebody is."""
        found = list(self.oidc_providers)
        if self.google_client_id and self.google_client_secret:
            found.append(
                Provider(
                    key="google",
                    name="Google",
                    issuer=GOOGLE,
                    client_id=self.google_client_id,
                    client_secret=self.google_client_secret,
                    policy_url="https://policies.google.com/privacy",
                )
            )
        if self.oauth_client_id and self.oauth_client_secret:
            found.append(
                Provider(
                    key="huggingface",
                    name="Hugging Face",
                    issuer=self.openid_provider_url.rstrip("/"),
                    client_id=self.oauth_client_id,
                    client_secret=self.oauth_client_secret,
                    policy_url="https://huggingface.co/privacy",
                )
            )
        return tuple(found)

    @property
    def has_local_sign_in(self) -> bool:
        """Whether the owner signs in here: by one press on a loopback address without providers,
        and anywhere with the passphrase."""
        return self.local_passphrase is not None or (self.is_loopback and not self.providers)

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it must begin with http:// or https:// and name a host")
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
            raise ValueError("it must be scheme, host and port only")
        return f"{parts.scheme}://{parts.netloc.lower()}"

    @field_validator("local_passphrase", "google_client_secret", "oauth_client_secret")
    @classmethod
    def _empty_is_none(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value and value.get_secret_value() else None

    @field_validator("space_host", "google_client_id", "oauth_client_id")
    @classmethod
    def _blank_is_none(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("admin_emails")
    @classmethod
    def _are_addresses(cls, value: str) -> str:
        for each in filter(None, map(str.strip, value.split(","))):
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", each):
                raise ValueError("it must be e-mail addresses, separated by commas")
        return value

    @model_validator(mode="after")
    def _providers_differ(self) -> Self:
        keys = [provider.key for provider in self.providers]
        if len(set(keys)) < len(keys):
            raise ValueError("two sign-in providers have the same key")
        return self

    def check_reachable(self) -> None:
        """Raise `InvalidSettings` when anybody could get in: to be asked before listening."""
        if not self.is_loopback and not self.providers and self.local_passphrase is None:
            raise InvalidSettings(
                f"{self.origin} can be reached from other machines, and nobody would be asked who "
                "they are. Set LOCAL_PASSPHRASE, or a sign-in provider such as GOOGLE_CLIENT_ID "
                "and GOOGLE_CLIENT_SECRET, or HOST=127.0.0.1."
            )


class InvalidSettings(Exception):
    """A setting has a value that cannot be used; the message names it."""


def load_settings() -> Settings:
    """Read the environment. Raises `InvalidSettings`."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])).upper() or "of the sign-in providers"
        raise InvalidSettings(f"The setting {name} is not usable: {first['msg']}.") from error
    except SettingsError as error:
        # The only setting that is more than a word.
        raise InvalidSettings("The setting OIDC_PROVIDERS is not a JSON list.") from error


def _address(text: str) -> bytes:
    return text.strip().encode().lower()


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without port and brackets, is always this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
