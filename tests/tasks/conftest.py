"""A service in a temporary folder, with real networks and clocks that the test moves."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from app.settings import Settings
from db import users
from inference.options import Options
from tasks.service import Service, prepare
from tasks.submissions import Upload, submit_batch
from tests.db.machine import Machine
from tests.tasks.pictures import FAST, picture


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def settings(tmp_path: Path, models_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    # A service sends this process's temporary files into its data folder.
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", tempfile.gettempdir())
    settings = Settings(data_dir=tmp_path / "data", device="cpu")
    prepare(settings)
    settings.models_dir.symlink_to(models_path)
    return settings


@pytest.fixture
def service(settings: Settings, machine: Machine) -> Iterator[Service]:
    with Service.open(settings, readers=machine.readers) as service:
        yield service


@pytest.fixture
def ada(service: Service) -> UUID:
    return users.ensure_user(service.store, users.LOCAL, "ada")


@pytest.fixture
def bob(service: Service) -> UUID:
    return users.ensure_user(service.store, users.LOCAL, "bob")


Submit = Callable[..., UUID]


@pytest.fixture
def upload(service: Service) -> Callable[..., Upload]:
    """Lay bytes into the inbox."""

    def upload(data: bytes | None = None, name: str = "cat.png") -> Upload:
        number = len(list(service.folders.inbox.iterdir()))
        path = service.folders.inbox / f"upload-{number}-{len(name)}"
        path.write_bytes(picture() if data is None else data)
        return Upload(path, name)

    return upload


@pytest.fixture
def submit(service: Service, upload: Callable[..., Upload]) -> Submit:
    """Hand in pictures with the fastest model."""

    def submit(user_id: UUID, pictures: int = 1, key: str | None = None, **options: object) -> UUID:
        uploads = [upload(name=f"cat {number}.png") for number in range(pictures)]
        return submit_batch(service, user_id, uploads, Options(**{"model": FAST, **options}), key)

    return submit
