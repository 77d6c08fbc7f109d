"""Text without regard to case, in every script: what a search compares.

SQLite's own `lower` and LIKE know ASCII alone, so a function of ours is lent to each connection.
"""

import sqlite3
from typing import Any

from sqlalchemy import ColumnElement, String, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

_ESCAPE = "\\"


def contains(column: Any, wanted: str) -> ColumnElement[bool]:
    """Whether `wanted` is part of a text, whatever is large or small. Nothing in it is a sign for
    something else."""
    plain = wanted
    for sign in (_ESCAPE, "%", "_"):
        plain = plain.replace(sign, _ESCAPE + sign)
    return Folded(column).like(Folded(literal(f"%{plain}%")), escape=_ESCAPE)


def lend(connection: sqlite3.Connection) -> None:
    """Let statements on this connection compare so."""
    connection.create_function("folded", 1, _fold, deterministic=True)


def _fold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


class Folded(FunctionElement[str]):
    """A text as it is compared."""

    type = String()
    inherit_cache = True


@compiles(Folded)
def _lower(element: Folded, compiler: Any, **kw: Any) -> str:
    return f"lower({compiler.process(element.clauses, **kw)})"


@compiles(Folded, "sqlite")
def _folded(element: Folded, compiler: Any, **kw: Any) -> str:
    return f"folded({compiler.process(element.clauses, **kw)})"
