"""What goes on in the visitor's batches right now, to be asked for once a second.

Knows nothing of how it is shown. Who has seen the state that there is gets 304 and no body.
"""

import hashlib
import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.asking import Asking
from app.web import Web
from db import history
from pages import shapes

_HEADERS = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}


def routes(web: Web) -> APIRouter:
    router = APIRouter()
    store = web.service.store

    @router.get("/live")
    def live(request: Request, visitor: Asking) -> Response:
        """`{"now", "batches"}`: unfinished batches, and those that finished in the last minutes."""
        now = store.clock.now()
        batches = [shapes.batch(view, now) for view in history.recent(store, visitor.user_id)]
        headers = _HEADERS | {"ETag": etag(batches)}
        if _has_seen(request.headers.get("if-none-match", ""), headers["ETag"]):
            return Response(status_code=304, headers=headers)
        body = json.dumps({"now": shapes.iso(now), "batches": batches}, separators=(",", ":"))
        return Response(body, headers=headers, media_type="application/json")

    return router


def etag(batches: list[dict[str, Any]]) -> str:
    """Names a state of the batches. `seconds_left` is not part of it: it runs by itself, and is set
    right with the next piece that is done."""
    state = [
        batch | {"jobs": [{**job, "seconds_left": None} for job in batch["jobs"]]}
        for batch in batches
    ]
    digest = hashlib.blake2b(json.dumps(state).encode(), digest_size=16).hexdigest()
    return f'W/"{digest}"'


def _has_seen(header: str, etag: str) -> bool:
    return etag in (seen.strip() for seen in header.split(","))
