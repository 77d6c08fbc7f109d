"""Errors on their way out: one JSON shape for programs, one plain page for people.

`{"error": {"code": …, "message": …, "hint": …}}`. Knows which status an error has. What is not an
error of ours is a 500 that says nothing about itself.
"""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from db import errors as store_errors
from inference.errors import EngineError, NoSuchTile
from tasks import errors as task_errors

log = logging.getLogger(__name__)


class Problem(Exception):
    """A request that is answered with an error: a status, a code, a sentence and a hint."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        hint: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.headers = headers or {}


def not_found() -> Problem:
    """Not there and not yours are the same answer."""
    return Problem(404, "NOT_FOUND", "There is nothing here.")


def sign_in_first() -> Problem:
    return Problem(
        401,
        "UNAUTHORIZED",
        "Please sign in.",
        "Programs send a token that is made under Account.",
        {"WWW-Authenticate": "Bearer"},
    )


_STATUS: dict[type[Exception], int] = {
    store_errors.NotFound: 404,
    NoSuchTile: 404,
    store_errors.Gone: 410,
    store_errors.InvalidCursor: 422,
    store_errors.Suspended: 403,
    store_errors.TooManyOpenJobs: 429,
    task_errors.DeskBusy: 409,
    task_errors.QueueTooLong: 503,
    task_errors.UploadsClosed: 503,
    task_errors.ReadOnlyToken: 403,
    task_errors.SessionNeeded: 403,
    store_errors.DatabaseBusy: 503,
    store_errors.StorageFull: 507,
    task_errors.Refused: 422,
    EngineError: 422,
    store_errors.StoreError: 500,
}


def problem_of(error: Exception) -> Problem | None:
    """The answer to an error of ours."""
    if isinstance(error, Problem):
        return error
    for kind in type(error).__mro__:
        if kind in _STATUS:
            code, message = getattr(error, "code"), getattr(error, "message")  # noqa: B009
            return Problem(_STATUS[kind], code, message, getattr(error, "hint", ""))
    return None


def answer(request: Request, problem: Problem) -> Response:
    """As JSON, or as a page for whoever navigates."""
    headers = {"Cache-Control": "no-store", **problem.headers}
    wants_page = request.method in ("GET", "HEAD", "POST") and "text/html" in request.headers.get(
        "accept", ""
    )
    if wants_page:
        from pages import public

        page = public.problem_page(problem.message, problem.hint)
        return Response(page, problem.status, headers, "text/html; charset=utf-8")
    error = {"code": problem.code, "message": problem.message, "hint": problem.hint}
    return JSONResponse({"error": error}, problem.status, headers)


def handle(app: FastAPI) -> None:
    """Answer every error of this app's own routes in this way."""

    async def ours(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        assert problem is not None
        return answer(request, problem)

    async def of_framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return answer(request, not_found())
        sentence = str(error.detail)
        headers = dict(error.headers or {})
        return answer(request, Problem(error.status_code, "REFUSED", sentence, headers=headers))

    async def invalid(request: Request, error: Exception) -> Response:
        # Not what FastAPI says: it would quote the input.
        return answer(request, Problem(422, "INVALID_REQUEST", "The request is not understood."))

    kinds: list[Any] = [Problem, *_STATUS]
    for kind in kinds:
        app.add_exception_handler(kind, ours)
    app.add_exception_handler(HTTPException, of_framework)
    app.add_exception_handler(RequestValidationError, invalid)
