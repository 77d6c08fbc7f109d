"""Signing in and out: the sign-in page, the way through a provider, and the routes beside it.

Knows what is remembered between the two halves of a sign-in, and the sentence for each that went
wrong. Knows nothing of the protocol: that is `app.oidc`.
"""

import logging
from dataclasses import asdict
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app import local_login, sessions, welcome
from app.cookies import signin_cookie
from app.issuers import Unreachable
from app.oidc import Issuer, Pending, Profile, Untrusted
from app.problems import not_found
from app.sessions import Stopped, person_asking, sign_in, to
from app.signin_page import SignInPage
from app.web import Web
from db import signins, users
from db.store import Store
from pages.tabs import tab_named

log = logging.getLogger(__name__)

CALLBACK = "/auth/callback"
"""Where every provider sends browsers back to, below the service's origin."""

_STALE = "That sign-in took too long, or went on in another tab. Please sign in again."
_DECLINED = "{} did not sign you in, and nothing was kept. You can try again."
_UNREACHABLE = "{} cannot be reached at the moment. Please try again in a few minutes."
_UNTRUSTED = "{} sent an answer that does not show who you are. Please sign in again."

# Of redirects only: from a page with this policy, browsers send our own forms with `Origin: null`.
_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def routes(web: Web) -> APIRouter:
    """Everything about signing in and out."""
    page = SignInPage(web)
    router = APIRouter()
    for part in (
        _page(page),
        local_login.routes(web, page),
        _providers(web, page),
        welcome.routes(web),
        sessions.routes(web),
    ):
        router.include_router(part)
    return router


def _page(page: SignInPage) -> APIRouter:
    router = APIRouter()

    @router.get("/login")
    async def choose(request: Request) -> Response:
        place = tab_named(request.query_params.get("next"))
        return to(place) if person_asking(request) else page.plain(request, place)

    return router


def _providers(web: Web, page: SignInPage) -> APIRouter:
    router = APIRouter()
    store, cookie = web.service.store, signin_cookie(web.settings)
    back = web.settings.origin + CALLBACK
    issuers = {provider.key: Issuer(provider, back) for provider in web.settings.providers}

    @router.get("/login/{provider}")
    async def begin(request: Request, provider: str) -> Response:
        issuer = issuers.get(provider)
        if issuer is None:
            raise not_found()
        place = tab_named(request.query_params.get("next"))
        try:
            address, pending = await issuer.begin()
        except Unreachable:
            return page.after(_unreachable(issuer), request, place)
        begun = {"provider": provider, "place": place, "pending": asdict(pending)}
        response = RedirectResponse(address, 303, _PRIVATE)
        cookie.set(response, await run_in_threadpool(signins.begin, store, begun))
        return response

    @router.get(CALLBACK)
    async def callback(request: Request) -> Response:
        secret = cookie.read(request)
        begun = await run_in_threadpool(signins.take, store, secret) if secret else None
        place = tab_named(begun["place"]) if begun else None
        try:
            profile = await _finish(issuers, begun, dict(request.query_params))
            user_id = await run_in_threadpool(_user_of, store, profile)
            response = await sign_in(web, request, user_id, place)
            response.headers.update(_PRIVATE)
        except Stopped as stopped:
            response = page.after(stopped, request, place)
        cookie.drop(response)
        return response

    return router


def _user_of(store: Store, profile: Profile) -> UUID:
    """The user whom this provider calls so. Their name is theirs from then on, but what the
    provider says of the address may make an admin, and is written down anew each time."""
    user_id = users.ensure_user(
        store,
        profile.issuer,
        profile.subject,
        email=profile.email,
        email_verified=profile.email_verified,
        display_name=profile.name,
    )
    users.note_address(store, user_id, profile.email, verified=profile.email_verified)
    return user_id


async def _finish(
    issuers: dict[str, Issuer], begun: dict[str, Any] | None, answer: dict[str, str]
) -> Profile:
    """Who came back. Raises `Stopped`."""
    issuer = issuers.get(begun["provider"]) if begun else None
    pending = Pending(**begun["pending"]) if begun else None
    if issuer is None or pending is None or not pending.is_answered_by(answer):
        log.info("sign_in_stale")
        raise Stopped(400, _STALE)
    if "error" in answer:
        log.info("sign_in_declined")
        raise Stopped(403, _DECLINED.format(issuer.provider.name))
    try:
        return await issuer.finish(pending, answer)
    except Unreachable:
        raise _unreachable(issuer) from None
    except Untrusted:
        log.warning("sign_in_untrusted")
        raise Stopped(502, _UNTRUSTED.format(issuer.provider.name)) from None


def _unreachable(issuer: Issuer) -> Stopped:
    log.warning("sign_in_unreachable")
    return Stopped(502, _UNREACHABLE.format(issuer.provider.name))
