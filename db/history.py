"""A user's batches: page by page into the past, and those that something happens to now.

Knows the order of the history, what it can be searched for, and how a place in it is written down.
What a batch looks like is in `db/views.py`.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, exists, select, true, tuple_, union

from db.errors import InvalidCursor
from db.folding import contains
from db.store import Store
from db.views import OWN_BATCHES, BatchView, views_of
from db.work import Batch, Job, Kind, State

MOST = 100
"""Batches of a page, whatever is asked for."""

_OWN = select(Job.batch_id).where(Job.user_id == bindparam("user_id"))
# Built once, and not an OR: SQLite would then read through all jobs that the user ever had.
_LIVELY = union(
    _OWN.where(Job.finished_at.is_(None)),
    _OWN.where(Job.finished_at > bindparam("since")),
)
_THESE = OWN_BATCHES.where(Batch.id.in_(bindparam("batch_ids", expanding=True)))
_MODELS = (
    select(Job.model)
    .where(Job.user_id == bindparam("user_id"), Job.kind == Kind.UPSCALE)
    .distinct()
    .order_by(Job.model)
)
_PLACE = Struct(">q16s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Page:
    items: tuple[BatchView, ...]
    next_cursor: str | None
    """Where the next page begins; None when this was the last."""


def page(
    store: Store,
    user_id: UUID,
    *,
    limit: int = 20,
    cursor: str | None = None,
    states: Collection[State] = (),
    model: str | None = None,
    search: str = "",
) -> Page:
    """The user's batches of upscaled pictures, the newest first: `limit` of them, at least 1 and at
    most 100.

    Tries and conversions are not among them: they belong to what they were made for.
    With `states`, `model` or `search`, those with a picture that is in one of the states, was made
    with the model, and has the words in its name, large letters or small: one picture, all of it.
    A page goes on where the last one ended, whatever has been submitted since; its cursor is a
    place in time, and is as good with other filters. Raises `InvalidCursor`.
    """
    limit = max(1, min(limit, MOST))
    older = true() if cursor is None else _older_than(cursor)
    wanted = _with_a_picture(states, model, search)
    with store.reading() as rows:
        statement = OWN_BATCHES.where(Batch.kind == Kind.UPSCALE, older, wanted).limit(limit + 1)
        found = rows.execute(statement, {"user_id": user_id}).all()
        items = views_of(rows, user_id, found[:limit], store.clock.now())
    return Page(items, _cursor(found[limit - 1]) if len(found) > limit else None)


def models(store: Store, user_id: UUID) -> tuple[str, ...]:
    """The models that the user's history can be asked for, in the order of their names."""
    with store.reading() as rows:
        return tuple(rows.scalars(_MODELS, {"user_id": user_id}))


def recent(
    store: Store, user_id: UUID, *, finished_within: timedelta = timedelta(minutes=15)
) -> tuple[BatchView, ...]:
    """The batches with a job that is unfinished or ended just now, the newest first.

    Where there are none, this is a single look into an index: it is asked every second.
    """
    now = store.clock.now()
    with store.reading() as rows:
        ids = rows.scalars(_LIVELY, {"user_id": user_id, "since": now - finished_within}).all()
        if not ids:
            return ()
        found = rows.execute(_THESE, {"user_id": user_id, "batch_ids": ids}).all()
        return views_of(rows, user_id, found, now)


def _with_a_picture(
    states: Collection[State], model: str | None, search: str
) -> ColumnElement[bool]:
    asked: list[ColumnElement[bool]] = []
    if states:
        asked.append(Job.state.in_(states))
    if model is not None:
        asked.append(Job.model == model)
    if search:
        asked.append(contains(Job.name, search))
    return exists().where(Job.batch_id == Batch.id, *asked) if asked else true()


def _cursor(batch: Any) -> str:
    # Not the batch's number in the history: that changes with every batch that is new.
    since = (batch.created_at - _EPOCH) // _MICROSECOND
    return urlsafe_b64encode(_PLACE.pack(since, batch.id.bytes)).decode("ascii")


def _older_than(cursor: str) -> ColumnElement[bool]:
    try:
        since, batch_id = _PLACE.unpack(urlsafe_b64decode(cursor))
        created_at, id_ = _EPOCH + since * _MICROSECOND, UUID(bytes=batch_id)
    except (ValueError, OverflowError, StructError) as error:
        raise InvalidCursor from error
    # As a comparison of pairs, which both databases answer from the index.
    return tuple_(Batch.created_at, Batch.id) < tuple_(created_at, id_)
