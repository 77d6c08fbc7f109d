"""Users and the identities by which they are recognised.

Knows that an identity is an issuer and a subject. Knows no password, no provider's token, and never
takes an e-mail address for a person.
"""

from uuid import UUID, uuid4

from sqlalchemy import insert, select

from db.people import Identity, User
from db.store import Store

LOCAL = "local"
"""The issuer of identities that no provider vouches for."""


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
