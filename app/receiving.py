"""Takes the body of an upload apart while it arrives, and lays its files into the inbox.

Knows multipart/form-data and limits. Knows no request: it is fed chunk by chunk, by any thread, one
chunk at a time. Whatever ends it early, `discard` leaves no byte behind.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from app.problems import Problem
from tasks.inbox import NewUpload
from tasks.limits import Limits

# Its warnings quote the request.
logging.getLogger("python_multipart").setLevel(logging.ERROR)

FIELD = b"files"
_MORE_PARTS = 20
"""Parts that are no files: they are read over, and not kept."""
_PART_OVERHEAD = 4 * 1024
"""Bytes that a part has beside its file, headers and boundary: far more than any browser sends."""


@dataclass(frozen=True)
class Bounds:
    """What one request may bring."""

    files: int
    file_bytes: int

    @classmethod
    def of(cls, limits: Limits) -> "Bounds":
        return cls(limits.files, limits.file_bytes)

    @property
    def all_files_bytes(self) -> int:
        return self.files * self.file_bytes

    @property
    def body_bytes(self) -> int:
        return self.all_files_bytes + (self.files + _MORE_PARTS) * _PART_OVERHEAD


def boundary_of(content_type: str) -> bytes:
    """What separates the parts; raises `Problem` where the body is no form with files."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise Problem(
            415,
            "NOT_A_FORM",
            "Pictures are sent as multipart/form-data.",
            "Name the fields `files`.",
        )
    return options[b"boundary"]


def body_too_large(bounds: Bounds) -> Problem:
    return Problem(
        413,
        "UPLOAD_TOO_LARGE",
        f"The upload is too large: {bounds.files} pictures of {bounds.file_bytes / 1e6:g} MB are "
        "the most that is accepted at once.",
        "Send fewer pictures at once.",
    )


class Receiver:
    """One request's body. Call `feed` with each chunk, then `finish`; and `discard` if not."""

    def __init__(self, boundary: bytes, bounds: Bounds, begin: Callable[[str], NewUpload]) -> None:
        """`begin` makes the place for a file, of the name that the sender gives it."""
        self._bounds = bounds
        self._begin = begin
        self._files: list[NewUpload] = []
        self._current: NewUpload | None = None
        self._parts = 0
        self._bytes = 0
        self._header = (bytearray(), bytearray())
        self._disposition = b""
        self._is_complete = False
        self._is_over = False
        # A request can be canceled while a thread is still writing.
        self._lock = threading.Lock()
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_begin": self._header_begins,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_end,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_ends,
                    "on_end": self._body_ends,
                },
            )
        except FormParserError as error:
            raise _malformed() from error

    def feed(self, chunk: bytes) -> None:
        """Raises `Problem` for what breaks a limit or is no form, `StorageFull` for a full disk."""
        with self._lock:
            if self._is_over:
                return
            self._bytes += len(chunk)
            if self._bytes > self._bounds.body_bytes:
                raise body_too_large(self._bounds)
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise _malformed() from error

    def finish(self, at: datetime) -> list[Path]:
        """Where the files lie, in the order they came. Raises `Problem` if there are none, or if
        the body was not complete."""
        with self._lock:
            if not self._is_complete:
                raise _malformed()
            if not self._files:
                raise Problem(
                    422,
                    "NOTHING_TO_DO",
                    "There is no picture in the upload.",
                    "Name its field `files`, and give it a file name.",
                )
            paths = [file.finish(at) for file in self._files]
            self._is_over = True
            return paths

    def discard(self) -> None:
        """Unless all was finished, nothing is left of it."""
        with self._lock:
            if not self._is_over:
                self._is_over = True
                for file in self._files:
                    file.abandon()

    def _part_begins(self) -> None:
        self._parts += 1
        self._disposition = b""
        if self._parts > self._bounds.files + _MORE_PARTS:
            raise _malformed()

    def _header_begins(self) -> None:
        self._header = (bytearray(), bytearray())

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def _header_ends(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = bytes(self._header[1])

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"filename")
        if options.get(b"name") != FIELD or not name:
            return
        if len(self._files) == self._bounds.files:
            raise Problem(
                413,
                "TOO_MANY_FILES",
                f"{self._bounds.files} pictures are the most that may be sent at once.",
                "Send the others afterwards.",
            )
        self._current = self._begin(_decoded(name))
        self._files.append(self._current)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current is None:
            return
        if self._current.size + end - start > self._bounds.file_bytes:
            raise Problem(
                413,
                "FILE_SIZE_EXCEEDED",
                f"A picture has more than {self._bounds.file_bytes / 1e6:g} MB, the most that is "
                "accepted here.",
                "Save it as JPEG or make it smaller.",
            )
        self._current.write(memoryview(data)[start:end])

    def _part_ends(self) -> None:
        if self._current is not None:
            self._current.close()
        self._current = None

    def _body_ends(self) -> None:
        self._is_complete = True


def _decoded(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _malformed() -> Problem:
    return Problem(
        400, "MALFORMED_UPLOAD", "The upload is damaged or incomplete.", "Please try again."
    )
