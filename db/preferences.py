"""What a user chose and wants to find again: short texts by name.

Knows which names there are, and nothing of what a value means: whoever reads one judges it.
"""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from db.people import PREFERENCES, Preference
from db.store import Store

LONGEST_VALUE = 80


def load(store: Store, user_id: UUID) -> dict[str, str]:
    """All that the user chose, by name."""
    with store.reading() as rows:
        found = rows.execute(
            select(Preference.key, Preference.value).where(Preference.user_id == user_id)
        )
        return {row.key: row.value for row in found}


def save(store: Store, user_id: UUID, changes: Mapping[str, str | None]) -> None:
    """Remembers these choices and forgets those that are None; the others stay.

    All of `changes` or nothing. Raises `ValueError` for a name that there is not, or a value of
    more than 80 characters.
    """
    for key, value in changes.items():
        if key not in PREFERENCES or len(value or "") > LONGEST_VALUE:
            raise ValueError(key)
    kept = [
        {"user_id": user_id, "key": key, "value": value}
        for key, value in changes.items()
        if value is not None
    ]
    forgotten = [key for key, value in changes.items() if value is None]
    with store.writing() as rows:
        if forgotten:
            rows.execute(
                delete(Preference).where(
                    Preference.user_id == user_id, Preference.key.in_(forgotten)
                )
            )
        if kept:
            insert = sqlite.insert if rows.dialect.name == "sqlite" else postgresql.insert
            statement = insert(Preference).values(kept)
            rows.execute(
                statement.on_conflict_do_update(
                    index_elements=["user_id", "key"], set_={"value": statement.excluded.value}
                )
            )
