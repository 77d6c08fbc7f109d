"""Who asks: found by a token in one of three headers, or by the cookie of a session.

Knows how credentials are sent. What they open is asked of the rows, in a thread.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from app.cookies import Cookie
from app.problems import Problem
from db import sessions, tokens
from db.people import Scope
from db.store import Store
from db.users import Person
from pages.visitor import Visitor

_KEY = secrets.token_bytes(32)  # of this process


@dataclass(frozen=True)
class Identify:
    """Finds the visitor of a request."""

    store: Store
    cookie: Cookie
    policy_version: str
    """What one has to have agreed to."""
    names_admin: Callable[[str | None], bool] = lambda _: False
    """Whether an address is an admin's, as the settings have it now."""
    behind_bearer: bool = False
    """Whether `Authorization` belongs to what stands in front, as on a private Space: then a bearer
    in it that is no token of ours says nothing."""

    async def __call__(self, request: HTTPConnection) -> Visitor | None:
        """None for who is not signed in. Raises a 401 for a token that opens nothing, even beside a
        session that does, and for credentials of two people; `StoreError` as the rows do."""
        sent = self._tokens(request.headers)
        secret = self.cookie.read(request)
        if not sent and secret is None:
            return None
        return await run_in_threadpool(self._find, sent, secret)

    def _find(self, sent: set[str], secret: str | None) -> Visitor | None:
        signed_in = sessions.find(self.store, secret) if secret else None
        if not sent:
            if signed_in is None:
                return None
            return self._visitor(signed_in.person, "cookie", signed_in.id_hash)
        if len(sent) > 1:
            raise _unauthorized("Two different tokens were sent.", "Send one.")
        holder = tokens.find(self.store, next(iter(sent)))
        if holder is None:
            raise _unauthorized(
                "The token that was sent is not valid.",
                "It may be mistyped, revoked or over. Tokens are made under Account.",
            )
        if signed_in is not None and signed_in.person.id != holder.person.id:
            raise _unauthorized("The token and the session belong to different people.", "")
        return self._visitor(holder.person, "token", may_change=holder.scope is Scope.WRITE)

    def _visitor(
        self,
        person: Person,
        via: Literal["cookie", "token"],
        session: bytes | None = None,
        *,
        may_change: bool = True,
    ) -> Visitor:
        return Visitor(
            user_id=person.id,
            name=person.display_name or person.email or "You",
            is_admin=self._is_admin(person),
            acknowledged=person.policy_version == self.policy_version,
            via=via,
            session=session,
            may_change=may_change,
        )

    def _is_admin(self, person: Person) -> bool:
        """Asked with every request, and never written down but for this machine's owner: who is
        taken off the list is no admin any more, whatever sessions they have."""
        return person.is_admin or (person.email_verified and self.names_admin(person.email))

    def _tokens(self, headers: Headers) -> set[str]:
        found = set(headers.getlist("x-api-key"))
        for name in ("authorization", "x-hf-authorization"):
            for value in headers.getlist(name):
                scheme, _, credential = value.partition(" ")
                # Basic is a proxy's in front of the service, and was its business.
                if scheme.lower() != "bearer":
                    continue
                credential = credential.strip()
                if credential.startswith(tokens.PREFIX) or not self.behind_bearer:
                    found.add(credential)
        return found


def gradio_username(visitor: Visitor) -> str:
    """What Gradio may call them, and tell the page: says nothing, and is another one for each
    session and after each start."""
    of = visitor.session or visitor.user_id.bytes
    return hmac.digest(_KEY, of, "sha256").hex()[:32]


def _unauthorized(message: str, hint: str) -> Problem:
    return Problem(401, "UNAUTHORIZED", message, hint, {"WWW-Authenticate": "Bearer"})
