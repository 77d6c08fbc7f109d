"""The key store: 32 bytes per file, in a database of its own.

No backup ever contains it: who deletes a key here has deleted every copy of the file there is.
Knows file ids and keys. Knows nothing of users, names or blobs.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, LargeBinary, Uuid, delete, insert, select
from sqlalchemy.orm import Mapped

from db.base import Instant, KeyBase, column
from db.connection import checkpoint_truncate, reading, writing

METADATA = KeyBase.metadata


class FileKey(KeyBase):
    __tablename__ = "file_key"

    file_id: Mapped[UUID] = column(
        Uuid,
        primary_key=True,
        clause="10.a 7.1.a",
        keep="R1",
        dsar="-",
        erase="D",
        reason="leads to the key, exported neither",
    )
    key: Mapped[bytes] = column(
        LargeBinary(32),
        clause="10.a 7.1.a",
        keep="R1",
        dsar="-",
        erase="D",
        reason="the key; what it opens is exported",
    )
    created_at: Mapped[datetime] = column(
        Instant,
        clause="7.1.a",
        keep="R1",
        dsar="-",
        erase="D",
        reason="the file's own row says it",
    )


def put(engine: Engine, file_id: UUID, key: bytes, created_at: datetime) -> None:
    """Once this returns, the key survives a power cut."""
    with writing(engine) as connection:
        connection.execute(insert(FileKey).values(file_id=file_id, key=key, created_at=created_at))


def get(engine: Engine, file_id: UUID) -> bytes | None:
    with reading(engine) as connection:
        return connection.scalar(select(FileKey.key).where(FileKey.file_id == file_id))


def delete_all(engine: Engine, file_ids: Collection[UUID]) -> int:
    """Deletes the keys of `file_ids`, those that still exist, from the database and its log."""
    if not file_ids:
        return 0
    with writing(engine) as connection:
        gone = connection.execute(delete(FileKey).where(FileKey.file_id.in_(file_ids))).rowcount
    checkpoint_truncate(engine)
    return gone


def known(engine: Engine) -> dict[UUID, datetime]:
    """Every file that has a key, and since when."""
    with reading(engine) as connection:
        rows = connection.execute(select(FileKey.file_id, FileKey.created_at))
        return {row.file_id: row.created_at for row in rows}
