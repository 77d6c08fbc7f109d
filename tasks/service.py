"""What every process of the service has: rows, files, queue, limits and folders.

Opened from the settings in one place. Knows where things lie under the data folder.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from app.settings import Settings
from db.clock import Readers
from db.migrate import migrate
from db.store import Store
from tasks.broker import Queue
from tasks.limits import Limits


@dataclass(frozen=True)
class Folders:
    """The data folder and what is in it. All of it is for this user's eyes only."""

    data: Path

    @property
    def inbox(self) -> Path:
        """Uploads that were not submitted yet, in plain."""
        return self.data / "inbox"

    @property
    def scratch(self) -> Path:
        """Temporary files of all processes."""
        return self.data / "tmp"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def blobs(self) -> Path:
        return self.data / "blobs"

    @property
    def queue(self) -> Path:
        return self.data / "queue.db"

    @property
    def rows_url(self) -> str:
        return f"sqlite:///{self.data / 'app.db'}"

    @property
    def keys_url(self) -> str:
        return f"sqlite:///{self.data / 'keys.db'}"

    def make(self) -> None:
        """Make what is missing, and send this process's temporary files there."""
        for folder in (self.data, self.inbox, self.scratch, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.data.chmod(0o700)
        os.environ["TMPDIR"] = tempfile.tempdir = str(self.scratch)


@dataclass(frozen=True)
class Service:
    """One per process."""

    folders: Folders
    store: Store
    queue: Queue
    limits: Limits

    @classmethod
    def open(
        cls,
        settings: Settings,
        work: Callable[[Store], Callable[[], None]] | None = None,
        readers: Readers | None = None,
    ) -> Self:
        """Open what `prepare` has made ready. `work` makes what a nudge sets off, for workers."""
        folders = folders_of(settings)
        folders.make()
        store = Store.open(folders.rows_url, folders.keys_url, folders.blobs, readers=readers)
        queue = Queue(folders.queue, work(store) if work else None)
        return cls(folders, store, queue, Limits.of(settings))

    def close(self) -> None:
        self.queue.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def folders_of(settings: Settings) -> Folders:
    return Folders(settings.data_dir.absolute())


def prepare(settings: Settings) -> None:
    """Bring both databases to this version's form; once, before anything serves."""
    folders = folders_of(settings)
    folders.make()
    migrate(folders.rows_url, folders.keys_url)
