"""What a plain form of ours sends.

Knows nothing of files: those come through the upload route.
"""

from urllib.parse import parse_qsl

from starlette.requests import Request

from app.problems import Problem

_LARGEST = 8 * 1024
_MOST_FIELDS = 16


async def fields_of(request: Request) -> dict[str, str]:
    """The fields that are not empty; none of anything that is not such a form.

    Raises `Problem` for a body that none of our forms sends.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return {}
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            raise Problem(413, "REQUEST_TOO_LARGE", "The form is too large.")
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise Problem(422, "INVALID_REQUEST", "The request is not understood.") from error
