"""All results of a batch as one ZIP, made while it is sent.

Holds one chunk at a time and writes no file. Pictures are stored as they are: they do not get
smaller. The length is known beforehand, so a download that broke off does not look whole.
"""

import zipfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.asking import Asking, id_of
from app.delivery import MEDIA_TYPES, PRIVATE, Delivery, Span, attachment, read
from app.web import Web
from db import files, views
from db.errors import Gone, NotFound
from db.store import Store
from db.views import BatchView
from db.work import Role
from pages.shapes import result_name
from tasks import names


@dataclass(frozen=True)
class Member:
    """A result in the ZIP."""

    name: str
    file_id: UUID
    size: int


def routes(web: Web) -> APIRouter:
    router = APIRouter()
    store = web.service.store

    @router.api_route("/batches/{batch_id}/download", methods=["GET", "HEAD"])
    def archive(request: Request, visitor: Asking, batch_id: str) -> Response:
        batch = views.show(store, id_of(batch_id), visitor.user_id)
        members = members_of(batch)
        for member in members:
            # What cannot be read shows before the first byte is sent.
            files.open(store, files.find(store, member.file_id, visitor.user_id)).close()
        zipped = zip_of(store, batch, members, visitor.user_id)
        headers = PRIVATE | {
            "Content-Disposition": attachment(_archive_name(batch, len(members))),
            "Content-Length": str(length(batch, members)),
            "Accept-Ranges": "none",
        }
        if request.method == "HEAD":
            return Response(headers=headers, media_type=MEDIA_TYPES["zip"])

        def note_downloads() -> None:
            for member in members:
                files.note_download(store, files.find(store, member.file_id, visitor.user_id))

        return Delivery(
            zipped, headers, MEDIA_TYPES["zip"], ends=zipped.close, delivered=note_downloads
        )

    return router


def members_of(batch: BatchView) -> list[Member]:
    """The results that can be read. Raises `NotFound` when there never was any, `Gone` when all
    were deleted."""
    results = [(job, file) for job in batch.jobs for file in job.files if file.role is Role.RESULT]
    readable = [(job, file) for job, file in results if file.readable]
    if not results:
        raise NotFound("There is no result here yet.")
    if not readable:
        raise Gone
    called = names.distinct(result_name(job) for job, _ in readable)
    return [
        Member(name, file.id, file.size) for name, (_, file) in zip(called, readable, strict=True)
    ]


def zip_of(
    store: Store, batch: BatchView, members: Sequence[Member], user_id: UUID
) -> Generator[bytes]:
    """The ZIP, piece by piece. Raises `Gone` or `DamagedFile` where a member cannot be read."""
    pieces = _Pieces()
    archive = _Zip(pieces, "w")
    for member in members:
        stored = files.find(store, member.file_id, user_id)
        check = partial(files.find, store, member.file_id, user_id)
        with (
            files.open(store, stored) as stream,
            archive.open(_entry(batch, member), "w") as out,
        ):
            for chunk in read(stream, Span(0, stored.size), check):
                out.write(chunk)
                yield pieces.take()
    archive.close()
    yield pieces.take()


def length(batch: BatchView, members: Sequence[Member]) -> int:
    """How many bytes `zip_of` makes: measured on the same writer, without the pictures."""
    ruler = _Ruler()
    archive = _Zip(ruler, "w")
    for member in members:
        entry = _entry(batch, member)
        with archive.open(entry, "w"):
            ruler.skip(member.size)
        entry.file_size = entry.compress_size = member.size
    archive.close()
    return ruler.tell()


def _entry(batch: BatchView, member: Member) -> zipfile.ZipInfo:
    at = batch.created_at
    entry = zipfile.ZipInfo(member.name, (at.year, at.month, at.day, at.hour, at.minute, at.second))
    entry.file_size = member.size  # says beforehand whether it needs ZIP's longer form
    return entry


def _archive_name(batch: BatchView, pictures: int) -> str:
    number = "1-picture" if pictures == 1 else f"{pictures}-pictures"
    return f"imagesupscaler_{batch.created_at:%Y-%m-%d}_{number}.zip"


class _Zip(zipfile.ZipFile):
    def __del__(self) -> None:
        """Unlike its base, finishes nothing that was abandoned."""


class _Pieces:
    """A sink that is emptied now and then. It cannot seek, so the writer never goes back."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def flush(self) -> None:
        """Part of what the writer may ask for."""

    def close(self) -> None:
        """Part of what the writer may ask for."""

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


class _Ruler(_Pieces):
    """Counts what is written, and keeps none of it."""

    def __init__(self) -> None:
        self._length = 0

    def write(self, data: bytes) -> int:
        self._length += len(data)
        return len(data)

    def tell(self) -> int:
        return self._length

    def skip(self, number: int) -> None:
        self._length += number
