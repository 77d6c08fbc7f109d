"""The live figures of the proof page, in words and as JSON.

Knows what a figure means. Knows nothing of where it comes from.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from db import hours
from db.work import Cause
from pages.shapes import iso
from pages.texts import t

_CAUSES = {
    Cause.EXPIRED: t("proof.cause.expired"),
    Cause.USER: t("proof.cause.user"),
    Cause.ACCOUNT: t("proof.cause.account"),
    Cause.HOLD_END: t("proof.cause.hold_end"),
    Cause.ORPHAN: t("proof.cause.orphan"),
    Cause.CHILD: t("proof.cause.child"),
}


class Figures(Protocol):
    """What `db.proof.figures` tells."""

    @property
    def oldest_stored(self) -> timedelta | None: ...
    @property
    def live_files(self) -> int: ...
    @property
    def last_sweep(self) -> datetime | None: ...
    @property
    def last_sweep_failed(self) -> bool: ...
    @property
    def deleted(self) -> Mapping[str, int]: ...
    @property
    def open_holds(self) -> int: ...
    @property
    def now(self) -> datetime: ...


def live(figures: Figures) -> dict[str, Any]:
    """For programs. Times are ISO 8601 in UTC, ages in seconds."""
    oldest = figures.oldest_stored
    return {
        "now": iso(figures.now),
        "unreadable_after_hours": hours.KEPT.total_seconds() / 3600,
        "gone_after_hours": hours.GONE.total_seconds() / 3600,
        "oldest_stored_seconds": None if oldest is None else round(oldest.total_seconds()),
        "live_files": figures.live_files,
        "last_sweep": figures.last_sweep and iso(figures.last_sweep),
        "last_sweep_failed": figures.last_sweep_failed,
        "deleted": {cause.value: figures.deleted.get(cause, 0) for cause in Cause},
        "open_holds": figures.open_holds,
    }


def deletions(figures: Figures) -> list[tuple[int, str]]:
    """How many files were deleted, and why, the most frequent reason first; each reason appears."""
    counted = [(figures.deleted.get(cause, 0), words) for cause, words in _CAUSES.items()]
    return sorted(counted, key=lambda entry: -entry[0])


def share_of_line(age: timedelta) -> float:
    """Where on the line from upload to gone an age lies, in percent; never beyond its ends."""
    return round(100 * min(1.0, max(0.0, age / hours.GONE)), 2)


def duration(length: timedelta) -> str:
    """`47 h 58 min`, `58 min`, `less than a minute`."""
    minutes = int(length.total_seconds()) // 60
    if minutes < 1:
        return t("span.brief")
    if minutes < 60:
        return t("span.minutes", minutes=minutes)
    return t("proof.hours", hours=minutes // 60, minutes=minutes % 60)


def utc(moment: datetime) -> str:
    """`17 March 2026, 09:05 UTC`"""
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
