"""The door through which an admin's own weights come in: `POST /admin/models?name=…&ending=….pth`.

The body is the file. Knows a request's size and how it may end. What becomes of the file is the
model desk's.
"""

import sys

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from app.asking import Asking
from app.problems import Problem, not_found
from app.uploads import announced_by, arriving
from app.web import Web
from pages.admin import task_shape
from tasks.model_desk import Incoming, ModelDesk


def models_command(*arguments: str) -> tuple[str, ...]:
    """How the desk has things done."""
    return sys.executable, "-m", "app", "models", *arguments


def routes(web: Web, desk: ModelDesk) -> APIRouter:
    router = APIRouter()
    most = round(web.settings.max_model_megabytes * 1e6)

    @router.post("/admin/models")
    async def add(request: Request, visitor: Asking) -> Response:
        """202 and the task that has begun. Nobody but an admin learns that this is here."""
        if not visitor.is_in_office:
            raise not_found()
        announced = announced_by(request)
        if announced is not None and announced > most:
            raise _too_large(most)
        name, ending = (request.query_params.get(key, "") for key in ("name", "ending"))
        incoming = await run_sync(desk.receive, visitor.user_id, name, ending.lower(), announced)
        try:
            await _receive(request, incoming, most)
        except ClientDisconnect:
            return Response(status_code=400)  # that nobody is there to read
        return JSONResponse({"task": task_shape(desk.task)}, 202, {"Cache-Control": "no-store"})

    return router


async def _receive(request: Request, incoming: Incoming, most: int) -> None:
    """All of the body, or nothing is left of it."""
    problem = "The file did not come whole."
    is_whole = False
    try:
        async for chunk in arriving(request):
            if incoming.size + len(chunk) > most:
                raise _too_large(most)
            await run_sync(incoming.write, chunk)
        await run_sync(incoming.finish)
        is_whole = True
    except Problem as refused:
        problem = refused.message
        raise
    finally:
        if not is_whole:
            incoming.abandon(problem)


def _too_large(most: int) -> Problem:
    return Problem(
        413,
        "MODEL_TOO_LARGE",
        f"The file is too large; {most / 1e6:g} MB is the most that is accepted here.",
        "Whoever runs the service sets MAX_MODEL_MEGABYTES.",
        {"Connection": "close"},
    )
