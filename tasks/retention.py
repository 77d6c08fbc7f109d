"""Keeping the promise that everything goes in time.

What is due, and how it is erased, is in `db/retention.py` and `db/files.py`; here is what else lies
in the data folder, and the order of a sweep. Every part can be repeated and interrupted, and one
that fails does not keep the others from running.
"""

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from db import reconcile, retention, sweeps
from db.store import Store
from db.upkeep import SweepKind
from tasks.service import Folders, Service

UPLOADS_KEPT = timedelta(hours=1)
"""An upload that was not submitted lies in the inbox this long."""

SCRATCH_KEPT = timedelta(hours=1)
"""A temporary file that nobody removed lies this long."""

LOGS_KEPT = timedelta(days=14)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Swept:
    """What a sweep has deleted."""

    files: int
    rows: int
    uploads: int
    scratch: int
    logs: int


def sweep(service: Service) -> Swept:
    """Delete everything whose time is over. Raises the first error, after all parts have run."""
    store, folders = service.store, service.folders
    now = store.clock.now()
    with sweeps.recorded(store, SweepKind.RETENTION) as tally:
        parts: dict[str, Callable[[], int]] = {
            "files": lambda: retention.delete_due(store),
            "rows": lambda: sum(retention.forget_old_rows(store).values()),
            "uploads": lambda: _delete(abandoned(folders.inbox, now, UPLOADS_KEPT)),
            "scratch": lambda: _delete(abandoned(folders.scratch, now, SCRATCH_KEPT)),
            "logs": lambda: _delete(old_logs(folders, now)),
        }
        done, errors = dict[str, int](), list[Exception]()
        for name, part in parts.items():
            try:
                done[name] = part()
            except Exception as error:
                log.exception("sweep_part_failed", extra={"part": name})
                errors.append(error)
        tally.deleted = sum(done.values())
        tally.scanned = tally.deleted
        if errors:
            raise errors[0]
    if tally.deleted:
        log.info("swept", extra=done)
    return Swept(**done)


def reconcile_leftovers(store: Store) -> reconcile.Reconciled:
    """Finish what crashes have left half done."""
    with sweeps.recorded(store, SweepKind.RECONCILE) as tally:
        found = reconcile.reconcile(store)
        tally.deleted = (
            found.abandoned_writes + found.blobs_without_row + found.keys_without_row
        ) + found.rows_without_bytes
    if tally.deleted:
        log.warning("reconciled", extra=vars(found))
    return found


def abandoned(folder: Path, now: datetime, kept: timedelta) -> Iterator[Path]:
    """Files below a folder that nobody has touched for longer, and folders that are empty.

    A time in the future counts as old: what wrote it did not go by our clock. Whoever deletes what
    is given finds a folder among it that has become empty by that.
    """
    old = []
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
        try:
            # All of them first: deleting what is in a folder makes the folder new.
            touched = datetime.fromtimestamp(path.lstat().st_mtime, UTC)
        except FileNotFoundError:  # its owner was faster
            continue
        if abs(now - touched) > kept:
            old.append(path)
    for path in old:
        with suppress(FileNotFoundError):
            if path.is_symlink() or not path.is_dir() or not any(path.iterdir()):
                yield path


def old_logs(folders: Folders, now: datetime) -> Iterator[Path]:
    """Log files with a line older than `LOGS_KEPT`; each holds the lines of the day in its name."""
    for path in folders.logs.glob("*.log"):
        try:
            day = date.fromisoformat(path.stem[-10:])
        except ValueError:
            day = date.min  # not ours
        if day < (now - LOGS_KEPT).date():
            yield path


def _delete(paths: Iterator[Path]) -> int:
    number = 0
    for path in paths:
        try:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        except FileNotFoundError:  # its owner was faster
            continue
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:  # somebody has put something there just now
                raise
            continue
        number += 1
    return number
