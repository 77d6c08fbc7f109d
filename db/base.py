"""What every table is made of: names of constraints, points in time, and columns that say why.

Knows the vocabulary of the privacy policy's schema (clauses, retention classes, what an export and
an erasure do with a column). Knows no table.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, Dialect, MetaData
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column
from sqlalchemy.types import TypeDecorator

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

KEEP: Mapping[str, str] = {
    "R0": "state of a transaction, 15 minutes",
    "R1": "bytes of files and what leads to them, 48 hours, gone by 72",
    "R2": "records of an account, its life long; of jobs and files, 12 months",
    "R3": "technical records, 14 days",
    "R3s": "records of security, 30 days after their end",
    "R5": "counts that name nobody, without limit",
    "R6": "evidence without free text, 3 years",
    "RB": "backups, 7 daily generations",
}
DSAR: Mapping[str, str] = {"X": "exported", "x": "exported in derived form", "-": "not exported"}
ERASE: Mapping[str, str] = {
    "D": "the row is deleted",
    "N": "set to null",
    "T": "replaced by a tag",
    "K": "kept",
}
_CLAUSE = re.compile(r"(\d{1,2}|S)(\.\d{1,2})?\.[a-z]'?")


class Base(DeclarativeBase):
    """Tables of the app's database."""

    metadata = MetaData(naming_convention=NAMES)


class KeyBase(DeclarativeBase):
    """Tables of the key store, which lies in a database of its own that no backup contains."""

    metadata = MetaData(naming_convention=NAMES)


class Instant(TypeDecorator[datetime]):
    """A point in time: aware going in, UTC and aware coming out.

    PostgreSQL keeps it as `timestamptz`. SQLite keeps text, which compares rightly only while every
    row is written in the same zone and with the same number of digits: UTC, microseconds.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a point in time needs its zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def column(
    type_: Any,
    *args: Any,
    clause: str,
    keep: str,
    dsar: str,
    erase: str,
    reason: str = "",
    ages: bool = False,
    **kw: Any,
) -> MappedColumn[Any]:
    """A column that says why it exists; without that it does not come into being.

    `clause`: the policy's sentences that allow it, separated by spaces. `keep`: its class of
    retention. `dsar`: what a person's export does with it, `erase`: what the erasure of a person
    does with it. `reason` is demanded where something is not exported or outlives the erasure.
    `ages` marks the column from which the age of a whole row counts: such rows are deleted when
    the time of their class is over.
    """
    clauses = tuple(clause.split())
    if not clauses or not all(_CLAUSE.fullmatch(one) for one in clauses):
        raise ValueError(f"not clauses of the policy: {clause!r}")
    for value, allowed in ((keep, KEEP), (dsar, DSAR), (erase, ERASE)):
        if value not in allowed:
            raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
    if (dsar == "-" or erase == "K") and not reason:
        raise ValueError("what is not exported, or kept after an erasure, needs a reason")
    info: dict[str, Any] = {"clause": clauses, "keep": keep, "dsar": dsar, "erase": erase}
    info |= {"reason": reason, "ages": ages}
    return mapped_column(type_, *args, info=info, **kw)


def closed(name: str, values: Iterable[str]) -> CheckConstraint:
    """Only these words may stand in the column `name`.

    A CHECK over text, not an enum type: PostgreSQL cannot take a value out of an enum again.
    """
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{name} IN ({words})", name=name)
