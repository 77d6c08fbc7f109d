"""An OpenID Connect issuer that does everything right until it is told what to do wrong.

Runs on a loopback port of its own, in a thread. Checks what an honest issuer checks: the client,
the redirect address, that a code is used once, and PKCE.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def query_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def text64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def challenge_of(verifier: str) -> str:
    """S256 of RFC 7636, computed here and not by the library that is tested."""
    return text64(hashlib.sha256(verifier.encode()).digest())


class Liar:
    """Set what is to be wrong; `reset` puts everything right."""

    def __init__(self, first_key: RSAKey, second_key: RSAKey) -> None:
        self.keys = (first_key, second_key)
        self.url = ""
        known = {"openid-configuration": self._metadata, "jwks": self._jwks, "token": self._token}
        self.app = Starlette(
            routes=[
                Route(f"{folder}/{name}", endpoint, methods=["GET", "POST"])
                for folder in ("", "/.well-known", "/moved")
                for name, endpoint in known.items()
            ]
        )
        self.reset()

    def reset(self) -> None:
        self.metadata: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.without: set[str] = set()
        self.answer: dict[str, Any] = {}
        self.key = self.keys[0]
        self.published = [self.keys[0]]
        self.sign: Callable[[dict[str, Any]], str] = self._signed
        # Of the right answer, makes the one that is sent; at `/moved/…`, the right one is sent.
        self.instead: dict[str, Callable[[Any], Response]] = {}
        self.delay: dict[str, float] = {}
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}

    def approve(self, address: str) -> dict[str, str]:
        """What an issuer does with the browser that was sent to `address`: the parameters that it
        comes back with."""
        asked = query_of(address)
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    async def _said(self, request: Request, value: Callable[[], Any]) -> Response:
        name = request.url.path.rpartition("/")[2]
        self.asked.append(name)
        await asyncio.sleep(self.delay.get(name, 0))
        if name in self.instead and not request.url.path.startswith("/moved/"):
            return self.instead[name](value())
        return JSONResponse(value())

    async def _metadata(self, request: Request) -> Response:
        return await self._said(
            request,
            lambda: {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "id_token_signing_alg_values_supported": ["RS256"],
                **self.metadata,
            },
        )

    async def _jwks(self, request: Request) -> Response:
        return await self._said(request, lambda: KeySet(self.published).as_dict(private=False))

    async def _token(self, request: Request) -> Response:
        async with request.form() as form:
            sent = dict(form)
        user, _, password = (
            base64.b64decode(request.headers["authorization"].partition(" ")[2])
            .decode()
            .partition(":")
        )
        asked = self.codes.pop(sent.get("code", ""), None)
        if (
            asked is None
            or (user, password) != ("client-1", "secret-1")
            or sent.get("grant_type") != "authorization_code"
            or sent.get("redirect_uri") != asked["redirect_uri"]
            or asked.get("code_challenge_method") != "S256"
            or challenge_of(sent.get("code_verifier", "")) != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": "ada",
            "aud": "client-1",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "name": "Ada",
            "email": "ada@example.org",
            "email_verified": True,
            **self.claims,
        }
        for name in self.without:
            claims.pop(name, None)
        answer = {"access_token": "access-canary", "token_type": "Bearer", "expires_in": 300}
        answer |= {"id_token": self.sign(claims)} | self.answer
        kept = {name: value for name, value in answer.items() if name not in self.without}
        return await self._said(request, lambda: kept)

    def _signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)


def by_hand(header: dict[str, Any], claims: dict[str, Any], signature: bytes) -> str:
    """A token that no library would make."""
    parts = [text64(json.dumps(part).encode()) for part in (header, claims)]
    return ".".join([*parts, text64(signature)])
