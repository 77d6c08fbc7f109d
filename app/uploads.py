"""The door through which pictures come in: ours, at the address where Gradio has its own.

Streams into the visitor's inbox, within limits of files, bytes, room and time. Knows how a request
may end: whichever way it does, either all of its files lie there or nothing of them does.
"""

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from app.asking import Asking
from app.problems import Problem
from app.receiving import Bounds, Receiver, body_too_large, boundary_of
from app.web import Web
from tasks import inbox
from tasks.inbox import NewUpload
from tasks.service import Service

STANDSTILL = 30.0
"""Seconds in which `PACE` bytes must arrive, or the sender is given up."""
PACE = 32 * 1024
_BATCHES_WAITING = 10
"""Most files that wait, in batches; of their bytes, two batches' are the most."""

log = logging.getLogger(__name__)

Begin = Callable[[str], NewUpload]


def routes(web: Web) -> APIRouter:
    router = APIRouter()
    desk = Desk(web.service)

    @router.post("/gradio_api/upload")
    async def upload(request: Request, visitor: Asking) -> Response:
        """Gradio's answer: the absolute path of each file, in the order they came."""
        boundary = boundary_of(request.headers.get("content-type", ""))
        announced = announced_by(request)
        try:
            async with desk.taking(visitor.user_id, announced) as begin:
                receiver = Receiver(boundary, desk.bounds, begin)
                paths = await _receive(request, receiver, web.service)
        except ClientDisconnect:
            log.info("upload_broken_off")
            return Response(status_code=400)  # that nobody is there to read
        except Problem as problem:
            if announced is None or announced > 2 * desk.bounds.body_bytes:
                # The server reads over the rest, so that the sender hears the answer; but not for
                # ever.
                problem.headers["Connection"] = "close"
            raise
        return JSONResponse(list(map(str, paths)), headers={"Cache-Control": "no-store"})

    return router


class Desk:
    """What this process is taking in, so that what waits and what comes stay within bounds.

    Counted in memory: there is one web process on a data folder.
    """

    def __init__(self, service: Service) -> None:
        self.bounds = Bounds.of(service.limits)
        self._folders = service.folders
        self._coming: dict[UUID, dict[object, int]] = {}
        self._open_folders: set[Path] = set()

    @asynccontextmanager
    async def taking(self, user_id: UUID, announced: int | None) -> AsyncIterator[Begin]:
        """Around one request: gives what makes the place for a file of it.

        `announced` are the bytes of its body, None where they are not known. Raises `Problem` when
        it is too large or too much waits already, `StorageFull` when the disk has no room.
        """
        if announced is not None and announced > self.bounds.body_bytes:
            raise body_too_large(self.bounds)
        token, mine = object(), set[Path]()
        coming = self._coming.setdefault(user_id, {})
        coming[token] = self.bounds.all_files_bytes
        if announced is not None:
            coming[token] = min(announced, coming[token])

        def begin(name: str) -> NewUpload:
            inbox.check_room(self._folders)
            new = NewUpload(self._folders, user_id, name)
            mine.add(new.folder)
            self._open_folders.add(new.folder)
            return new

        try:
            await run_sync(inbox.check_room, self._folders, announced or 0)
            await run_sync(self._check_waiting, user_id)
            yield begin
        finally:
            self._open_folders -= mine
            del coming[token]
            if not coming:
                del self._coming[user_id]

    def _check_waiting(self, user_id: UUID) -> None:
        coming = list(self._coming[user_id].values())
        files, size = inbox.waiting(self._folders, user_id, but=self._open_folders)
        if (
            size + sum(coming) > 2 * self.bounds.all_files_bytes
            or files + len(coming) > _BATCHES_WAITING * self.bounds.files
        ):
            raise Problem(
                429,
                "TOO_MUCH_WAITING",
                "Too many of your uploads wait to be upscaled.",
                "Upscale them, or wait: uploads that are not used are deleted after an hour.",
                {"Retry-After": "60"},
            )


async def _receive(request: Request, receiver: Receiver, service: Service) -> list[Path]:
    """Where the files of the body lie. Raises `ClientDisconnect`, `Problem` or `StorageFull`, and
    leaves nothing behind then."""
    try:
        async for chunk in arriving(request):
            await run_sync(receiver.feed, chunk)
        return receiver.finish(service.store.clock.now())
    finally:
        receiver.discard()


async def arriving(request: Request) -> AsyncIterator[bytes]:
    """The body, chunk by chunk. Raises `ClientDisconnect`, and `Problem` when it stands still."""
    fed, deadline = 0, time.monotonic() + STANDSTILL
    while True:
        with anyio.move_on_after(deadline - time.monotonic()) as patience:
            message = await request.receive()
        if patience.cancelled_caught:
            raise Problem(
                408,
                "UPLOAD_STOOD_STILL",
                "The upload stood still for too long.",
                "Please try again.",
                {"Connection": "close"},
            )
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if chunk := message.get("body", b""):
            yield chunk
            fed += len(chunk)
        if not message.get("more_body", False):
            return
        if fed >= PACE:
            fed, deadline = 0, time.monotonic() + STANDSTILL


def announced_by(request: Request) -> int | None:
    """How many bytes the body has, as it says; None where it does not."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else None
