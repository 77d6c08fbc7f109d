"""Personal access tokens: `iu_`, 30 characters at random, 6 that check them.

Letters and digits only. The check is the CRC-32 of the 30, in base 62, so that a text can be told
from a token without asking anybody. Knows nothing of how a token is sent.
"""

import re
import string
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from secrets import choice
from uuid import UUID, uuid4
from zlib import crc32

from sqlalchemy import ColumnElement, Connection, and_, bindparam, insert, or_, select, update

from db.errors import NotFound
from db.hashes import hash_of
from db.people import Scope, Token, User, UserState
from db.store import Store
from db.users import Person, check_active, note_day, person_columns, person_of

PREFIX = "iu_"

LISTED = timedelta(days=30)
"""A token whose time is over is shown as such for this long: a program that stopped has a reason
that can be found."""

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FORM = re.compile(rf"{PREFIX}([0-9A-Za-z]{{30}})([0-9A-Za-z]{{6}})")
_NAME_LENGTH = 80


@dataclass(frozen=True)
class TokenView:
    """A token as its owner sees it: without its secret, which nobody knows."""

    id: UUID
    name: str
    created_at: datetime
    last_used_day: date | None
    expires_at: datetime | None
    scope: Scope


@dataclass(frozen=True)
class Holder:
    """Whose a token is, and what it may do."""

    person: Person
    scope: Scope


def _open(now: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    in_time = or_(Token.expires_at.is_(None), Token.expires_at > now)
    return and_(in_time, Token.revoked_at.is_(None))


# Built once, because it is asked with every request of every program.
_FIND = (
    select(Token.id.label("token_id"), Token.last_used_day, Token.scope, *person_columns())
    .join(User, User.id == Token.user_id)
    .where(
        Token.secret_hash == bindparam("secret_hash"),
        _open(bindparam("now", type_=Token.expires_at.type)),
        User.state == UserState.ACTIVE,
    )
)


def create(
    store: Store,
    user_id: UUID,
    name: str,
    *,
    scope: Scope = Scope.WRITE,
    lasts: timedelta | None = None,
) -> tuple[TokenView, str]:
    """A new token and its secret, which is not kept. Of `name`, 80 characters are. It `lasts` from
    now on; without that, until it is revoked.

    Raises `NotFound`, or `Suspended` for who may have none.
    """
    secret = _new_secret()
    with store.writing() as rows:
        check_active(rows, user_id)
        now = store.clock.now()
        expires_at = None if lasts is None else now + lasts
        view = TokenView(uuid4(), name[:_NAME_LENGTH], now, None, expires_at, scope)
        rows.execute(
            insert(Token).values(
                id=view.id,
                user_id=user_id,
                name=view.name,
                scope=view.scope,
                secret_hash=hash_of(secret),
                created_at=view.created_at,
                expires_at=view.expires_at,
            )
        )
    return view, secret


def find(store: Store, secret: str) -> Holder | None:
    """Whose token this is; None when it is none, revoked, over, or its user is suspended.

    What does not have the form of a token costs no query.
    """
    if not is_token(secret):
        return None
    now = store.clock.now()
    with store.reading() as rows:
        row = rows.execute(_FIND, {"secret_hash": hash_of(secret), "now": now}).one_or_none()
    if row is None:
        return None
    if row.last_used_day != now.date():
        store.note(lambda rows: _note_use(rows, row.token_id, row.id, now.date()))
    return Holder(person_of(row), Scope(row.scope))


def is_token(text: str) -> bool:
    """Whether it has the form of a token, its check included."""
    form = _FORM.fullmatch(text)
    return form is not None and form[2] == _check(form[1])


def revoke(store: Store, token_id: UUID, user_id: UUID) -> None:
    """It opens nothing from now on. Raises `NotFound` when this user has no such token."""
    with store.writing() as rows:
        revoked = rows.execute(
            update(Token)
            .where(Token.id == token_id, Token.user_id == user_id, Token.revoked_at.is_(None))
            .values(revoked_at=store.clock.now())
        ).rowcount
    if not revoked:
        raise NotFound


def listed(store: Store, user_id: UUID) -> tuple[TokenView, ...]:
    """The user's tokens that open something, and those that were over in the last `LISTED`, the
    newest first. A token that was revoked is in no list."""
    with store.reading() as rows:
        found = rows.execute(
            select(
                Token.id,
                Token.name,
                Token.created_at,
                Token.last_used_day,
                Token.expires_at,
                Token.scope,
            )
            .where(Token.user_id == user_id, _open(store.clock.now() - LISTED))
            .order_by(Token.created_at.desc(), Token.id)
        )
        return tuple(TokenView(*row[:-1], Scope(row.scope)) for row in found)


def _new_secret() -> str:
    body = "".join(choice(_DIGITS) for _ in range(30))
    return PREFIX + body + _check(body)


def _check(body: str) -> str:
    number, digits = crc32(body.encode("ascii")), ""
    for _ in range(6):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def _note_use(rows: Connection, token_id: UUID, user_id: UUID, today: date) -> None:
    rows.execute(update(Token).where(Token.id == token_id).values(last_used_day=today))
    note_day(rows, user_id, today)
