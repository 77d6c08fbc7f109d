"""Acknowledgements: that somebody agreed to the terms and a version of the policy, and is 13.

What is written here stays as evidence. Knows no text of the policy.
"""

from uuid import UUID

from sqlalchemy import insert, select

from db.errors import NotFound
from db.people import Acknowledgement, AcknowledgementSource, User
from db.store import Store
from db.users import newest_acknowledged


def record(
    store: Store,
    user_id: UUID,
    policy_version: str,
    source: AcknowledgementSource = AcknowledgementSource.PERSON,
) -> None:
    """From now on `policy_version` is the newest that the user has agreed to.

    Says it once: nothing is written if it is the newest already. Raises `NotFound`.
    """
    with store.writing() as rows:
        # On PostgreSQL, two who agree at once wait here for each other.
        if rows.scalar(select(User.id).where(User.id == user_id).with_for_update()) is None:
            raise NotFound
        if rows.scalar(select(newest_acknowledged()).where(User.id == user_id)) == policy_version:
            return
        rows.execute(
            insert(Acknowledgement).values(
                user_id=user_id,
                policy_version=policy_version,
                age_declared=True,
                source=source,
                at=store.clock.now(),
            )
        )
