"""Counts by the day that name nobody.

A count is made in the transaction of what it counts, so the two cannot disagree.
"""

from datetime import date, datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from db.store import Store
from db.upkeep import DailyCount, Metric


def add(
    connection: Connection,
    at: datetime,
    metric: Metric,
    dimension: str = "all",
    *,
    number: int = 1,
) -> None:
    """Counts `number` more; `dimension` is a word of `db.upkeep.DIMENSIONS`."""
    if number == 0:
        return
    # Both databases say it in the same words, but SQLAlchemy keeps them apart.
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(DailyCount).values(
        day=at.date(), metric=metric, dimension=dimension, value=number
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["day", "metric", "dimension"],
            set_={"value": DailyCount.value + number},
        )
    )


def total(store: Store, metric: Metric, day: date | None = None) -> int:
    """All of `metric`, over every dimension, on `day` or ever."""
    statement = select(func.sum(DailyCount.value)).where(DailyCount.metric == metric)
    if day is not None:
        statement = statement.where(DailyCount.day == day)
    with store.reading() as rows:
        return rows.scalar(statement) or 0
