"""Looks for what should not be there: past its time, or explained by no row.

Changes nothing, but for emptying the databases' logs first: what is left in them afterwards would
stay. Knows rows, keys and blobs, and the bytes of the database files. Folders of others (inbox,
temporary files, logs, the queue) are not known here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Engine, select

from db import keys, models
from db.connection import checkpoint_truncate, database_path
from db.holds import held
from db.hours import GONE, KEPT
from db.reconcile import blobs_without_row, keys_without_row, rows_without_bytes
from db.retention import count_rows, past_its_class
from db.store import Store
from db.work import File

_BETWEEN_SWEEPS = timedelta(minutes=20)
"""A row that has just become too old is not forgotten yet, but waits for the next sweep."""

_ID = re.compile(rb"(?=([0-9a-f]{32}))")
_READ = 1024 * 1024


class Kind(StrEnum):
    FILE_PAST_ITS_TIME = "file past its time"
    KEY_PAST_ITS_TIME = "key past its time"
    ROWS_PAST_THEIR_TIME = "rows past their time"
    BLOB_WITHOUT_ROW = "blob without row"
    KEY_WITHOUT_ROW = "key without row"
    ROW_WITHOUT_BYTES = "row without bytes"
    ABANDONED_WRITE = "abandoned write"
    STRANGER = "not ours"
    TRACE_OF_A_KEY = "trace of a deleted key"
    LOG_NOT_EMPTIED = "log not emptied"


@dataclass(frozen=True)
class Finding:
    kind: Kind
    what: str
    """An id, the name of a blob, or a table: never a user's name for a picture."""


def audit(store: Store) -> list[Finding]:
    """Everything that is wrong now; an empty list says that there is nothing."""
    now = store.clock.now()
    return [
        *_unemptied_logs(store),
        *_past_their_time(store, now),
        *_unexplained(store),
        *_rows_past_their_class(store, now),
        *_traces_of_keys(store),
    ]


def _past_their_time(store: Store, now: datetime) -> Iterator[Finding]:
    # 24 h after the end of its time, whichever that was: 72 h for a picture.
    limit = now - (GONE - KEPT)
    with store.reading() as rows:
        late = rows.scalars(
            select(File.id).where(File.deleted_at.is_(None), File.expires_at <= limit, ~held(now))
        ).all()
        kept_longer = set(rows.scalars(select(File.id).where(File.deleted_at.is_(None), held(now))))
    for file_id in late:
        yield Finding(Kind.FILE_PAST_ITS_TIME, str(file_id))
    for file_id, at in keys.known(store.keys).items():
        if at <= now - GONE and file_id not in kept_longer:
            yield Finding(Kind.KEY_PAST_ITS_TIME, str(file_id))


def _unexplained(store: Store) -> Iterator[Finding]:
    for name in blobs_without_row(store):
        yield Finding(Kind.BLOB_WITHOUT_ROW, name)
    for file_id in keys_without_row(store):
        yield Finding(Kind.KEY_WITHOUT_ROW, str(file_id))
    for file_id in rows_without_bytes(store):
        yield Finding(Kind.ROW_WITHOUT_BYTES, str(file_id))
    for path in store.blobs.abandoned():
        yield Finding(Kind.ABANDONED_WRITE, path.name)
    for path in store.blobs.strangers():
        yield Finding(Kind.STRANGER, path.name)


def _rows_past_their_class(store: Store, now: datetime) -> Iterator[Finding]:
    with store.reading() as rows:
        for table in models.METADATA.sorted_tables:
            condition = past_its_class(table, now - _BETWEEN_SWEEPS)
            if condition is not None and count_rows(rows, table, condition):
                yield Finding(Kind.ROWS_PAST_THEIR_TIME, table.name)


def _unemptied_logs(store: Store) -> Iterator[Finding]:
    for name, engine in (("rows", store.rows), ("keys", store.keys)):
        if not checkpoint_truncate(engine):
            yield Finding(Kind.LOG_NOT_EMPTIED, name)


def _traces_of_keys(store: Store) -> Iterator[Finding]:
    """A key lies beside its file's id: where the id of a deleted file is, its key may be."""
    with store.reading() as rows:
        deleted = {
            file_id.hex.encode(): file_id
            for file_id in rows.scalars(select(File.id).where(File.deleted_at.is_not(None)))
        }
    for file_id in {deleted[found] for found in _ids_in(store.keys) if found in deleted}:
        yield Finding(Kind.TRACE_OF_A_KEY, str(file_id))


def _ids_in(engine: Engine) -> Iterator[bytes]:
    path = database_path(engine.url)
    if path is None:
        return
    for surface in (path, Path(f"{path}-wal")):
        if surface.exists():
            yield from _matches(surface)


def _matches(path: Path) -> Iterator[bytes]:
    tail = b""
    with path.open("rb") as file:
        while data := file.read(_READ):
            yield from _ID.findall(tail + data)
            tail = data[-31:]
