"""What an OpenID Connect issuer says of itself, and a client that asks it carefully.

Asked once for each issuer, and believed only if it is the issuer that was configured. Knows the
limits of every answer: time, size, where it may come from. Knows nothing of who signs in.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.integrations.starlette_client import StarletteOAuth2App
from starlette.concurrency import run_in_threadpool

from app.settings import Provider, is_loopback

SCOPE = "openid email profile"
"""Identifier, address and name: as little as an issuer can be asked for."""

PATIENCE = 10.0
"""Seconds that an issuer has for all answers to one press of a button."""

LARGEST_ANSWER = 256 * 1024
"""Bytes of one answer."""

# Only with a key that nobody but the issuer has: the secret that HS256 signs with is ours as well.
_SIGNATURES = frozenset(
    f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)
)


class Unreachable(Exception):
    """The issuer does not answer, or is not the one that was configured."""


async def discover(provider: Provider) -> Any:
    """Authlib's client for `provider`, with the endpoints that the issuer names. Raises
    `Unreachable`."""
    careful = _careful(await run_in_threadpool(_trusted))
    found = await _metadata(provider.issuer, careful)
    signatures = _texts(found, "id_token_signing_alg_values_supported") or ["RS256"]
    signatures = [name for name in signatures if name in _SIGNATURES]
    if not signatures:
        raise Unreachable
    ways = _texts(found, "token_endpoint_auth_methods_supported")
    by_post = "client_secret_post" in ways and "client_secret_basic" not in ways
    return StarletteOAuth2App(
        None,  # the part that would keep state and verifier in the browser
        name=provider.key,
        client_id=provider.client_id,
        client_secret=provider.client_secret.get_secret_value(),
        user_agent="ImagesUpscaler",
        client_kwargs={
            "scope": SCOPE,
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": f"client_secret_{'post' if by_post else 'basic'}",
            **careful,
        },
        # These and no others: authlib hands all that it is told of an issuer on to its client of
        # HTTP, for which "verify": false would be an option.
        issuer=provider.issuer,
        authorization_endpoint=found["authorization_endpoint"],
        token_endpoint=found["token_endpoint"],
        # Asked for keys at first use, and again for a key that is not among them.
        jwks_uri=found["jwks_uri"],
        id_token_signing_alg_values_supported=signatures,
    )


async def _metadata(issuer: str, careful: Mapping[str, Any]) -> Mapping[str, Any]:
    if not _may_be_asked(issuer, issuer):
        raise Unreachable
    try:
        async with asyncio.timeout(PATIENCE), httpx2.AsyncClient(**careful) as client:
            response = await client.get(issuer.rstrip("/") + "/.well-known/openid-configuration")
            response.raise_for_status()
            found = response.json()
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError, RecursionError) as error:
        raise Unreachable from error
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        raise Unreachable
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        # They may be on other hosts, as Google's are: whoever speaks for the issuer names them.
        if not _may_be_asked(found.get(name), issuer):
            raise Unreachable
    return found


@cache
def _trusted() -> ssl.SSLContext:
    """Whom a client of HTTP believes. One for all: reading the certificates takes a tenth of a
    second, in which the process would answer nobody."""
    return httpx2.create_ssl_context()


def _careful(trusted: ssl.SSLContext) -> dict[str, Any]:
    """Options of a client of HTTP that is never kept waiting, led elsewhere or flooded."""
    return {
        "verify": trusted,
        "timeout": PATIENCE / 2,
        "follow_redirects": False,
        "headers": {"Accept-Encoding": "identity"},
        "event_hooks": {"response": [_limit]},
    }


async def _limit(response: httpx2.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.DecodingError("It is packed, and may be of any size.")
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _Limited(response.stream)


class _Limited(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > LARGEST_ANSWER:
                raise httpx2.DecodingError("It is too large.")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def _may_be_asked(address: object, issuer: str) -> bool:
    """Whether this is an address by https; by http if it and the issuer are on this machine."""
    if not isinstance(address, str) or not address.isascii() or not address.isprintable():
        return False
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or " " in address or parts.username is not None or parts.fragment:
        return False
    if parts.scheme == "https":
        return True
    asking = urlsplit(issuer)
    both_here = is_loopback(host) and is_loopback(asking.hostname or "")
    return parts.scheme == asking.scheme == "http" and both_here


def _texts(found: Mapping[str, Any], name: str) -> list[str]:
    value = found.get(name)
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
