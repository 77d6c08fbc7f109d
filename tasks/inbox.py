"""Where uploads wait until they are submitted: `inbox/{user}/{random}/{name}`, in plain.

Knows whose folder is whose and how much may wait in it. Knows nothing of how bytes arrive. What is
left here is swept after an hour, by `tasks/retention.py`.
"""

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from db.blobs import telling_full_disks
from db.errors import StorageFull
from tasks import names
from tasks.service import Folders

_RANDOM = re.compile(r"[0-9a-f]{32}")
_GIB = 1 << 30


class NewUpload:
    """A file on its way into a user's inbox. Ends with `finish` or `abandon`."""

    def __init__(self, folders: Folders, user_id: UUID, name: str) -> None:
        """Raises `StorageFull`; then nothing is left."""
        self.size = 0
        with telling_full_disks():
            self._folder = _new_folder(folders.inbox / str(user_id))
            self.path = self._folder / names.file_name(name)
            try:
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except BaseException:
                self._folder.rmdir()
                raise

    @property
    def folder(self) -> Path:
        """Its own, with nothing else in it."""
        return self._folder

    def write(self, data: bytes | memoryview) -> None:
        """Raises `StorageFull`."""
        view = memoryview(data)
        self.size += len(view)
        with telling_full_disks():
            while view:
                view = view[os.write(self._descriptor, view) :]

    def close(self) -> None:
        """All of it was written."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def finish(self, at: datetime) -> Path:
        """Where it lies, to be submitted. `at` is the Clock's time, by which it is swept: the wall
        clock may have been moved."""
        self.close()
        os.utime(self.path, (at.timestamp(), at.timestamp()))
        return self.path

    def abandon(self) -> None:
        """Nothing is left of it, finished or not."""
        self.close()
        remove(self.path)


def find(folders: Folders, user_id: UUID, path: str) -> Path | None:
    """The upload of this user's that a program names by `path`, as the upload's answer named it.

    Compared as text and never resolved, so that no other way of writing it leads anywhere else.
    """
    before = f"{folders.inbox}/{user_id}/"
    folder, slash, name = path.removeprefix(before).partition("/")
    if not path.startswith(before) or not slash or not _RANDOM.fullmatch(folder):
        return None
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        return None
    found = Path(path)
    try:
        is_file = found.is_file() and not found.is_symlink()
    except OSError:  # a name longer than any file has
        return None
    return found if is_file else None


def open_upload(path: Path) -> BinaryIO:
    """Its bytes; raises `FileNotFoundError` when it was submitted or swept just now."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")


def remove(path: Path) -> None:
    """Remove an upload, and the folder that was made for it."""
    path.unlink(missing_ok=True)
    if _RANDOM.fullmatch(path.parent.name):
        with suppress(OSError):
            path.parent.rmdir()


def waiting(folders: Folders, user_id: UUID, but: set[Path]) -> tuple[int, int]:
    """How many files this user has waiting, and their bytes; without those in the folders `but`."""
    sizes = list(_sizes(folders.inbox / str(user_id), but))
    return len(sizes), sum(sizes)


def check_room(folders: Folders, wanted: int = 0) -> None:
    """Raise `StorageFull` when `wanted` bytes more would leave too little to the machine: a tenth
    of the disk, or 1 GiB where that is less."""
    disk = shutil.disk_usage(folders.inbox)
    if disk.free - wanted < min(disk.total // 10, _GIB):
        raise StorageFull


def _new_folder(of_user: Path) -> Path:
    while True:
        of_user.mkdir(mode=0o700, exist_ok=True)
        folder = of_user / secrets.token_hex(16)
        # A sweep may find the user's folder empty, and remove it, between these two lines.
        with suppress(FileNotFoundError):
            folder.mkdir(mode=0o700)
            return folder


def _sizes(of_user: Path, but: set[Path]) -> Iterator[int]:
    with suppress(FileNotFoundError), os.scandir(of_user) as folders:
        for folder in folders:
            if Path(folder.path) in but:
                continue
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder.path) as files:
                yield from (file.stat(follow_symlinks=False).st_size for file in files)
