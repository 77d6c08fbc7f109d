"""Tables about the service itself: holds, receipts, workers, sweeps, the clock and plain counts.

Knows no person, but for the operator who opened a hold. What is evidence or is kept without limit
allows only numbers, moments and words from closed sets.
"""

from datetime import date, datetime
from enum import StrEnum
from functools import partial
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, Date, Float, ForeignKey, Integer, String, Uuid
from sqlalchemy.orm import Mapped

from db.base import Base, Instant, closed, column
from db.work import Cause, Role

_NOBODY = "about no person"

technical = partial(column, keep="R3", dsar="-", erase="K", reason=_NOBODY)
evidence = partial(column, keep="R6", dsar="-", erase="K", reason=_NOBODY)
aggregate = partial(column, keep="R5", dsar="-", erase="K", reason=_NOBODY)
duty = partial(column, keep="R6", dsar="-", erase="K", reason="evidence of a duty, names nobody")


class HoldReason(StrEnum):
    LEGAL_CLAIM = "legal_claim"
    AUTHORITY = "authority"
    ABUSE_REPORT = "abuse_report"


class SweepKind(StrEnum):
    RETENTION = "retention"
    RECOVERY = "recovery"
    RECONCILE = "reconcile"
    AUDIT = "audit"


class Metric(StrEnum):
    """What is counted by the day. Once all has ended, submitted = succeeded + failed + canceled."""

    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    DELETED = "deleted"
    DOWNLOADED = "downloaded"
    FEATURE = "feature"
    SIGNED_IN = "signed_in"


DIMENSIONS = (
    "all",
    *Role,
    *("x2", "x3", "x4", "x8", "x16", "target"),
    *("png", "jpg", "webp"),
    *("page", "api", "history", "viewer", "try", "convert"),
)


class Deed(StrEnum):
    """What an admin did in office."""

    MODEL_PULLED = "model_pulled"
    MODEL_ADDED = "model_added"
    MODEL_REMOVED = "model_removed"
    MODEL_CHECKED = "model_checked"


class Hold(Base):
    """A duty to keep files longer. It keeps bytes from being deleted and shows them to nobody."""

    __tablename__ = "hold"
    __table_args__ = (closed("reason_code", HoldReason),)

    id: Mapped[UUID] = duty(Uuid, primary_key=True, default=uuid4, clause="7.1.b")
    reason_code: Mapped[str] = duty(String(16), clause="7.1.b")
    opened_at: Mapped[datetime] = duty(Instant, clause="7.1.b")
    expires_at: Mapped[datetime] = duty(Instant, ages=True, index=True, clause="7.1.b")
    opened_by: Mapped[UUID | None] = column(
        Uuid,
        ForeignKey("user.id", ondelete="SET NULL"),
        index=True,
        clause="10.a'",
        keep="R6",
        dsar="-",
        erase="N",
        reason="what an operator did in office",
    )


class Receipt(Base):
    """One file was deleted. Whose it was, only the file's own row says, while that exists."""

    __tablename__ = "receipt"
    __table_args__ = (
        closed("role", Role),
        closed("cause", Cause),
        CheckConstraint("age_s >= 0", name="age_s"),
    )

    id: Mapped[UUID] = evidence(Uuid, primary_key=True, default=uuid4, clause="7.1.a")
    role: Mapped[str] = evidence(String(16), clause="7.1.a")
    cause: Mapped[str] = evidence(String(16), clause="7.1.a")
    age_s: Mapped[int] = evidence(
        # How old the bytes were when they went.
        Integer,
        clause="7.1.a",
    )
    at: Mapped[datetime] = evidence(Instant, ages=True, index=True, clause="7.1.a")


class Worker(Base):
    __tablename__ = "worker"

    id: Mapped[UUID] = technical(Uuid, primary_key=True, default=uuid4, clause="7.2.e")
    device: Mapped[str] = technical(String(80), clause="7.2.e")
    model: Mapped[str | None] = technical(
        # The one used last.
        String(120),
        clause="7.2.e",
    )
    paced_model: Mapped[str | None] = technical(
        # The one that ran as the worker began, to see how fast the machine is.
        String(120),
        clause="7.2.e",
    )
    pace: Mapped[float | None] = technical(
        # Pixels that it took in per second.
        Float(53),
        clause="7.2.e",
    )
    started_at: Mapped[datetime] = technical(Instant, clause="7.2.e")
    seen_at: Mapped[datetime] = technical(Instant, ages=True, index=True, clause="7.2.e")


class Sweep(Base):
    """One run of the timekeeper."""

    __tablename__ = "sweep"
    __table_args__ = (closed("kind", SweepKind),)

    id: Mapped[UUID] = technical(Uuid, primary_key=True, default=uuid4, clause="7.1.a")
    kind: Mapped[str] = technical(String(16), clause="7.1.a")
    started_at: Mapped[datetime] = technical(Instant, ages=True, index=True, clause="7.1.a")
    finished_at: Mapped[datetime | None] = technical(Instant, clause="7.1.a")
    scanned: Mapped[int] = technical(Integer, server_default="0", clause="7.1.a")
    deleted: Mapped[int] = technical(Integer, server_default="0", clause="7.1.a")
    oldest_age_s: Mapped[int | None] = technical(
        # Of the oldest live file, holds excepted, when the run had ended.
        Integer,
        clause="7.1.a",
    )
    error_code: Mapped[str | None] = technical(String(40), clause="7.1.a 3.4.g")


class ClockState(Base):
    """What one boot of one machine remembers about time; see `db/clock.py`."""

    __tablename__ = "clock_state"

    boot_id: Mapped[str] = technical(String(64), primary_key=True, clause="7.1.a")
    wall: Mapped[datetime] = technical(Instant, clause="7.1.a")
    boot_seconds: Mapped[float] = technical(Float(53), clause="7.1.a")
    high_water: Mapped[datetime] = technical(Instant, ages=True, index=True, clause="7.1.a")


class DailyCount(Base):
    __tablename__ = "daily_count"
    __table_args__ = (closed("metric", Metric), closed("dimension", DIMENSIONS))

    day: Mapped[date] = aggregate(Date, primary_key=True, clause="3.4.f 7.4.a")
    metric: Mapped[str] = aggregate(String(16), primary_key=True, clause="3.4.f 3.4.i 7.4.a")
    dimension: Mapped[str] = aggregate(String(16), primary_key=True, clause="3.4.f 3.4.i 7.4.a")
    value: Mapped[int] = aggregate(BigInteger, clause="3.4.f 3.4.i")


class AdminEvent(Base):
    """What an admin did, and the name of the model that it concerned."""

    __tablename__ = "admin_event"
    __table_args__ = (closed("deed", Deed),)

    id: Mapped[UUID] = duty(Uuid, primary_key=True, default=uuid4, clause="10.a'")
    at: Mapped[datetime] = duty(Instant, ages=True, index=True, clause="10.a'")
    actor_id: Mapped[UUID | None] = column(
        Uuid,
        ForeignKey("user.id", ondelete="SET NULL"),
        index=True,
        clause="10.a'",
        keep="R6",
        dsar="-",
        erase="N",
        reason="what an operator did in office",
    )
    deed: Mapped[str] = duty(String(16), clause="10.a'")
    concerned: Mapped[str] = duty(String(120), clause="10.a'")
