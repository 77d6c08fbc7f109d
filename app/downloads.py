"""The door through which pictures go out: originals, results, previews, and the visitor's uploads.

Every address names a file by its id, and the rows say whose it is. Knows nothing of how bytes are
encrypted, and fetches nothing from anywhere.
"""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from app import archive, delivery, tiles
from app.asking import Asking, id_of
from app.problems import not_found
from app.web import Web
from db import files
from tasks import inbox

_READ_METHODS = ["GET", "HEAD"]


def routes(web: Web) -> APIRouter:
    """With those of tiles and of whole batches: the address of a tile comes before that of a file
    and its name, which would match it as well."""
    router = APIRouter()
    router.include_router(tiles.routes(web))
    router.include_router(archive.routes(web))
    store = web.service.store

    @router.api_route("/files/{file_id}", methods=_READ_METHODS)
    @router.api_route("/files/{file_id}/{name}", methods=_READ_METHODS)
    def file(request: Request, visitor: Asking, file_id: str, name: str = "") -> Response:
        """`name` is for programs that call a download by the end of its address."""
        found = files.find(store, id_of(file_id), visitor.user_id)
        return delivery.send_file(request, store, found, visitor.user_id)

    @router.api_route("/gradio_api/file={path:path}", methods=_READ_METHODS)
    def gradio_file(request: Request, visitor: Asking, path: str) -> Response:
        """What Gradio's page and client ask for: an upload, or one of our addresses."""
        file_id = _id_in(path, web.settings.origin)
        if file_id is not None:
            found = files.find(store, file_id, visitor.user_id)
            return delivery.send_file(request, store, found, visitor.user_id)
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


def _id_in(path: str, origin: str) -> UUID | None:
    """The file that is named by an address of ours, absolute or not; None for any other path."""
    parts = path.removeprefix(f"{origin}/").removeprefix("/").split("/")
    if parts[0] != "files" or len(parts) not in (2, 3):
        return None
    return id_of(parts[1])
