"""Gradio's page on its way out: with our shell in it, and compressed.

Touches the one answer that the gate has marked as Gradio's page. What the shell is, is in
`pages.shell`.
"""

import gzip

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.gate import LOOK
from app.gate_rules import Look
from pages.shell import furnish
from pages.tabs import Tab, tab_named


class FirstPaint:
    """Middleware behind the gate."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and scope["state"].get(LOOK) is Look.GRADIO
        if not is_page or scope["method"] != "GET":
            return await self._app(scope, receive, send)
        asked = tab_named(Request(scope).query_params.get("tab")) or Tab.UPSCALE
        start: Message = {}
        body = bytearray()

        async def send_furnished(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if message.get("more_body", False):
                return
            headers = MutableHeaders(scope=start)
            page = bytes(body)
            if start["status"] == 200:
                page = furnish(page.decode(), asked).encode()
                # Holds nothing secret and nothing that was sent: the size of it tells nobody
                # anything, as it might of another page of a visitor's.
                if "gzip" in Headers(scope=scope).get("accept-encoding", ""):
                    page = gzip.compress(page, 5, mtime=0)
                    headers["Content-Encoding"] = "gzip"
                headers.add_vary_header("Accept-Encoding")
                headers["Content-Length"] = str(len(page))
            await send(start)
            await send({"type": "http.response.body", "body": page})

        return await self._app(scope, receive, send_furnished)
