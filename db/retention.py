"""What has to go, and whether it goes in time.

Deletion is the most dangerous code there is: it cannot be taken back, and what it forgets nobody
notices. So it has one list of what is due, one way to erase (`files.erase`), and one rule for rows,
which reads the class of retention off the columns instead of naming tables.

Knows the hours. Does not know when it is called.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
)

from db import models
from db.connection import checkpoint_truncate
from db.files import erase
from db.holds import held
from db.hours import UPLOADS_CLOSE
from db.store import Store
from db.work import Cause, File

PERIOD: Mapping[str, timedelta] = {
    "R0": timedelta(0),  # its minutes lie before `expires_at`
    "R2": timedelta(days=365),
    "R3": timedelta(days=14),
    "R3s": timedelta(days=30),
    "R6": timedelta(days=3 * 365),
}
"""How long a row of each class lives, from the moment in the column that `ages` marks."""

_AT_ONCE = 200


@dataclass(frozen=True)
class Due:
    """A file whose bytes have to go."""

    id: UUID
    expires_at: datetime
    cause: Cause


def due_for_deletion(store: Store, *, after: Due | None = None, limit: int = _AT_ONCE) -> list[Due]:
    """Files whose time is over or whose erasure was interrupted, the oldest first; none held."""
    now = store.clock.now()
    statement = select(File.id, File.expires_at, File.hidden_cause, File.hold_id).where(
        File.deleted_at.is_(None),
        ~held(now),
        or_(File.hidden_at.is_not(None), File.expires_at <= now),
    )
    if after is not None:
        statement = statement.where(
            tuple_(File.expires_at, File.id) > tuple_(after.expires_at, after.id)
        )
    with store.reading() as rows:
        found = rows.execute(statement.order_by(File.expires_at, File.id).limit(limit)).all()
    return [
        Due(
            row.id,
            row.expires_at,
            Cause(row.hidden_cause or (Cause.HOLD_END if row.hold_id else Cause.EXPIRED)),
        )
        for row in found
    ]


def delete_due(store: Store) -> int:
    """Erases everything that is due, and returns how many receipts that has made.

    What the system refuses to delete stops nothing else; its error is raised at the end.
    """
    deleted, refused, last = 0, None, None
    while page := due_for_deletion(store, after=last):
        last = page[-1]
        by_cause = sorted(page, key=lambda due: due.cause)
        for cause, group in groupby(by_cause, key=lambda due: due.cause):
            try:
                deleted += erase(store, [due.id for due in group], cause)
            except OSError as error:
                refused = error
    if refused is not None:
        raise refused
    return deleted


def oldest_live_age(store: Store) -> timedelta | None:
    """The age of the oldest bytes that are still there, holds excepted."""
    now = store.clock.now()
    with store.reading() as rows:
        oldest = rows.scalar(
            select(func.min(File.created_at)).where(File.deleted_at.is_(None), ~held(now))
        )
    return None if oldest is None else now - oldest


def uploads_closed(store: Store) -> bool:
    """True while bytes older than 60 h exist: who cannot delete must not take in more."""
    age = oldest_live_age(store)
    return age is not None and age > UPLOADS_CLOSE


def forget_old_rows(store: Store) -> Mapping[str, int]:
    """Deletes the rows whose class of retention is over; returns how many, by table.

    Children first; a row that another one still refers to stays until that has gone.
    """
    now = store.clock.now()
    gone = {}
    with store.writing() as rows:
        for table in reversed(models.METADATA.sorted_tables):
            condition = past_its_class(table, now)
            if condition is not None:
                gone[table.name] = rows.execute(delete(table).where(condition)).rowcount
    checkpoint_truncate(store.rows)
    return {name: number for name, number in gone.items() if number}


def past_its_class(table: Table, now: datetime) -> ColumnElement[bool] | None:
    """The condition that a row of `table` is too old; None where rows live with their account."""
    ages = [column for column in table.columns if column.info["ages"]]
    if not ages:
        return None
    (born,) = ages
    conditions: list[ColumnElement[bool]] = [born < now - PERIOD[born.info["keep"]]]
    if "deleted_at" in table.columns:
        # However old, a row is the only thing that leads to its bytes.
        conditions.append(table.c.deleted_at.is_not(None))
    for other in models.METADATA.sorted_tables:
        referring = other.alias()  # a table may refer to itself
        for column in other.columns:
            for key in column.foreign_keys:
                if key.column.table is table:
                    conditions.append(~exists().where(referring.c[column.name] == key.column))
    return and_(*conditions)


def count_rows(rows: Connection, table: Table, condition: ColumnElement[bool]) -> int:
    return rows.scalar(select(func.count()).select_from(table).where(condition)) or 0
