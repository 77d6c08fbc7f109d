"""The door through which pictures go out: originals, results, previews, and the visitor's uploads.

Every address names a file by its id, and the rows say whose it is. Knows nothing of how bytes are
encrypted, and fetches nothing from anywhere.
"""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from app import delivery
from app.asking import Asking, id_of
from app.problems import not_found
from app.web import Web
from db import files
from db.files import Stored
from db.store import Store
from db.work import Role
from pages import names
from tasks import inbox

_READ_METHODS = ["GET", "HEAD"]


def routes(web: Web) -> APIRouter:
    router = APIRouter()
    store = web.service.store

    @router.api_route("/files/{file_id}", methods=_READ_METHODS)
    @router.api_route("/files/{file_id}/{name}", methods=_READ_METHODS)
    def file(request: Request, visitor: Asking, file_id: str, name: str = "") -> Response:
        """`name` is for programs that call a download by the end of its address."""
        found = files.find(store, id_of(file_id), visitor.user_id)
        return send_file(request, store, found, visitor.user_id)

    @router.api_route("/gradio_api/file={path:path}", methods=_READ_METHODS)
    def gradio_file(request: Request, visitor: Asking, path: str) -> Response:
        """What Gradio's page and client ask for: an upload, or one of our addresses."""
        file_id = _id_in(path, web.settings.origin)
        if file_id is not None:
            found = files.find(store, file_id, visitor.user_id)
            return send_file(request, store, found, visitor.user_id)
        upload = inbox.find(web.service.folders, visitor.user_id, path)
        if upload is None:
            raise not_found()
        try:
            stream = inbox.open_upload(upload)
        except OSError:
            raise not_found() from None
        size = stream.seek(0, 2)
        return delivery.send(request, stream, size, name=upload.name)

    return router


def send_file(request: Request, store: Store, file: Stored, user_id: UUID) -> Response:
    """A stored file as an attachment under its own name. Raises `Gone` or `DamagedFile`."""
    return delivery.send(
        request,
        files.open(store, file),
        file.size,
        name=names.download(file),
        media_type=delivery.MEDIA_TYPES.get(file.format, delivery.BYTES),
        # An id names the same bytes for ever.
        etag=f'"{file.id}"',
        check=lambda: files.find(store, file.id, user_id),
        delivered=(
            (lambda: files.note_download(store, file)) if file.role is Role.RESULT else None
        ),
    )


def _id_in(path: str, origin: str) -> UUID | None:
    """The file that is named by an address of ours, absolute or not; None for any other path."""
    parts = path.removeprefix(f"{origin}/").removeprefix("/").split("/")
    if parts[0] != "files" or len(parts) not in (2, 3):
        return None
    return id_of(parts[1])
