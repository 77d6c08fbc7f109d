"""Receipts: one per deleted file, with nothing in it that leads to a person or a picture.

Knows the last step of erasing a file. Does not know how the bytes went.
"""

from collections.abc import Collection, Mapping
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, update

from db import counts
from db.base import Base
from db.connection import checkpoint_truncate
from db.store import Store
from db.upkeep import Metric, Receipt
from db.work import Cause, File

EMPTIED = tuple(
    column.name
    for column in Base.metadata.tables["file"].columns
    if column.info["keep"] == "R1" and column.nullable
)
"""What leads to a file's bytes: the columns that are emptied with them."""


def write(store: Store, file_ids: Collection[UUID]) -> int:
    """Says of the hidden files `file_ids` that their bytes are gone; returns how many were new.

    Step 4 of erasing. Of several processes that come here with one file, one writes the receipt.
    """
    if not file_ids:
        return 0
    now = store.clock.now()
    with store.writing() as rows:
        files = rows.execute(
            select(File.id, File.role, File.hidden_cause, File.created_at)
            .where(File.id.in_(file_ids), File.hidden_at.is_not(None), File.deleted_at.is_(None))
            .with_for_update()  # SQLite has no row locks and needs none: one writer at a time
        ).all()
        for file in files:
            receipt_id = uuid4()
            age = max(0, round((now - file.created_at).total_seconds()))
            rows.execute(
                insert(Receipt).values(
                    id=receipt_id, role=file.role, cause=file.hidden_cause, age_s=age, at=now
                )
            )
            rows.execute(
                update(File)
                .where(File.id == file.id)
                .values(deleted_at=now, receipt_id=receipt_id, **dict.fromkeys(EMPTIED))
            )
            counts.add(rows, now, Metric.DELETED, file.role)
    checkpoint_truncate(store.rows)
    return len(files)


def count(store: Store) -> Mapping[Cause, int]:
    """How many receipts there are, by cause."""
    with store.reading() as rows:
        found = rows.execute(select(Receipt.cause, func.count()).group_by(Receipt.cause))
        return {Cause(cause): number for cause, number in found}
