"""A store in a temporary folder, with a machine whose clocks the test moves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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
def places(migrated: Places, tmp_path: Path) -> Places:
    return migrated.copy_to(tmp_path / "data")


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def store(places: Places, machine: Machine) -> Iterator[Store]:
    with places.open(machine) as store:
        yield store
