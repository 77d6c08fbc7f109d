"""Compression and lifetimes of what is the same for everybody: our own files and public pages.

Nothing else is compressed here. The size of an answer that holds a secret and something that was
sent tells of the secret; these hold neither.
"""

import re

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.gate import LANDING

_SHRINKS = re.compile(
    rf"/ui/.+\.(?:css|js|svg)|{LANDING}|/(?:privacy|privacy/proof|cookies|terms|api)"
)
_OURS = re.compile(r"/ui/.+")
# The same for as long as the family is.
_KEPT = re.compile(r"/ui/fonts/.+")


class Compressing:
    """Middleware behind the gate, which knows the landing page by a name of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._smaller = GZipMiddleware(app, minimum_size=500)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        path = scope["path"]
        app = self._smaller if _SHRINKS.fullmatch(path) else self._app
        return await app(scope, receive, _lasting(send, path) if _OURS.fullmatch(path) else send)


def _lasting(send: Send, path: str) -> Send:
    """Fonts are kept for a month. Everything else is asked for again each time, and mostly found
    unchanged: a page with half of its files from before an upgrade would be neither."""
    lifetime = "public, max-age=2592000" if _KEPT.fullmatch(path) else "no-cache"

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).setdefault("Cache-Control", lifetime)
        await send(message)

    return send_on
