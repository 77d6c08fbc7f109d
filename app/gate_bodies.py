"""What may stand in the body of a request to Gradio: JSON that names no file but own uploads.

Gradio takes every object with a `path` for a file of this machine, at any depth of any argument,
and fetches what looks like an address. Some of its components look only at `path`, some at `url`,
and an answer with `__type__` is an order to make a component anew: so these keys are watched
wherever they stand. Knows nothing of what the values are for.

What is let through is written anew, so that Gradio reads what was checked here.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import anyio
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from app.problems import Problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_FILES = 1_000
_SECONDS = 30  # to send a body of this size
_LARGEST = 2**53  # what a browser's numbers hold, and every reader of ours too

Json = dict[str, Any]


async def read(headers: Headers, receive: Receive) -> bytes:
    """The whole body. Raises a `Problem` when it is too large, too slow or no JSON by its headers,
    `ClientDisconnect` when the rest of it will not come."""
    kind, _, parameters = headers.get("content-type", "").lower().partition(";")
    is_utf8 = parameters.replace(" ", "").replace('"', "") in ("", "charset=utf-8")
    if kind.strip() != "application/json" or not is_utf8 or "content-encoding" in headers:
        raise Problem(415, "NOT_JSON", "Only plain JSON in UTF-8 is understood here.")
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > MAX_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        with anyio.fail_after(_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                body += message.get("body", b"")
                if len(body) > MAX_BYTES:
                    raise _too_large()
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as error:
        raise Problem(408, "TOO_SLOW", "The request did not arrive in time.") from error


def checked(raw: bytes, inbox: Path, origin: str) -> Json:
    """The body as an object, once nothing in it is to be refused; raises a `Problem` otherwise.

    Files have to be in the folder `inbox`; addresses have to be below `origin`. Looks at the disk:
    not for the event loop.
    """
    body = _parsed(raw)
    files = 0
    for key, value in _members(body):
        if key == "__type__":
            raise Problem(400, "INVALID_REQUEST", "The request is not understood.")
        if key == "url" and not _is_own_address(value, origin):
            raise Problem(
                400,
                "NOT_FETCHED",
                "Pictures are not fetched from other addresses.",
                "Download the picture and upload the file.",
            )
        if key == "path" and value is not None:
            files += 1
            if files > MAX_FILES:
                raise Problem(400, "TOO_MANY_FILES", "There are too many files in one request.")
            if not lies_in(inbox, value):
                raise Problem(
                    404,
                    "NOT_FOUND",
                    "One of the pictures is not among your uploads.",
                    "Upload it again: what is not handed in within an hour is removed.",
                )
    return body


def lies_in(folder: Path, path: Any) -> bool:
    """Whether `path` is the plain absolute path of a file that is there, somewhere below `folder`,
    with no link on the way from there. Other ways of writing the same file are not taken."""
    if not isinstance(path, str) or not path.startswith(f"{folder}/"):
        return False
    rest = path.removeprefix(f"{folder}/")
    try:
        # Above the folder there may be links: the operator's.
        real = os.path.join(os.path.realpath(folder, strict=True), rest)  # noqa: PTH118
        return os.path.realpath(path, strict=True) == real and Path(real).is_file()
    except (OSError, ValueError):
        return False


def written(body: Json) -> bytes:
    """The body for Gradio. Raises a `Problem` for numbers that JSON does not have."""
    try:
        return json.dumps(body, allow_nan=False).encode()
    except ValueError as error:
        raise _not_understood() from error


def replayed(body: bytes, receive: Receive) -> Receive:
    """Hands out `body`, then whatever `receive` still has to say: that the client has left."""
    is_sent = False

    async def receive_again() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def _parsed(raw: bytes) -> Json:
    try:
        body = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_constant=_no_such_number,
        )
    except (ValueError, RecursionError) as error:
        raise _not_understood() from error
    if not isinstance(body, dict):
        raise _not_understood()
    return body


def _members(body: Json) -> Iterator[tuple[str, Any]]:
    """Every key of every object in it, with its value."""
    waiting: list[tuple[Any, int]] = [(body, 1)]
    while waiting:
        value, depth = waiting.pop()
        if not isinstance(value, dict | list):
            continue
        if depth > MAX_DEPTH:
            raise Problem(400, "INVALID_REQUEST", "The request is nested too deeply.")
        if isinstance(value, dict):
            yield from value.items()
        inner = value.values() if isinstance(value, dict) else value
        waiting += [(each, depth + 1) for each in inner]


def _is_own_address(value: Any, origin: str) -> bool:
    if value is None or value == "":
        return True
    if not isinstance(value, str):
        return False
    path = value.removeprefix(origin)
    return path.startswith("/") and not path.startswith(("//", "/\\"))


def _object(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _integer(digits: str) -> int:
    if len(digits) > 20 or abs(int(digits)) > _LARGEST:
        raise ValueError("a number is too large")
    return int(digits)


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _too_large() -> Problem:
    return Problem(413, "REQUEST_TOO_LARGE", "The request is larger than 1 MiB.")


def _not_understood() -> Problem:
    return Problem(400, "INVALID_REQUEST", "The request is not understood.")
