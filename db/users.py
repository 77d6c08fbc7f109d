"""Users and the identities by which they are recognised.

Knows that an identity is an issuer and a subject. Knows no password, no provider's token, and never
takes an e-mail address for a person.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, ScalarSelect, insert, or_, select, update

from db.errors import NotFound, Suspended
from db.people import Acknowledgement, Identity, User, UserState
from db.store import Store

LOCAL = "local"
"""The issuer of identities that no provider vouches for."""

NAME_LENGTH = 80
"""Characters of a user's name."""


@dataclass(frozen=True)
class Person:
    """A user, as far as it takes to let them in and to address them."""

    id: UUID
    display_name: str | None
    email: str | None
    is_admin: bool
    """Without being on anybody's list: the owner of this machine."""
    policy_version: str | None
    """The policy that they agreed to last, saying that they are old enough."""
    email_verified: bool = False
    """Whether the provider that they signed in with last vouched for the address."""


@dataclass(frozen=True)
class Vouched:
    """One way in which a user is recognised."""

    issuer: str
    """`LOCAL`, or the address of a provider."""
    linked_at: datetime


@dataclass(frozen=True)
class Profile:
    """What is known of a user, as they see it themselves."""

    display_name: str | None
    email: str | None
    email_verified: bool
    """Whether the issuer that said the address has verified it."""
    created_at: datetime
    identities: tuple[Vouched, ...]
    """The oldest first."""


def person(store: Store, user_id: UUID) -> Person:
    """Raises `NotFound`."""
    with store.reading() as rows:
        row = rows.execute(select(*person_columns()).where(User.id == user_id)).one_or_none()
    if row is None:
        raise NotFound
    return person_of(row)


def profile(store: Store, user_id: UUID) -> Profile:
    """Raises `NotFound`."""
    columns = User.__table__.c["display_name", "email", "email_verified", "created_at"]
    with store.reading() as rows:
        row = rows.execute(select(*columns).where(User.id == user_id)).one_or_none()
        if row is None:
            raise NotFound
        found = rows.execute(
            select(Identity.issuer, Identity.linked_at)
            .where(Identity.user_id == user_id)
            .order_by(Identity.linked_at, Identity.issuer)
        )
        return Profile(
            display_name=row.display_name,
            email=row.email,
            email_verified=row.email_verified,
            created_at=row.created_at,
            identities=tuple(Vouched(*identity) for identity in found),
        )


def rename(store: Store, user_id: UUID, name: str | None) -> None:
    """What to call the user from now on, whatever an issuer calls them; None for nothing. At most
    `NAME_LENGTH` characters. Raises `NotFound`."""
    if name is not None and len(name) > NAME_LENGTH:
        raise ValueError("a name is too long")
    with store.writing() as rows:
        renamed = update(User).where(User.id == user_id).values(display_name=name)
        if not rows.execute(renamed).rowcount:
            raise NotFound


def ensure_user(
    store: Store,
    issuer: str,
    subject: str,
    *,
    email: str | None = None,
    email_verified: bool = False,
    display_name: str | None = None,
    is_admin: bool = False,
) -> UUID:
    """The user whom `issuer` calls `subject`; made, with the given details, if there is none.

    The details of somebody who exists are left alone.
    """
    with store.writing() as rows:
        known = rows.scalar(
            select(Identity.user_id).where(Identity.issuer == issuer, Identity.subject == subject)
        )
        if known is not None:
            return known
        now = store.clock.now()
        user_id = uuid4()
        rows.execute(
            insert(User).values(
                id=user_id,
                email=email,
                email_verified=email_verified,
                display_name=display_name,
                is_admin=is_admin,
                created_at=now,
            )
        )
        rows.execute(
            insert(Identity).values(user_id=user_id, issuer=issuer, subject=subject, linked_at=now)
        )
    return user_id


def note_address(store: Store, user_id: UUID, email: str | None, *, verified: bool) -> None:
    """What a provider says of the user's address with every sign-in: the last word counts.

    Where it says none any more, the old one stays as a fact, and nobody vouches for it.
    """
    said = {"email_verified": verified and email is not None} | ({"email": email} if email else {})
    with store.writing() as rows:
        rows.execute(update(User).where(User.id == user_id).values(**said))


def newest_acknowledged() -> ScalarSelect[str]:
    """The version of the policy that a row of `user` agreed to last, or null."""
    return (
        select(Acknowledgement.policy_version)
        .where(Acknowledgement.user_id == User.id, Acknowledgement.age_declared)
        .order_by(Acknowledgement.at.desc())
        .limit(1)
        .correlate(User)
        .scalar_subquery()
    )


def person_columns() -> tuple[ColumnElement[Any], ...]:
    """What has to be selected of `user` to call `person_of`."""
    newest = newest_acknowledged().label("policy_version")
    return *User.__table__.c["id", "display_name", "email", "is_admin", "email_verified"], newest


def person_of(row: Any) -> Person:
    return Person(
        row.id, row.display_name, row.email, row.is_admin, row.policy_version, row.email_verified
    )


def check_active(rows: Connection, user_id: UUID) -> None:
    """Raises `NotFound` or `Suspended`."""
    state = rows.scalar(select(User.state).where(User.id == user_id).with_for_update())
    if state is None:
        raise NotFound
    if state != UserState.ACTIVE:
        raise Suspended


def note_day(rows: Connection, user_id: UUID, today: date) -> None:
    """The user was here on this day; of the day, not of the hour, so that it says little."""
    rows.execute(
        update(User)
        .where(User.id == user_id, or_(User.last_seen_day.is_(None), User.last_seen_day < today))
        .values(last_seen_day=today)
    )
