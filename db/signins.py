"""Sign-ins that have begun: what has to be remembered while somebody is away at an issuer.

Each is taken once, within ten minutes. Knows nothing of what is remembered.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert

from db.hashes import hash_of, new_secret
from db.people import SignIn
from db.store import Store

WITHIN = timedelta(minutes=10)
"""A sign-in that takes longer has to be begun again."""


def begin(store: Store, data: Mapping[str, Any]) -> str:
    """Remembers `data`, which must be JSON; the secret that is returned opens it."""
    secret = new_secret()
    with store.writing() as rows:
        expires_at = store.clock.now() + WITHIN
        rows.execute(
            insert(SignIn).values(
                secret_hash=hash_of(secret), data=dict(data), expires_at=expires_at
            )
        )
    return secret


def take(store: Store, secret: str) -> dict[str, Any] | None:
    """What was remembered, for the first who asks in time; None for everybody else."""
    with store.writing() as rows:
        taken = rows.execute(
            delete(SignIn)
            .where(SignIn.secret_hash == hash_of(secret))
            .returning(SignIn.data, SignIn.expires_at)
        ).one_or_none()
        now = store.clock.now()
    return None if taken is None or taken.expires_at <= now else dict(taken.data)
