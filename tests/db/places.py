"""Where a test's databases and blobs lie."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from db.store import Store
from tests.db.machine import Machine


@dataclass(frozen=True)
class Places:
    folder: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/app.db"

    @property
    def keys_url(self) -> str:
        return f"sqlite:///{self.folder}/keys.db"

    @property
    def blobs(self) -> Path:
        return self.folder / "blobs"

    def open(self, machine: Machine | None = None, *, busy_timeout: float = 5.0) -> Store:
        readers = None if machine is None else machine.readers
        return Store.open(
            self.url, self.keys_url, self.blobs, busy_timeout=busy_timeout, readers=readers
        )

    def copy_to(self, folder: Path) -> "Places":
        shutil.copytree(self.folder, folder)
        return Places(folder)

    def everything(self) -> bytes:
        """All bytes of all files, names included."""
        return b"".join(
            path.name.encode() + path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        )
