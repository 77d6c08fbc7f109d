"""Finishes what a crash has left half done, so that rows, keys and blobs explain each other.

Knows the order in `db/files.py`, and which leftovers each of its lines can leave. Touches nothing
that is younger than the grace time unless it is certain that nobody is at work on it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select

from db import keys
from db.files import erase
from db.hours import GRACE
from db.store import Store
from db.work import Cause, File

_AT_ONCE = 500
_Any = TypeVar("_Any")


@dataclass(frozen=True)
class Reconciled:
    """What was found and finished."""

    abandoned_writes: int
    """Bytes that nobody was writing any more."""
    blobs_without_row: int
    keys_without_row: int
    rows_without_bytes: int
    """Files of which the blob or the key was lost: their rows say so now, by a receipt."""


def reconcile(store: Store) -> Reconciled:
    """Safe at any time, beside anything, and to repeat; a second call finds nothing."""
    abandoned = store.blobs.delete_abandoned()
    blobs = blobs_without_row(store)
    for name in blobs:
        store.blobs.delete(name)
    stray_keys = keys_without_row(store)
    keys.delete_all(store.keys, stray_keys)
    lost = rows_without_bytes(store)
    return Reconciled(
        abandoned_writes=abandoned,
        blobs_without_row=len(blobs),
        keys_without_row=len(stray_keys),
        rows_without_bytes=erase(store, lost, Cause.ORPHAN) if lost else 0,
    )


def blobs_without_row(store: Store) -> list[str]:
    """Finished blobs that no row names, older than the grace time."""
    now = store.clock.now()
    old = [name for name, at in store.blobs.finished() if _is_old(at, now)]
    named = set[str | None]()
    for some in _some(old):
        with store.reading() as rows:
            named.update(rows.scalars(select(File.blob_name).where(File.blob_name.in_(some))))
    return [name for name in old if name not in named]


def keys_without_row(store: Store) -> list[UUID]:
    """Files that have a key but no live row, older than the grace time."""
    now = store.clock.now()
    old = [file_id for file_id, at in keys.known(store.keys).items() if _is_old(at, now)]
    live = set[UUID]()
    for some in _some(old):
        with store.reading() as rows:
            live.update(
                rows.scalars(select(File.id).where(File.id.in_(some), File.deleted_at.is_(None)))
            )
    return [file_id for file_id in old if file_id not in live]


def rows_without_bytes(store: Store) -> list[UUID]:
    """Files that can be found but not read, and files whose erasure was interrupted."""
    with store.reading() as rows:
        live = rows.execute(
            select(File.id, File.blob_name, File.hidden_at).where(File.deleted_at.is_(None))
        ).all()
    # After the rows: key and blob come before the row, so what is missing now was not to come.
    with_key = keys.known(store.keys)
    return [
        row.id
        for row in live
        if row.hidden_at is not None
        or row.id not in with_key
        or not store.blobs.exists(row.blob_name)
    ]


def _is_old(at: datetime, now: datetime) -> bool:
    # What comes from the future was not written by this clock, and will not get a row either.
    return abs(now - at) > GRACE


def _some(many: Iterable[_Any]) -> Iterator[list[_Any]]:
    rest = iter(many)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
