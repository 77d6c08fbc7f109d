"""Sending bytes that are the visitor's own: whole or in one range, never kept by anybody between.

Knows headers, ranges and how a transfer ends. Reads in a thread, chunk by chunk. A transfer that
cannot be completed is broken off, so that what arrived does not look whole.
"""

import logging
import re
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO
from urllib.parse import quote

import anyio
from anyio.to_thread import run_sync
from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.problems import Problem
from db.cipher import CHUNK
from db.errors import StoreError

PRIVATE = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of everything that belongs to one visitor."""

MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "zip": "application/zip",
}
BYTES = "application/octet-stream"

CHECK_EVERY = 1.0
"""Seconds after which a transfer looks again whether its file may still be read."""

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Span:
    """Part of a file: from byte `start`, `end` not included."""

    start: int
    end: int


def span_of(request: Request, size: int, etag: str | None) -> Span | None:
    """The one range that is asked for; None for the whole file.

    What cannot be understood is answered with the whole file, as is more than one range. Raises
    `Problem` for a range that lies behind the end.
    """
    asked = _RANGE.fullmatch(request.headers.get("range", "").strip().lower())
    condition = request.headers.get("if-range")
    if asked is None or request.method != "GET" or (condition and condition != etag):
        return None
    first, last = asked.groups()
    if not first and not last:
        return None
    if first and last and int(first) > int(last):
        return None
    if first:
        span = Span(int(first), min(int(last) + 1, size) if last else size)
    else:
        span = Span(max(0, size - int(last)), size)
    if span.start >= size:
        raise Problem(
            416,
            "NO_SUCH_RANGE",
            "The file has no bytes there.",
            "",
            {"Content-Range": f"bytes */{size}"},
        )
    return span


def attachment(name: str) -> str:
    """`Content-Disposition` for saving a file under `name`, after RFC 6266: one line of ASCII,
    whatever the name is."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    # Some browsers decode percent signs here, and nobody agrees on how to escape the others.
    plain = re.sub(r'[^ -~]|[\\"%;/]', "_", plain).strip()
    stem = plain.rpartition(".")[0] or plain
    fallback = plain if stem.strip(" _") else f"picture{plain[len(stem) :]}"
    header = f'attachment; filename="{fallback}"'
    if fallback != name:
        header += f"; filename*=UTF-8''{quote(name, safe='', errors='replace')}"
    return header


def send(
    request: Request,
    stream: BinaryIO,
    size: int,
    *,
    name: str,
    media_type: str = BYTES,
    etag: str | None = None,
    check: Callable[[], object] = lambda: None,
    delivered: Callable[[], None] | None = None,
) -> Response:
    """The answer that sends `stream`, which has `size` bytes and is closed by it.

    `check` is called every second while it is read; what it raises ends the transfer. `delivered`
    is called once all of the file was sent. To be called in a thread: reads the first
    bytes, and raises what reading them raises.
    """
    headers = PRIVATE | {"Content-Disposition": attachment(name), "Accept-Ranges": "bytes"}
    if etag:
        headers["ETag"] = etag
    try:
        span = span_of(request, size, etag)
        if request.method == "HEAD":
            stream.close()
            return Response(headers=headers | {"Content-Length": str(size)}, media_type=media_type)
        part = span or Span(0, size)
        chunks = read(stream, part, check)
        first = next(chunks, b"")
    except BaseException:
        stream.close()
        raise
    headers["Content-Length"] = str(part.end - part.start)
    if span:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    is_whole = part == Span(0, size)
    return Delivery(
        chain([first], chunks),
        headers,
        media_type,
        status=206 if span else 200,
        ends=stream.close,
        delivered=delivered if is_whole else None,
    )


class Delivery(Response):
    """Sends chunks that are made in a thread, until they end or the visitor goes."""

    def __init__(
        self,
        chunks: Iterator[bytes],
        headers: dict[str, str],
        media_type: str,
        *,
        status: int = 200,
        ends: Callable[[], None],
        delivered: Callable[[], None] | None = None,
    ) -> None:
        """`ends` is called in any case, `delivered` when every chunk was sent."""
        self.status_code = status
        self.media_type = media_type
        self.background = None
        self._chunks, self._ends, self._delivered = chunks, ends, delivered
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_done = False
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_when_gone, receive, group.cancel_scope)
                is_done = await self._send(send)
                group.cancel_scope.cancel()
        finally:
            # A thread may still be making a chunk when the server stops; it is the last then.
            with suppress(ValueError):
                self._ends()
        if is_done and self._delivered:
            with anyio.CancelScope(shield=True):
                await run_sync(self._note_delivery)

    async def _send(self, send: Send) -> bool:
        """Whether all was sent."""
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        while True:
            try:
                chunk = await run_sync(next, self._chunks, None)
            except StoreError as error:
                # Without its end, which breaks the connection.
                log.info("download_broken_off", extra={"code": error.code})
                return False
            if chunk is None:
                break
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        # This one waits until the visitor has taken most of what came before, and the next look at
        # a thread gives way to hearing that they went.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await run_sync(self._ends)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return True

    def _note_delivery(self) -> None:
        assert self._delivered
        try:
            self._delivered()
        except StoreError as error:
            log.warning("download_not_counted", extra={"code": error.code})


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def read(stream: BinaryIO, span: Span, check: Callable[[], object]) -> Iterator[bytes]:
    """The bytes of a part, in chunks of up to 256 KiB; `check` as in `send`."""
    stream.seek(span.start)
    left = span.end - span.start
    checked = time.monotonic()
    while left:
        if time.monotonic() - checked >= CHECK_EVERY:
            check()
            checked = time.monotonic()
        # Up to where a chunk of the storage ends, so that none is decrypted twice.
        chunk = stream.read(min(left, CHUNK - (span.end - left) % CHUNK))
        if not chunk:
            raise EOFError("the file is shorter than it should be")
        left -= len(chunk)
        yield chunk
