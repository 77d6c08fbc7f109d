"""Tables about work: a batch is one press of Upscale, a job is one picture, a file is its bytes.

Knows where bytes lie by a random name, and nothing of how they are encrypted. A file's row outlives
its bytes, as history; a row whose bytes live is never removed by a cascade (RESTRICT), because
nobody would then know whose blob it was.
"""

from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    Uuid,
    false,
    text,
)
from sqlalchemy.orm import Mapped

from db.base import Base, Instant, closed, column

record = partial(column, keep="R2", dsar="X", erase="D")
operational = partial(
    column,
    keep="R2",
    dsar="-",
    erase="D",
    reason="says how the machine went about it, nothing about the person",
)

SCALES = (2, 3, 4, 8, 16)


class State(StrEnum):
    """Of a job. A batch's state follows from its jobs."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class Kind(StrEnum):
    """What a batch is for, and each of its jobs."""

    UPSCALE = "upscale"
    TRY = "try"
    """A spot of a picture, by several models, before a long run: ahead of the queue."""
    CONVERT = "convert"
    """A finished result in another format: ahead of the queue too, and nothing is upscaled."""


class Role(StrEnum):
    ORIGINAL = "original"
    RESULT = "result"
    PREVIEW = "preview"
    EXPORT = "export"


class Cause(StrEnum):
    """Why a file was deleted."""

    EXPIRED = "expired"
    USER = "user"
    ACCOUNT = "account"
    HOLD_END = "hold_end"
    ORPHAN = "orphan"
    CHILD = "child"


class Batch(Base):
    __tablename__ = "batch"
    __table_args__ = (
        UniqueConstraint("user_id", "idempotency_key"),
        closed("kind", Kind),
        Index(None, "user_id", "created_at", "id"),  # the order of the history
    )

    id: Mapped[UUID] = record(Uuid, primary_key=True, default=uuid4, clause="3.2.j")
    user_id: Mapped[UUID] = record(
        Uuid, ForeignKey("user.id", ondelete="CASCADE"), clause="3.2.l 3.3.a"
    )
    kind: Mapped[str] = record(String(16), server_default=Kind.UPSCALE, clause="3.2.i")
    idempotency_key: Mapped[str | None] = record(String(80), clause="4.a")
    label: Mapped[str | None] = record(String(80), clause="3.3.d")
    options: Mapped[dict[str, Any]] = record(JSON, clause="3.2.i 4.a")
    created_at: Mapped[datetime] = record(Instant, ages=True, index=True, clause="3.2.h 3.3.c")
    expires_at: Mapped[datetime] = record(Instant, clause="7.1.a")


class Job(Base):
    __tablename__ = "job"
    __table_args__ = (
        closed("state", State),
        closed("kind", Kind),
        CheckConstraint("(kind = 'convert') = (source_id IS NOT NULL)", name="source"),
        CheckConstraint(f"scale IN {SCALES}", name="scale"),
        CheckConstraint(
            "target_width > 0 AND target_height > 0 AND target_long_side > 0", name="target"
        ),
        # One way to say how big: a scale, a side (or two), or the long side.
        CheckConstraint(
            "(scale IS NOT NULL) <> (target_width IS NOT NULL OR target_height IS NOT NULL"
            " OR target_long_side IS NOT NULL)",
            name="one_size",
        ),
        CheckConstraint(
            "(state = 'running') = (lease_owner IS NOT NULL)"
            " AND (lease_owner IS NULL) = (lease_until IS NULL)",
            name="lease",
        ),
        CheckConstraint("(state = 'failed') = (error_code IS NOT NULL)", name="error"),
        Index(None, "user_id", "finished_at"),  # what is unfinished, or ended just now
        Index(
            "ix_job_queued",
            "user_id",
            "created_at",
            sqlite_where=text("state = 'queued'"),
            postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "ix_job_running",
            "lease_until",
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )

    id: Mapped[UUID] = record(Uuid, primary_key=True, default=uuid4, clause="3.2.j")
    batch_id: Mapped[UUID] = record(
        Uuid, ForeignKey("batch.id", ondelete="CASCADE"), index=True, clause="3.2.j"
    )
    user_id: Mapped[UUID] = record(
        # The batch has it too; here the order of users needs no detour.
        Uuid,
        ForeignKey("user.id", ondelete="CASCADE"),
        clause="3.2.l 3.3.a",
    )
    kind: Mapped[str] = record(
        # The batch has it too; here whose turn it is needs no detour.
        String(16),
        server_default=Kind.UPSCALE,
        clause="3.2.i",
    )
    source_id: Mapped[UUID | None] = record(
        # The job whose result is converted.
        Uuid,
        ForeignKey("job.id", ondelete="CASCADE"),
        index=True,
        clause="3.2.j",
    )
    number: Mapped[int] = record(Integer, clause="3.2.j")
    name: Mapped[str] = record(String(200), clause="3.2.d")
    model: Mapped[str] = record(String(120), clause="3.4.h 15.a")
    scale: Mapped[int | None] = record(Integer, clause="3.2.i")
    target_width: Mapped[int | None] = record(Integer, clause="3.2.i")
    target_height: Mapped[int | None] = record(Integer, clause="3.2.i")
    target_long_side: Mapped[int | None] = record(Integer, clause="3.2.i")
    options: Mapped[dict[str, Any]] = record(JSON, clause="3.2.i 4.a")
    report: Mapped[dict[str, Any] | None] = record(JSON(none_as_null=True), clause="3.4.h 7.2.e")
    state: Mapped[str] = record(String(16), clause="3.2.g")
    error_code: Mapped[str | None] = record(String(40), clause="3.4.g 7.2.d")
    error_message: Mapped[str | None] = record(String(500), clause="3.4.g 7.2.d")
    error_hint: Mapped[str | None] = record(String(500), clause="3.4.g 7.2.d")
    created_at: Mapped[datetime] = record(Instant, ages=True, index=True, clause="3.2.h")
    started_at: Mapped[datetime | None] = record(
        # Of the latest attempt; empty means that no worker ever had it.
        Instant,
        clause="3.2.h",
    )
    finished_at: Mapped[datetime | None] = record(Instant, index=True, clause="3.2.h")
    attempts: Mapped[int] = operational(
        # Attempts that ended with an error of the job's own.
        Integer,
        server_default="0",
        clause="7.2.d",
    )
    interruptions: Mapped[int] = operational(
        # Attempts that ended because their worker did.
        Integer,
        server_default="0",
        clause="7.2.d",
    )
    lease_owner: Mapped[UUID | None] = operational(
        # No foreign key: rows of workers go after 14 days, whatever they once did.
        Uuid,
        index=True,
        clause="7.2.d 4.a",
    )
    lease_until: Mapped[datetime | None] = operational(Instant, clause="7.2.d 4.a")
    progress_done: Mapped[int] = operational(Integer, server_default="0", clause="3.2.g")
    progress_total: Mapped[int] = operational(Integer, server_default="0", clause="3.2.g")
    cancel_requested: Mapped[bool] = operational(Boolean, server_default=false(), clause="3.3.d")


class File(Base):
    """Bytes that are kept, or were. `hidden_at`, `deleted_at`: see the order in `db/files.py`."""

    __tablename__ = "file"
    __table_args__ = (
        closed("role", Role),
        CheckConstraint("pictures IN ('original', 'result')", name="pictures"),
        CheckConstraint("(role = 'preview') = (pictures IS NOT NULL)", name="preview_of"),
        CheckConstraint("(role = 'export') OR (job_id IS NOT NULL)", name="belongs_to_job"),
        closed("hidden_cause", Cause),
        CheckConstraint("(hidden_at IS NULL) = (hidden_cause IS NULL)", name="hidden"),
        CheckConstraint("(deleted_at IS NULL) = (blob_name IS NOT NULL)", name="blob"),
        CheckConstraint("(deleted_at IS NULL) = (receipt_id IS NULL)", name="receipt"),
        Index(
            "ix_file_live",
            "expires_at",
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = record(Uuid, primary_key=True, default=uuid4, clause="3.2.e")
    user_id: Mapped[UUID] = record(
        Uuid, ForeignKey("user.id", ondelete="RESTRICT"), index=True, clause="3.2.l 3.3.a"
    )
    job_id: Mapped[UUID | None] = record(
        Uuid, ForeignKey("job.id", ondelete="RESTRICT"), index=True, clause="3.2.j"
    )
    role: Mapped[str] = record(String(16), clause="3.2.f")
    pictures: Mapped[str | None] = record(
        # What a preview shows.
        String(16),
        clause="3.2.f",
    )
    blob_name: Mapped[str | None] = column(
        String(32),
        unique=True,
        clause="3.2.e",
        keep="R1",
        dsar="-",
        erase="D",
        reason="where bytes lie in the storage; the bytes themselves are exported",
    )
    format: Mapped[str] = record(String(16), clause="3.2.f")
    width: Mapped[int | None] = record(Integer, clause="3.2.f")
    height: Mapped[int | None] = record(Integer, clause="3.2.f")
    size: Mapped[int] = record(BigInteger, clause="3.2.f")
    created_at: Mapped[datetime] = record(Instant, ages=True, index=True, clause="3.2.h")
    expires_at: Mapped[datetime] = record(Instant, clause="7.1.a")
    first_downloaded_at: Mapped[datetime | None] = record(Instant, clause="3.2.k")
    hidden_at: Mapped[datetime | None] = record(Instant, clause="3.3.d 7.1.a")
    hidden_cause: Mapped[str | None] = record(String(16), clause="7.1.a")
    deleted_at: Mapped[datetime | None] = record(Instant, clause="3.2.h 7.1.a")
    receipt_id: Mapped[UUID | None] = record(
        Uuid, ForeignKey("receipt.id", ondelete="RESTRICT"), unique=True, clause="7.1.a"
    )
    hold_id: Mapped[UUID | None] = column(
        Uuid,
        ForeignKey("hold.id", ondelete="RESTRICT"),
        index=True,
        clause="7.1.b",
        keep="R2",
        dsar="-",
        erase="K",
        reason="while it is held, by a duty that the person cannot lift",
    )
