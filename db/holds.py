"""Holds: a recorded duty to keep some files longer than the policy's hours.

A hold keeps bytes from being deleted. It shows them to nobody: a held file is refused from its
`expires_at` on like any other. Knows when a hold ends, not who may open one.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, exists, func, insert, select, update

from db.errors import HoldTooLong
from db.hours import HOLD_AT_MOST
from db.store import Store
from db.upkeep import Hold, HoldReason
from db.work import File


def held(now: datetime) -> ColumnElement[bool]:
    """The condition that a row of `file` is held."""
    return exists().where(Hold.id == File.hold_id, Hold.expires_at > now)


def open_hold(
    store: Store,
    file_ids: Collection[UUID],
    reason: HoldReason,
    until: datetime,
    opened_by: UUID | None = None,
) -> UUID:
    """Holds the files that still have their bytes; raises `HoldTooLong` beyond 30 days.

    A file that is held already belongs to the new hold from now on.
    """
    now = store.clock.now()
    if until > now + HOLD_AT_MOST:
        raise HoldTooLong
    hold_id = uuid4()
    with store.writing() as rows:
        rows.execute(
            insert(Hold).values(
                id=hold_id,
                reason_code=reason,
                opened_at=now,
                expires_at=until,
                opened_by=opened_by,
            )
        )
        rows.execute(
            update(File)
            .where(File.id.in_(file_ids), File.deleted_at.is_(None))
            .values(hold_id=hold_id)
        )
    return hold_id


def end_hold(store: Store, hold_id: UUID) -> None:
    """Its files are due from now on if their time is over."""
    now = store.clock.now()
    with store.writing() as rows:
        rows.execute(
            update(Hold).where(Hold.id == hold_id, Hold.expires_at > now).values(expires_at=now)
        )


def count_open(store: Store) -> int:
    """Holds in force, for the proof page."""
    with store.reading() as rows:
        open_now = select(func.count()).where(Hold.expires_at > store.clock.now())
        return rows.scalar(open_now) or 0
