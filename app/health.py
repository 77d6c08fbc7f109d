"""`/healthz`: does this process answer? `/readyz`: does the whole service do its work?

Says no more than yes or no, but to a caller on this machine or an admin.
"""

from datetime import timedelta

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from app.settings import is_loopback
from app.web import Web
from db import sweeps, workers
from db.errors import StoreError
from db.retention import uploads_closed
from db.store import Store
from db.upkeep import SweepKind
from pages.visitor import KEY

SWEPT_WITHIN = timedelta(minutes=30)
"""Three times the time between two sweeps."""


def routes(web: Web) -> APIRouter:
    router = APIRouter()
    store = web.service.store

    @router.get("/healthz")
    async def healthz() -> Response:
        return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})

    @router.get("/readyz")
    async def readyz(request: Request) -> Response:
        found = await run_in_threadpool(checks, store)
        is_ready = all(found.values())
        body: dict[str, object] = {"status": "ready" if is_ready else "not ready"}
        if _may_know(request):
            body["checks"] = found
        return JSONResponse(body, 200 if is_ready else 503, {"Cache-Control": "no-store"})

    return router


def checks(store: Store) -> dict[str, bool]:
    """What must be true for pictures to be upscaled and deleted."""
    try:
        last = sweeps.last(store, SweepKind.RETENTION)
        swept = (
            last is not None
            and last.error_code is None
            and store.clock.now() - last.started_at < SWEPT_WITHIN
        )
        return {
            "database": True,
            "worker": workers.count_alive(store) > 0,
            "sweep": swept,
            "deletion": not uploads_closed(store),
        }
    except StoreError:
        return {"database": False}


def _may_know(request: Request) -> bool:
    visitor = request.scope.get("state", {}).get(KEY)
    if visitor is not None and visitor.is_admin:
        return True
    # Behind a proxy on this machine everybody comes from a loopback address.
    if {"forwarded", "x-forwarded-for"} & set(request.headers) or request.client is None:
        return False
    return is_loopback(request.client.host)
