"""Sessions: browsers that are signed in.

A session ends 12 hours after it was last used, and 14 days after it began at the latest; its
`expires_at` is always the earlier of the two. Knows that a cookie holds a secret, and nothing else
of cookies.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Update, and_, bindparam, insert, select, update

from db import counts
from db.errors import NotFound
from db.hashes import hash_of, new_secret
from db.people import Session, User, UserState
from db.store import Store
from db.upkeep import Metric
from db.users import Person, check_active, note_day, person_columns, person_of

IDLE = timedelta(hours=12)
"""A session that is not used for this long is over."""

LONGEST = timedelta(days=14)
"""A session is over by then, used or not."""

NOTED_EVERY = timedelta(minutes=5)
"""Its use is written down this often at most; so it may be over this much before `IDLE`."""

_HANDLE = 8  # bytes
_HASH = 32


@dataclass(frozen=True)
class Device:
    """What is remembered of a browser, so that its owner recognises it."""

    ip_trunc: str | None = None
    """The network that it is in; never a whole address."""
    browser: str = "other"
    """One of `db.people.BROWSERS`."""
    system: str = "other"
    """One of `db.people.SYSTEMS`."""


@dataclass(frozen=True)
class SignedIn:
    """Somebody with a session."""

    person: Person
    id_hash: bytes
    """Names the session; opens nothing."""


@dataclass(frozen=True)
class SessionView:
    """A session as its owner sees it."""

    id_hash: bytes
    created_at: datetime
    last_seen_at: datetime
    browser: str
    system: str
    ip_trunc: str | None

    @property
    def handle(self) -> str:
        """Names the session to its owner. Only the beginning of the hash of its secret: opens
        nothing, and does not name it to anybody else."""
        return self.id_hash[:_HANDLE].hex()


# Built once, because it is asked with every request of every page.
_FIND = (
    select(Session.created_at, Session.last_seen_at, *person_columns())
    .join(User, User.id == Session.user_id)
    .where(
        Session.id_hash == bindparam("id_hash"),
        Session.expires_at > bindparam("now"),
        Session.revoked_at.is_(None),
        User.state == UserState.ACTIVE,
    )
)


def begin(store: Store, user_id: UUID, device: Device) -> str:
    """A new session; the secret that is returned opens it, and is not kept.

    Raises `NotFound`, or `Suspended` for who may not sign in.
    """
    secret = new_secret()
    with store.writing() as rows:
        check_active(rows, user_id)
        now = store.clock.now()
        rows.execute(
            insert(Session).values(
                id_hash=hash_of(secret),
                user_id=user_id,
                created_at=now,
                last_seen_at=now,
                expires_at=now + IDLE,
                ip_trunc=device.ip_trunc,
                browser_family=device.browser,
                os_family=device.system,
            )
        )
        note_day(rows, user_id, now.date())
        counts.add(rows, now, Metric.SIGNED_IN)
    return secret


def find(store: Store, secret: str) -> SignedIn | None:
    """Whose session this is; None when there is none, it is over, or its user is suspended."""
    id_hash, now = hash_of(secret), store.clock.now()
    with store.reading() as rows:
        row = rows.execute(_FIND, {"id_hash": id_hash, "now": now}).one_or_none()
    if row is None:
        return None
    if now - row.last_seen_at >= NOTED_EVERY:
        store.note(lambda rows: _note_use(rows, id_hash, row.id, row.created_at, now))
    return SignedIn(person_of(row), id_hash)


def end(store: Store, secret: str) -> None:
    """Signs out here; of an unknown or ended session, nothing is said."""
    now = store.clock.now()
    with store.writing() as rows:
        rows.execute(_ended(now, Session.id_hash == hash_of(secret)))


def end_one(store: Store, handle: str, user_id: UUID) -> None:
    """Signs the user out in the browser whose session has this handle. Raises `NotFound` when
    they have no such session, or no longer."""
    try:
        first = bytes.fromhex(handle)
    except ValueError:
        raise NotFound from None
    if len(first) != _HANDLE:
        raise NotFound
    rest = _HASH - _HANDLE
    condition = and_(
        Session.user_id == user_id,
        # Not its first bytes cut off and compared: the two databases call that by other names.
        Session.id_hash.between(first + bytes(rest), first + b"\xff" * rest),
    )
    with store.writing() as rows:
        if not rows.execute(_ended(store.clock.now(), condition)).rowcount:
            raise NotFound


def end_all(store: Store, user_id: UUID, *, but: bytes | None = None) -> int:
    """Signs the user out everywhere, but in the session with the hash `but`; returns how many."""
    now, condition = store.clock.now(), Session.user_id == user_id
    if but is not None:
        condition = and_(condition, Session.id_hash != but)
    with store.writing() as rows:
        return rows.execute(_ended(now, condition)).rowcount


def current(store: Store, user_id: UUID) -> tuple[SessionView, ...]:
    """The sessions that are not over, the one used last first."""
    with store.reading() as rows:
        found = rows.execute(
            select(
                Session.id_hash,
                Session.created_at,
                Session.last_seen_at,
                Session.browser_family,
                Session.os_family,
                Session.ip_trunc,
            )
            .where(Session.user_id == user_id, _open(store.clock.now()))
            .order_by(Session.last_seen_at.desc(), Session.created_at.desc())
        )
        return tuple(SessionView(*row) for row in found)


def _open(now: datetime) -> ColumnElement[bool]:
    return and_(Session.expires_at > now, Session.revoked_at.is_(None))


def _ended(now: datetime, condition: ColumnElement[bool]) -> Update:
    return update(Session).where(condition, _open(now)).values(expires_at=now, revoked_at=now)


def _note_use(
    rows: Connection, id_hash: bytes, user_id: UUID, created_at: datetime, now: datetime
) -> None:
    rows.execute(
        # Only while it is open: who signed out in the meantime stays signed out.
        update(Session)
        .where(Session.id_hash == id_hash, _open(now), Session.last_seen_at < now)
        .values(last_seen_at=now, expires_at=min(now + IDLE, created_at + LONGEST))
    )
    note_day(rows, user_id, now.date())
