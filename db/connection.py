"""Opens a database so that it keeps its promises: durable, private, and patient with others.

Knows SQLite's switches and the shape of a transaction. Knows no table.
"""

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, RootTransaction, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext

from db import folding
from db.errors import DatabaseBusy, StorageFull

BUSY_TIMEOUT = 5.0
"""Seconds that one attempt to begin a writing transaction waits for others."""

ATTEMPTS = 3
"""Attempts to begin a writing transaction before it is given up as `DatabaseBusy`."""

_CHECKPOINT_PATIENCE_MS = 250
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}


def open_engine(
    url: str, *, busy_timeout: float = BUSY_TIMEOUT, foreign_keys: bool = True
) -> Engine:
    """An engine for `url`; its SQLite file and folder are readable by their owner alone.

    Closing it is the caller's (`engine.dispose()`).
    """
    if make_url(url).get_backend_name() != "sqlite":
        engine = create_engine(url)
        event.listen(engine, "handle_error", _tell_plainly)
        return engine
    path = database_path(url)
    if path is None:
        raise ValueError("an SQLite database needs a file: several processes share it")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite would create it with the umask's mode; -wal and -shm copy the mode that they find.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    engine = create_engine(url, connect_args={"timeout": busy_timeout})

    def on_connect(connection: sqlite3.Connection, _: object) -> None:
        # The driver's own BEGIN comes late and is deferred; `_begin` below takes its place.
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "secure_delete = ON",
            f"foreign_keys = {'ON' if foreign_keys else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        folding.lend(connection)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _tell_plainly)
    return engine


def database_path(url: str | URL) -> Path | None:
    """The file of an SQLite database; nothing for a server."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database))


def _begin(connection: Connection) -> None:
    # A deferred transaction that reads first and writes later is refused at once, without any
    # waiting, when somebody else wrote in between. Who means to write therefore says so first.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _tell_plainly(context: ExceptionContext) -> None:
    code = getattr(context.original_exception, "sqlite_errorcode", None)
    if code is None:
        return
    if code & 0xFF in _BUSY:
        raise DatabaseBusy from context.original_exception
    if code in _FULL:
        raise StorageFull from context.original_exception


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent look at the database; nothing that is written through it stays."""
    with engine.connect() as connection, connection.begin() as transaction:
        try:
            yield connection
        finally:
            transaction.rollback()


@contextmanager
def writing(engine: Engine, *, patience: float | None = None) -> Iterator[Connection]:
    """One transaction, committed at the end of the block and undone by any exception in it.

    Raises `DatabaseBusy` or `StorageFull`; then nothing of the block has happened. With `patience`,
    in seconds, others are waited for once and no longer than that.
    """
    if patience is None:
        connection, transaction = _begin_writing(engine)
    else:
        connection, transaction = _begin_writing_soon(engine, patience)
    with connection, transaction:
        yield connection


def _begin_writing(engine: Engine) -> tuple[Connection, RootTransaction]:
    """A connection and the writing transaction that has begun on it.

    Only the beginning is tried again, because only there can another writer stand in the way: once
    BEGIN IMMEDIATE has succeeded, nothing in the transaction waits for anybody.
    """
    attempts = 0
    while True:
        connection = None
        try:
            connection = engine.connect().execution_options(writes=True)
            transaction = connection.begin()
        except BaseException as error:
            if connection is not None:
                connection.close()
            attempts += 1
            if not isinstance(error, DatabaseBusy) or attempts == ATTEMPTS:
                raise
            # Processes that were refused together must not come back together.
            time.sleep(random.uniform(0.01, 0.1))  # noqa: S311  # nothing secret
        else:
            return connection, transaction


def _begin_writing_soon(engine: Engine, patience: float) -> tuple[Connection, RootTransaction]:
    connection = engine.connect().execution_options(writes=True)
    try:
        # On a server nobody waits here at all.
        if engine.dialect.name != "sqlite":
            return connection, connection.begin()
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        (usual,) = raw.execute("PRAGMA busy_timeout").fetchone()
        raw.execute(f"PRAGMA busy_timeout = {round(patience * 1000)}")
        try:
            return connection, connection.begin()
        finally:
            raw.execute(f"PRAGMA busy_timeout = {usual}")
    except BaseException:
        connection.close()
        raise


def checkpoint_truncate(engine: Engine) -> bool:
    """Moves everything from the write-ahead log into the database and empties the log.

    Deleted rows live on in both until then, `secure_delete` or not. A reader can keep the log from
    being emptied: that is reported as False, waits a quarter of a second at most, and is made good
    by the next call.
    """
    if engine.dialect.name != "sqlite":
        return True
    # The raw connection, because a checkpoint is refused inside a transaction.
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        (patience,) = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_PATIENCE_MS}")
        (busy, _, _) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {patience}")
        cursor.close()
    finally:
        raw.close()
    return not busy
