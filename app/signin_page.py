"""The pages with the ways to sign in: the sign-in page, with or without a sentence about what went
wrong, and the landing page.

Knows which buttons they have for whom. Knows nothing of what they lead to.
"""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.sessions import Stopped
from app.settings import Settings, is_loopback
from app.web import Web
from pages.public import Local
from pages.tabs import Tab

_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-real-ip")


class SignInPage:
    """One per web process."""

    def __init__(self, web: Web) -> None:
        self._settings = web.settings
        self._site = web.site

    def plain(self, request: Request, place: Tab | None) -> Response:
        """The page, for who has yet to choose."""
        return HTMLResponse(self._html(request, place, None), 200, {"Cache-Control": "no-store"})

    def after(self, stopped: Stopped, request: Request, place: Tab | None) -> Response:
        """The page once more, with the reason and its status."""
        headers = {"Cache-Control": "no-store", **stopped.headers}
        return HTMLResponse(self._html(request, place, stopped.problem), stopped.status, headers)

    def _html(self, request: Request, place: Tab | None, problem: str | None) -> str:
        local = local_way(self._settings, request)
        return self._site.sign_in(self._settings.providers, local, problem=problem, next=place)


def landing(web: Web, request: Request) -> Response:
    """What the gate serves at `/` to who is not signed in."""
    framed = request.headers.get("sec-fetch-dest") == "iframe"
    local = local_way(web.settings, request)
    return HTMLResponse(web.site.landing(web.settings.providers, local, framed=framed))


def local_way(settings: Settings, request: Request) -> Local:
    """How the owner signs in from where this was sent."""
    if settings.local_passphrase is not None:
        return "passphrase"
    return "press" if settings.has_local_sign_in and is_here(request) else None


def is_here(request: Request) -> bool:
    """Whether this was sent on this machine, to this machine, by somebody who knows that.

    The address alone does not say so: a page of any site can have its name resolve to 127.0.0.1,
    and a proxy may stand in front.
    """
    if request.client is None or not is_loopback(request.client.host):
        return False
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        named = urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        return False
    return named is not None and is_loopback(named)
