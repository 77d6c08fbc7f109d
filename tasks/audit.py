"""Looks at every surface that can hold bytes for what is past its time or explained by nothing.

The rows, keys, blobs and database files are `db/audit.py`'s; here is everything else in the data
folder. Changes nothing.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

from db import audit
from db.audit import Finding, Kind
from tasks.broker import NUDGE
from tasks.retention import SCRATCH_KEPT, UPLOADS_KEPT, abandoned, old_logs
from tasks.service import Folders, Service

_OURS = {"inbox", "tmp", "logs", "models", "blobs"}
_DATABASES = {
    f"{name}{suffix}"
    for name in ("app.db", "keys.db", "queue.db")
    for suffix in ("", "-wal", "-shm", "-journal")
}


def findings(service: Service) -> list[Finding]:
    """Everything that is wrong now; an empty list says that there is nothing."""
    now = service.store.clock.now()
    return [
        *audit.audit(service.store),
        *_late_files(service.folders, now),
        *_strangers(service.folders),
        *_queue(service.folders),
    ]


def _late_files(folders: Folders, now: datetime) -> Iterator[Finding]:
    for folder, kept in ((folders.inbox, UPLOADS_KEPT), (folders.scratch, SCRATCH_KEPT)):
        for path in abandoned(folder, now, kept):
            if path.is_file():
                # Its folder only: users' words may be in a name here.
                yield Finding(Kind.FILE_PAST_ITS_TIME, f"{folder.name}/")
    for path in old_logs(folders, now):
        yield Finding(Kind.FILE_PAST_ITS_TIME, f"logs/{path.name}")


def _strangers(folders: Folders) -> Iterator[Finding]:
    for path in folders.data.iterdir():
        if path.name not in _OURS | _DATABASES:
            yield Finding(Kind.STRANGER, path.name)


def _queue(folders: Folders) -> Iterator[Finding]:
    """The queue may hold nudges, and a nudge carries nothing."""
    if not folders.queue.exists():
        return
    with closing(sqlite3.connect(f"file:{folders.queue}?mode=ro", uri=True)) as queue:
        for table in ("kv", "schedule", "counter"):
            if queue.execute(f"SELECT count(*) FROM {table}").fetchone()[0]:  # noqa: S608
                yield Finding(Kind.STRANGER, f"queue.db: {table}")
        for (data,) in queue.execute("SELECT data FROM task"):
            if not _is_nudge(data):
                yield Finding(Kind.STRANGER, "queue.db: task")
                return


def _is_nudge(data: bytes) -> bool:
    try:
        _id, name, *rest = json.loads(data)
    except (ValueError, TypeError):
        return False
    # Neither arguments nor anything else that a message may carry.
    return name == NUDGE and not any(value for value in rest if value not in (0, None))
