"""One log line per request: what was asked for by its pattern, how it ended, how long it took.

Knows no address as it was written: those hold names of files and secrets of sign-ins. Answers what
broke with a sentence that says nothing of it.
"""

import logging
import time

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.gate import RULE
from app.problems import Problem, answer

_LOG = logging.getLogger(__name__)
_METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")


class RequestLog:
    """Middleware: logs `request` at the end of each, and `request_failed` for what broke."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = time.monotonic()
        status: int | None = None
        is_whole = False

        async def send_on(message: Message) -> None:
            nonlocal status, is_whole
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)
            is_whole = message["type"] == "http.response.body" and not message.get("more_body")

        try:
            await self._app(scope, receive, send_on)
        except ClientDisconnect:
            pass
        except Exception:
            _LOG.exception("request_failed", extra={"route": _route(scope)})
            if status is None:
                await answer(Request(scope), _broken())(scope, receive, send_on)
            elif not is_whole:
                # The connection has to break, or half an answer would pass for a whole one.
                raise
        finally:
            fields = {
                "method": scope["method"] if scope["method"] in _METHODS else "other",
                "route": _route(scope),
                "status": status,
                "ms": round((time.monotonic() - started) * 1000, 1),
            }
            _LOG.info("request", extra=fields)


def _route(scope: Scope) -> str:
    rule = scope.get("state", {}).get(RULE)
    return rule.path if rule else "none"


def _broken() -> Problem:
    return Problem(
        500,
        "INTERNAL_ERROR",
        "Something went wrong here.",
        "Try again; if it stays, tell whoever runs the service.",
    )
