"""Asks an OpenID Connect issuer who somebody is.

Authorization code with PKCE (S256), state and nonce; the ID token is required, and is all that is
read. Knows nothing of cookies, sessions and pages, and keeps no token.
"""

import asyncio
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from app.issuers import PATIENCE, Unreachable, discover
from app.settings import Provider

ASKS_AGAIN_AFTER = 5.0
"""Seconds for which an issuer that could not be used is not asked again what it is."""

CLOCKS_DIFFER = 60
"""Seconds that an issuer's clock may be behind."""


class Untrusted(Exception):
    """The issuer's answer does not show who somebody is."""


@dataclass(frozen=True)
class Pending:
    """What has to be remembered, and must not leave, while somebody is away at the issuer."""

    state: str
    nonce: str
    verifier: str

    def is_answered_by(self, answer: Mapping[str, str]) -> bool:
        """Whether the browser came back with the state that it was sent away with."""
        return hmac.compare_digest(self.state.encode(), answer.get("state", "").encode())


@dataclass(frozen=True)
class Profile:
    """All that is kept of what an issuer says of somebody."""

    issuer: str
    subject: str
    email: str | None
    """None as well for an address that the issuer says is not verified."""
    email_verified: bool
    name: str | None


class Issuer:
    """One provider, for as long as the process lives."""

    def __init__(self, provider: Provider, redirect_uri: str) -> None:
        self.provider = provider
        self._redirect_uri = redirect_uri
        self._client: Any = None
        self._failed_at = float("-inf")
        self._lock = asyncio.Lock()

    async def begin(self) -> tuple[str, Pending]:
        """Where to send the browser, and what to remember. Raises `Unreachable`."""
        client = await self._pinned()
        made = await client.create_authorization_url(self._redirect_uri)
        return made["url"], Pending(made["state"], made["nonce"], made["code_verifier"])

    async def finish(self, pending: Pending, answer: Mapping[str, str]) -> Profile:
        """Who it is, from the parameters that the browser came back with. Raises `Untrusted` or
        `Unreachable`."""
        if not pending.is_answered_by(answer) or not answer.get("code"):
            raise Untrusted
        # RFC 9207: an answer of another issuer is not for this one.
        if answer.get("iss", self.provider.issuer) != self.provider.issuer:
            raise Untrusted
        client = await self._pinned()
        try:
            async with asyncio.timeout(PATIENCE):
                claims = await self._claims(client, pending, answer["code"])
        except (httpx2.HTTPError, TimeoutError) as error:
            raise Unreachable from error
        except Exception as error:
            # Whatever an answer breaks in the libraries, nobody is signed in by it. Authlib keeps
            # the keys that it was given even if they are none, so they are asked for anew.
            client.server_metadata.pop("jwks", None)
            raise Untrusted from error
        return _profile(self.provider, claims)

    async def _claims(self, client: Any, pending: Pending, code: str) -> Mapping[str, Any]:
        token = await client.fetch_access_token(
            redirect_uri=self._redirect_uri, code=code, code_verifier=pending.verifier
        )
        claims = await client.parse_id_token(
            token,
            nonce=pending.nonce,
            claims_options={
                "iss": {"essential": True, "value": self.provider.issuer},
                "aud": {"essential": True, "value": self.provider.client_id},
                "exp": {"essential": True},
                "sub": {"essential": True},
                "nonce": {"essential": True, "value": pending.nonce},
            },
            leeway=CLOCKS_DIFFER,
        )
        if claims is None:
            raise Untrusted
        return dict(claims)

    async def _pinned(self) -> Any:
        async with self._lock:
            if self._client is None:
                if time.monotonic() < self._failed_at + ASKS_AGAIN_AFTER:
                    raise Unreachable
                try:
                    self._client = await discover(self.provider)
                except Unreachable:
                    self._failed_at = time.monotonic()
                    raise
            return self._client


def _profile(provider: Provider, claims: Mapping[str, Any]) -> Profile:
    subject = claims["sub"]
    # OpenID Connect promises no more than this, and the rows have room for no more.
    if not isinstance(subject, str) or not subject.isascii() or not 0 < len(subject) <= 255:
        raise Untrusted
    name = claims.get("name")
    if not name and provider.key == "huggingface":
        name = claims.get("preferred_username")
    is_verified = claims.get("email_verified") in (True, "true")
    is_refused = "email_verified" in claims and not is_verified
    email = None if is_refused else _email(claims.get("email"))
    return Profile(provider.issuer, subject, email, is_verified and email is not None, _name(name))


def _email(value: object) -> str | None:
    """An address that fits, or None."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > 254:
        return None
    return value if "@" in value.strip("@") else None


def _name(value: object) -> str | None:
    """A name of 80 characters at most, without those that are not seen, or None."""
    if not isinstance(value, str):
        return None
    words = "".join(letter if letter.isprintable() else " " for letter in value).split()
    return " ".join(words)[:80].strip() or None
