"""What every answer tells the browser not to do, and the order of everything in front of the app.

Knows which hosts may frame us and where forms may lead. Knows nothing of what the answers say.
"""

from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.compressing import Compressing
from app.cookies import session_cookie
from app.first_paint import FirstPaint
from app.gate import LOOK, Gate
from app.gate_rules import Look
from app.identify import Identify
from app.origins import OwnAddresses, OwnHostOnly
from app.request_log import RequestLog
from app.settings import Settings
from app.web import Web
from pages.visitor import KEY

_HUB = "https://huggingface.co"
_SHUT = ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "usb")


def protect(app: FastAPI, web: Web) -> None:
    """Put the gate and its helpers in front of everything that `app` answers."""
    settings, own = web.settings, OwnAddresses.of(web.settings)
    identify = Identify(
        web.service.store,
        session_cookie(settings),
        web.site.policy_version,
        settings.names_admin,
        behind_bearer=settings.is_space,
    )
    # From the inside out: what is added last comes first.
    app.add_middleware(FirstPaint)
    app.add_middleware(Compressing)
    app.add_middleware(Gate, identify=identify, own=own, inbox=web.service.folders.inbox)
    # Lets in no other origin. That it is there at all switches off Gradio's own, which lets in all.
    app.add_middleware(CORSMiddleware, allow_origins=[settings.origin])
    app.add_middleware(OwnHostOnly, own=own)
    app.add_middleware(RequestLog)
    app.add_middleware(SecurityHeaders, settings=settings)


class SecurityHeaders:
    """Middleware: the same headers on every answer, errors included."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._policies = content_policies(settings)
        self._headers = fixed_headers(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        state = scope.setdefault("state", {})

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers["Content-Security-Policy"] = self._policy(state.get(LOOK), headers)
                # What was made for somebody is theirs, and `/` is another page for each.
                if KEY in state or scope["path"] in ("/", "/landing"):
                    headers.setdefault("Cache-Control", "private, no-store")
            await send(message)

        return await self._app(scope, receive, send_on)

    def _policy(self, look: Look | None, headers: MutableHeaders) -> str:
        if look is Look.FILE or not headers.get("content-type", "").startswith("text/html"):
            return self._policies[Look.FILE]
        return self._policies[look or Look.PAGE]


def fixed_headers(settings: Settings) -> dict[str, str]:
    """What stands in every answer."""
    headers = {
        "X-Content-Type-Options": "nosniff",
        # Not `no-referrer`: browsers would send `Origin: null` with our own forms then.
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{name}=()" for name in _SHUT),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if not settings.is_space:
        headers["X-Frame-Options"] = "DENY"
    if settings.is_https:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


def content_policies(settings: Settings) -> dict[Look, str]:
    """The content security policy of each look."""
    frames = "'none'"
    if settings.space_host:
        hosts = [f"https://{host.strip()}" for host in settings.space_host.split(",")]
        frames = " ".join([_HUB, *hosts])
    forms = " ".join(["'self'", *sorted({_origin(each.issuer) for each in settings.providers})])
    common = (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
        f"form-action {forms}; frame-ancestors {frames}"
    )
    return {
        Look.PAGE: f"{common}; base-uri 'none'; script-src 'self'; style-src 'self'",
        # Its page consists of inline scripts and styles; its templates are compiled in the browser.
        Look.GRADIO: (
            f"{common}; base-uri 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
            "style-src 'self' 'unsafe-inline'; font-src 'self' data:; worker-src 'self' blob:"
        ),
        Look.FILE: f"sandbox; default-src 'none'; frame-ancestors {frames}",
    }


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
