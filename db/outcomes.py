"""The states of a job as columns: what is written when it waits, has ended, or has failed.

Knows which columns belong together. Does not know why a job comes to an end.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from db import counts
from db.upkeep import Metric
from db.work import Kind, State


@dataclass(frozen=True)
class Failure:
    """Why a job failed, for programs and for people."""

    code: str
    message: str
    hint: str = ""


def failed(failure: Failure, now: datetime) -> dict[str, Any]:
    """The columns of a job that has failed."""
    return {
        **ended(State.FAILED, now),
        "error_code": failure.code,
        "error_message": failure.message[:500],
        "error_hint": failure.hint[:500],
    }


def ended(state: State, now: datetime) -> dict[str, Any]:
    """The columns of a job that has ended and is nobody's any more."""
    return {"state": state, "finished_at": now, "lease_owner": None, "lease_until": None}


def waiting() -> dict[str, Any]:
    """The columns of a job that is in the queue again."""
    return {"state": State.QUEUED, "lease_owner": None, "lease_until": None}


def count(rows: Connection, now: datetime, state: State, kind: str, number: int = 1) -> None:
    """Counts jobs that have ended in `state`; what waits again is not counted.

    Of pictures that are upscaled only: a try or a conversion is counted when it is asked for.
    """
    if state is not State.QUEUED and kind == Kind.UPSCALE:
        counts.add(rows, now, Metric(state), number=number)
