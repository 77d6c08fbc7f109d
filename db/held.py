"""What is held about a user, counted: so that they can see it, and what uses their share up.

Numbers and moments only. Knows every table that names a user; how long each is kept is written
where the columns are, and said by whoever shows this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select

from db import waiting
from db.people import Acknowledgement, Identity, Preference, Session, Token
from db.store import Store
from db.work import Batch, File, Job, Kind, Role


@dataclass(frozen=True)
class Stored:
    """Files of one role that have bytes."""

    files: int
    bytes: int
    first_expires_at: datetime
    """When the oldest of them stops being readable; past for what is being deleted, or held."""


@dataclass(frozen=True)
class Agreed:
    """What a user agreed to last."""

    policy_version: str
    at: datetime


@dataclass(frozen=True)
class Held:
    """Everything, by what it is."""

    stored: Mapping[Role, Stored]
    """Only roles that there are files of."""
    batches: int
    """In the history: with their pictures' names and settings, whether files are left or not."""
    pictures: int
    ahead: int
    """Tries and conversions, which the history does not list."""
    oldest_batch_at: datetime | None
    unfinished: int
    """Pictures that wait or are being worked on."""
    sessions: int
    """Rows of sessions, ended ones too."""
    tokens: int
    """Rows of tokens, revoked ones too."""
    identities: int
    preferences: int
    agreements: int
    agreed: Agreed | None

    @property
    def stored_bytes(self) -> int:
        return sum(stored.bytes for stored in self.stored.values())


def about(store: Store, user_id: UUID) -> Held:
    """One consistent look. Of nobody, nothing is held."""
    with store.reading() as rows:

        def count(table: Any, *conditions: Any) -> int:
            mine = select(func.count()).select_from(table).where(table.user_id == user_id)
            return rows.scalar(mine.where(*conditions)) or 0

        return Held(
            stored=_stored(rows, user_id),
            batches=count(Batch, Batch.kind == Kind.UPSCALE),
            pictures=count(Job, Job.kind == Kind.UPSCALE),
            ahead=count(Batch, Batch.kind != Kind.UPSCALE),
            oldest_batch_at=rows.scalar(
                select(func.min(Batch.created_at)).where(Batch.user_id == user_id)
            ),
            unfinished=waiting.unfinished(rows, user_id),
            sessions=count(Session),
            tokens=count(Token),
            identities=count(Identity),
            preferences=count(Preference),
            agreements=count(Acknowledgement),
            agreed=_agreed(rows, user_id),
        )


def _stored(rows: Connection, user_id: UUID) -> Mapping[Role, Stored]:
    statement = (
        select(File.role, func.count(), func.sum(File.size), func.min(File.expires_at))
        .where(File.user_id == user_id, File.deleted_at.is_(None))
        .group_by(File.role)
    )
    found = {
        # A sum is a decimal number on PostgreSQL.
        role: Stored(files, int(size), first)
        for role, files, size, first in rows.execute(statement)
    }
    return {role: found[role] for role in Role if role in found}


def _agreed(rows: Connection, user_id: UUID) -> Agreed | None:
    row = rows.execute(
        select(Acknowledgement.policy_version, Acknowledgement.at)
        .where(Acknowledgement.user_id == user_id)
        .order_by(Acknowledgement.at.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Agreed(*row)
