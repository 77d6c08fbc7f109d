"""Brings both databases to the form that this version of the program expects.

Called once, before anything serves. All of it happens in one transaction that begins by taking the
right to write: a second process that starts together with the first waits, and then finds nothing
to do; a process that is killed has changed nothing.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import MetaData, text

from db import keys, models
from db.connection import open_engine, writing
from db.errors import UnknownSchema

_SCRIPTS = Path(__file__).parent / "migrations"
_PATIENCE = 60.0
_ADVISORY_LOCK = 0x1_0A6E5


def migrate(url: str, keys_url: str) -> None:
    """Both databases exist and have their newest form. Raises `UnknownSchema` for a newer one."""
    _upgrade(url, "rows", models.METADATA)
    _upgrade(keys_url, "keys", keys.METADATA)


def alembic_config(versions: str, metadata: MetaData) -> Config:
    """What alembic needs to know about one of the two; also used to write a new revision."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option(
        "version_locations", str(_SCRIPTS / "versions" / versions).replace("%", "%%")
    )
    config.attributes["metadata"] = metadata
    return config


def _upgrade(url: str, versions: str, metadata: MetaData) -> None:
    config = alembic_config(versions, metadata)
    # Rebuilding a table drops the old one, which would delete every row that refers to it.
    engine = open_engine(url, busy_timeout=_PATIENCE, foreign_keys=False)
    try:
        with writing(engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise UnknownSchema from error
            if connection.dialect.name == "sqlite":
                broken = connection.execute(text("PRAGMA foreign_key_check")).first()
                assert broken is None, f"the migration has left a dangling reference: {broken}"
    finally:
        engine.dispose()
