"""Signing in and out, as a browser sees it: a new session and its cookie, or neither any more.

Knows where somebody may be sent afterwards: to a place of ours, named by a word. Knows nothing of
how somebody showed who they are.
"""

from uuid import UUID

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.cookies import session_cookie, signin_cookie
from app.devices import device_of
from app.problems import sign_in_first
from app.web import Web
from db import sessions
from db.errors import Suspended
from pages.tabs import Tab
from pages.visitor import Visitor, visitor_of


class Stopped(Exception):
    """Nobody was signed in, for a reason that they are told."""

    def __init__(self, status: int, problem: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem
        self.headers = headers or {}


def to(place: Tab | None) -> RedirectResponse:
    """Sends the browser into the app."""
    return see_other(f"/?tab={place}" if place else "/")


def see_other(address: str) -> RedirectResponse:
    """Sends the browser to a fixed address of ours, by GET, and nobody keeps that."""
    return RedirectResponse(address, 303, {"Cache-Control": "no-store"})


def person_asking(request: Request) -> Visitor | None:
    """Who is signed in with this browser. A program's token is nobody here: it does not agree to
    terms, and does not sign people out."""
    try:
        visitor = visitor_of(request.scope)
    except LookupError:
        return None
    return visitor if visitor.via == "cookie" else None


async def sign_in(web: Web, request: Request, user_id: UUID, place: Tab | None) -> Response:
    """The answer to somebody who has shown who they are: a session that nobody knew before, in
    place of the browser's old one. Raises `Stopped` for who is suspended."""
    cookie = session_cookie(web.settings)
    old = cookie.read(request)

    def swap() -> str:
        secret = sessions.begin(web.service.store, user_id, device_of(request))
        if old is not None:
            sessions.end(web.service.store, old)
        return secret

    try:
        secret = await run_in_threadpool(swap)
    except Suspended as suspended:
        raise Stopped(403, str(suspended)) from suspended
    response = to(place)
    cookie.set(response, secret)
    return response


def routes(web: Web) -> APIRouter:
    """Signing out, here and everywhere."""
    router = APIRouter()
    store = web.service.store

    @router.post("/logout")
    async def logout(request: Request) -> Response:
        secret = session_cookie(web.settings).read(request)
        if secret is not None:
            await run_in_threadpool(sessions.end, store, secret)
        return _signed_out(web)

    @router.post("/logout/everywhere")
    async def logout_everywhere(request: Request) -> Response:
        visitor = person_asking(request)
        if visitor is None:
            raise sign_in_first()
        await run_in_threadpool(sessions.end_all, store, visitor.user_id)
        return _signed_out(web)

    return router


def _signed_out(web: Web) -> Response:
    response = see_other("/")
    # Not "cookies": that would take those of other services on this host and its relatives along.
    response.headers["Clear-Site-Data"] = '"cache"'
    session_cookie(web.settings).drop(response)
    signin_cookie(web.settings).drop(response)
    return response
