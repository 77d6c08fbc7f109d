"""A store in a temporary folder, with a machine whose clocks the test moves."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from db.migrate import migrate
from db.store import Store
from tests.db.machine import Machine
from tests.db.places import Places


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Databases in their newest form, made once; every test gets copies."""
    places = Places(tmp_path_factory.mktemp("migrated"))
    migrate(places.url, places.keys_url)
    return places


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """Memory, where there is some, because everything here waits for the disk at every commit.

    A process that is killed loses nothing of what it had handed over, on a disk or in memory.
    """
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture
def places(migrated: Places, quick_folder: Path) -> Places:
    return migrated.copy_to(quick_folder / "data")


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def store(places: Places, machine: Machine) -> Iterator[Store]:
    with places.open(machine) as store:
        yield store


@pytest.fixture
def locked(places: Places) -> Iterator[sqlite3.Connection]:
    """Somebody else holds the right to write."""
    path = places.folder / "app.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


@pytest.fixture
def queries(store: Store) -> Iterator[list[str]]:
    """The statements that are sent to the rows' database, BEGIN left out."""
    sent = []

    def note(_connection, _cursor, statement, *_):
        if statement.split()[0] != "BEGIN":
            sent.append(statement)

    event.listen(store.rows, "before_cursor_execute", note)
    yield sent
    event.remove(store.rows, "before_cursor_execute", note)
