"""What was ordered for a picture, as far as it says what its files are called.

Knows columns of a job. Knows nothing of how a name is made of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.work import Job


@dataclass(frozen=True)
class Order:
    """What of a job names its files: the picture's name, the model, and one way to say how big."""

    name: str
    """What the user called the picture; data, never a path."""
    model: str
    scale: int | None
    target_width: int | None
    target_height: int | None
    target_long_side: int | None
    options: Mapping[str, Any]
    """The rest of what was ordered, as it is kept with the job."""


COLUMNS = (
    Job.name,
    Job.model,
    Job.scale,
    Job.target_width,
    Job.target_height,
    Job.target_long_side,
    Job.options,
)


def order_of(row: Any) -> Order | None:
    """From a row that has `COLUMNS`; None where they were joined from no job."""
    if row.name is None:
        return None
    return Order(**{column.key: getattr(row, column.key) for column in COLUMNS})
