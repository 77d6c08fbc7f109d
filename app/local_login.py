"""The way in for the owner of this machine: one press, or a passphrase.

Knows who may press, and how often a passphrase may be guessed. Knows nothing of providers.
"""

import hmac
import logging
from hashlib import sha256
from math import ceil

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from app.addresses import network_of
from app.attempts import Failures
from app.forms import fields_of
from app.problems import not_found
from app.sessions import Stopped, sign_in
from app.signin_page import SignInPage, is_here
from app.web import Web
from db import users
from pages.tabs import tab_named

log = logging.getLogger(__name__)

OWNER = "owner"
"""How the owner of this machine is called among the local identities."""

_ELSEWHERE = "Without a passphrase, only the machine that this runs on can sign in."
_WRONG = "That is not the passphrase."
_TOO_OFTEN = "There were too many wrong passphrases. Please try again in {} minutes."


def routes(web: Web, page: SignInPage) -> APIRouter:
    """`POST /login/local`."""
    router = APIRouter()
    settings, store = web.settings, web.service.store
    failures = Failures()

    @router.post("/login/local")
    async def local(request: Request) -> Response:
        if not settings.has_local_sign_in:
            raise not_found()
        fields = await fields_of(request)
        place = tab_named(fields.get("next"))
        try:
            if settings.local_passphrase is None:
                _check_machine(request)
            else:
                passphrase = settings.local_passphrase.get_secret_value()
                _check_passphrase(request, failures, fields.get("passphrase", ""), passphrase)
            user_id = await run_in_threadpool(
                users.ensure_user, store, users.LOCAL, OWNER, display_name="Owner", is_admin=True
            )
            return await sign_in(web, request, user_id, place)
        except Stopped as stopped:
            return page.after(stopped, request, place)

    return router


def _check_machine(request: Request) -> None:
    if not is_here(request):
        log.warning("local_sign_in_from_elsewhere")
        raise Stopped(403, _ELSEWHERE)


def _check_passphrase(request: Request, failures: Failures, tried: str, passphrase: str) -> None:
    """Between asking how often and noting it, nobody else gets a turn."""
    who = network_of(request.client.host) if request.client else None
    wait = failures.wait(who)
    if wait:
        log.warning("local_sign_in_too_often")
        raise Stopped(429, _TOO_OFTEN.format(ceil(wait / 60)), {"Retry-After": str(wait)})
    # Of hashes, so that the time says nothing of the length either.
    if not hmac.compare_digest(_hashed(tried), _hashed(passphrase)):
        failures.note(who)
        log.warning("local_sign_in_failed")
        raise Stopped(403, _WRONG)


def _hashed(text: str) -> bytes:
    return sha256(text.encode()).digest()
