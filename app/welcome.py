"""The page before the first picture: terms, policy and age.

Knows that all of it is needed at once, and what is written down then. Knows no words of the page.
"""

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.forms import fields_of
from app.problems import sign_in_first
from app.sessions import person_asking, see_other
from app.web import Web
from db import acknowledgements

_TICKED = ("on", "yes")
_MISSING = "Please tick both: without them there is no account to upscale with."


def routes(web: Web) -> APIRouter:
    """The page, and what its button sends."""
    router = APIRouter()
    site = web.site

    @router.get("/welcome")
    async def welcome(request: Request) -> Response:
        visitor = person_asking(request)
        if visitor is None:
            return see_other("/login")
        if visitor.acknowledged:
            return see_other("/")
        return _page(site.welcome(visitor.name))

    @router.post("/welcome")
    async def agree(request: Request) -> Response:
        visitor = person_asking(request)
        if visitor is None:
            raise sign_in_first()
        fields = await fields_of(request)
        if not all(fields.get(name) in _TICKED for name in ("terms", "age")):
            return _page(site.welcome(visitor.name, problem=_MISSING), 422)
        await run_in_threadpool(
            acknowledgements.record, web.service.store, visitor.user_id, site.policy_version
        )
        return see_other("/")

    return router


def _page(html: str, status: int = 200) -> Response:
    return HTMLResponse(html, status, {"Cache-Control": "no-store"})
