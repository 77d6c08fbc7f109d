"""Tiles of a preview, for the viewer: a few kilobytes of a picture that may have 400 megapixels.

Knows whose preview it is, by asking the rows every time. Where the tiles lie in a preview is
remembered; never its bytes and never its key.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from app.asking import Asking, id_of
from app.delivery import PRIVATE
from app.downloads import send_file
from app.problems import not_found
from app.web import Web
from db import files
from db.errors import DamagedFile
from db.files import Stored
from db.store import Store
from db.work import Role
from inference.errors import DamagedPreview
from inference.pyramid import Directory, PyramidReader

_REMEMBERED = 32
"""Previews whose directory is kept; the largest takes half a megabyte."""


def routes(web: Web) -> APIRouter:
    router = APIRouter()
    store = web.service.store
    previews = Previews(store)

    @router.api_route("/files/{file_id}/tiles", methods=["GET", "HEAD"])
    def shape(request: Request, visitor: Asking, file_id: str) -> Response:
        """`{"width", "height", "tile_size", "levels"}` of a preview."""
        file = files.find(store, id_of(file_id), visitor.user_id)
        if file.role is not Role.PREVIEW:
            # An original may be called `tiles`, and this is its address then.
            return send_file(request, store, file, visitor.user_id)
        directory = previews.directory(file)
        keys = ("width", "height", "tile_size", "levels")
        return JSONResponse({key: getattr(directory, key) for key in keys}, headers=PRIVATE)

    @router.get("/files/{file_id}/tiles/{level}/{place}")
    def tile(visitor: Asking, file_id: str, level: str, place: str) -> Response:
        """One tile as WebP; `place` is `{x}_{y}`, its column and row."""
        file = files.find(store, id_of(file_id), visitor.user_id)
        if file.role is not Role.PREVIEW:
            raise not_found()
        x, _, y = place.partition("_")
        data = previews.tile(file, _number(level), _number(x), _number(y))
        return Response(data, headers=PRIVATE, media_type="image/webp")

    return router


class Previews:
    """Reads previews of which the caller has found that they are the visitor's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._directories: OrderedDict[UUID, Directory] = OrderedDict()
        self._lock = Lock()

    def directory(self, file: Stored) -> Directory:
        """Raises `Gone` or `DamagedFile`."""
        with self._reader(file) as reader:
            return reader.directory

    def tile(self, file: Stored, level: int, x: int, y: int) -> bytes:
        """Raises `NoSuchTile`, `Gone` or `DamagedFile`."""
        with self._reader(file) as reader:
            return reader.tile(level, x, y)

    @contextmanager
    def _reader(self, file: Stored) -> Iterator[PyramidReader]:
        with self._lock:
            known = self._directories.get(file.id)
        try:
            with files.open(self._store, file) as stream:
                reader = PyramidReader(stream, known)
                yield reader
        except DamagedPreview as error:
            raise DamagedFile from error
        with self._lock:
            self._directories[file.id] = reader.directory
            self._directories.move_to_end(file.id)
            if len(self._directories) > _REMEMBERED:
                self._directories.popitem(last=False)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise not_found()
    return int(text)
