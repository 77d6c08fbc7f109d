"""The folder in which stored bytes lie, and the only code that builds a path in it.

    blobs/new/<name>     being written, locked by the process that writes it
    blobs/<xx>/<name>    finished; xx are the first two digits of the name

A name is 128 random bits; nothing of a user's is ever part of a path. Knows names and bytes. Knows
no key and no row.
"""

import errno
import fcntl
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from db.errors import StorageFull

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


class Blobs:
    """Folders are readable by their owner alone, and made when they are needed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._new = root / "new"
        self._new.mkdir(mode=0o700, parents=True, exist_ok=True)
        root.chmod(0o700)

    def path(self, name: str) -> Path:
        return self.root / name[:2] / name

    def open(self, name: str) -> io.FileIO:
        """The stored bytes; raises FileNotFoundError. Unbuffered: chunks are read whole."""
        return io.FileIO(self.path(name), "r")

    def exists(self, name: str) -> bool:
        return self.path(name).exists()

    def delete(self, name: str) -> None:
        """Gone, also after a power cut; it is no error if it was gone before."""
        path = self.path(name)
        path.unlink(missing_ok=True)
        if path.parent.exists():
            _sync_folder(path.parent)

    def finished(self) -> Iterator[tuple[str, datetime]]:
        """Every finished blob, and when it was finished, by the Clock."""
        for folder in self.root.iterdir():
            if folder.name == "new" or not folder.is_dir():
                continue
            for path in folder.iterdir():
                try:
                    at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                except FileNotFoundError:  # deleted while we looked
                    continue
                if path == self.path(path.name):
                    yield path.name, at

    def strangers(self) -> Iterator[Path]:
        """What lies here and is no blob."""
        for path in self.root.iterdir():
            if path.is_dir() and path.name != "new":
                yield from (one for one in path.iterdir() if self.path(one.name) != one)
            elif path.name != "new":
                yield path

    def delete_abandoned(self) -> int:
        """Deletes what nobody is writing any more. A lock dies with its process, so age is moot."""
        return sum(self._abandoned(path, delete=True) for path in self._new.iterdir())

    def abandoned(self) -> list[Path]:
        """What `delete_abandoned` would delete."""
        return [path for path in self._new.iterdir() if self._abandoned(path, delete=False)]

    def _abandoned(self, path: Path, *, delete: bool) -> bool:
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:  # finished or given up while we looked
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # It may have been finished between our open and our lock; its name is another then.
            if not _is_at(descriptor, path):
                return False
            if delete:
                path.unlink()
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True


class NewBlob:
    """Bytes on their way into `blobs`. Ends with `finish` or, even if that failed, `abandon`."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        with telling_full_disks():
            self.name, self._descriptor = self._create()

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        with telling_full_disks():
            while view:
                view = view[os.write(self._descriptor, view) :]

    def sync(self) -> None:
        """The bytes survive a power cut, under a name that nobody looks for yet."""
        with telling_full_disks():
            os.fsync(self._descriptor)

    def finish(self, at: datetime) -> None:
        """The blob is in its place, complete, also after a power cut. `sync` comes before."""
        target = self._blobs.path(self.name)
        # The Clock's time, not the wall's, which somebody may have moved.
        os.utime(self._descriptor, (at.timestamp(), at.timestamp()))
        with telling_full_disks():
            if not target.parent.exists():
                target.parent.mkdir(mode=0o700, exist_ok=True)
                _sync_folder(self._blobs.root)
            self._temporary().rename(target)
            _sync_folder(target.parent)
        os.close(self._descriptor)

    def abandon(self) -> None:
        """Nothing of it is left."""
        self._temporary().unlink(missing_ok=True)
        self._blobs.path(self.name).unlink(missing_ok=True)
        os.close(self._descriptor)

    def _temporary(self) -> Path:
        return self._blobs.root / "new" / self.name

    def _create(self) -> tuple[str, int]:
        while True:
            self.name = secrets.token_hex(16)
            path = self._temporary()
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(descriptor, path):
                    return self.name, descriptor
            except BlockingIOError:
                pass
            # The reconciler came between creating and locking, and takes it for abandoned.
            os.close(descriptor)


@contextmanager
def telling_full_disks() -> Iterator[None]:
    """Says `StorageFull` where the system says that there is no room."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull from error
        raise


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
