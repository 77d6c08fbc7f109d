"""Tables about people: who they are, how they sign in, what they agreed to.

Knows no picture. The words "erase T" mean: the person's id is replaced by a tag, so that what was
agreed to can be shown without saying by whom.
"""

from datetime import date, datetime
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    JSON,
    Boolean,
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    Uuid,
    false,
)
from sqlalchemy.orm import Mapped

from db.base import Base, Instant, closed, column

_SECRET = "only the hash of a secret, useless to anybody else"  # noqa: S105
_NOBODYS = "of somebody who has not said yet who they are, gone within minutes"

of_account = partial(column, keep="R2", dsar="X", erase="D")
of_session = partial(column, keep="R3s", dsar="X", erase="D")
of_sign_in = partial(column, keep="R0", dsar="-", erase="D")
evidence = partial(column, keep="R6", dsar="X", erase="T")


class UserState(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"


class Scope(StrEnum):
    """What a token may do."""

    READ = "read"
    """Look at batches and fetch files."""
    WRITE = "write"
    """All that its user may do with pictures."""


class AcknowledgementSource(StrEnum):
    PERSON = "person"
    OPERATOR = "operator"


BROWSERS = ("chrome", "edge", "firefox", "safari", "other")
SYSTEMS = ("android", "ios", "linux", "macos", "windows", "other")
PREFERENCES = (
    "theme",
    *("model", "scale", "width", "height", "long_side"),
    *("output_format", "quality", "lossless", "bits", "metadata", "mark", "suffix"),
    *("denoise", "precision"),
    *("notify", "result_mail"),
)


class User(Base):
    __tablename__ = "user"
    __table_args__ = (closed("state", UserState),)

    id: Mapped[UUID] = of_account(Uuid, primary_key=True, default=uuid4, clause="3.1.k")
    display_name: Mapped[str | None] = of_account(String(80), clause="3.1.h 3.6.a")
    email: Mapped[str | None] = of_account(String(254), clause="3.1.i 3.6.a")
    email_verified: Mapped[bool] = of_account(Boolean, server_default=false(), clause="3.6.a")
    is_admin: Mapped[bool] = of_account(Boolean, server_default=false(), clause="10.a'")
    state: Mapped[str] = of_account(String(16), server_default=UserState.ACTIVE, clause="4.l")
    created_at: Mapped[datetime] = of_account(Instant, clause="3.1.k 3.2.h")
    restricted_at: Mapped[datetime | None] = of_account(Instant, clause="11.d")
    analytics_objected_at: Mapped[datetime | None] = of_account(Instant, clause="11.e")
    last_seen_day: Mapped[date | None] = of_account(Date, clause="7.2.a")
    last_claimed_at: Mapped[datetime | None] = of_account(
        # Users take turns; whose last turn lies longest back is next.
        Instant,
        index=True,
        clause="3.2.h 4.j",
    )


class Identity(Base):
    """How an issuer calls a user. Never an e-mail address: those change hands."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[UUID] = of_account(Uuid, primary_key=True, default=uuid4, clause="3.1.c")
    user_id: Mapped[UUID] = of_account(
        Uuid, ForeignKey("user.id", ondelete="CASCADE"), index=True, clause="3.1.c"
    )
    issuer: Mapped[str] = of_account(String(255), clause="3.6.a")
    subject: Mapped[str] = of_account(String(255), clause="3.6.a")
    linked_at: Mapped[datetime] = of_account(Instant, clause="3.1.j")


class Session(Base):
    """A browser that is signed in. Who signs out, or is signed out, gets `expires_at` = then."""

    __tablename__ = "session"
    __table_args__ = (closed("browser_family", BROWSERS), closed("os_family", SYSTEMS))

    id_hash: Mapped[bytes] = column(
        LargeBinary(32),
        primary_key=True,
        clause="3.1.j 4.e 6.b",
        keep="R3s",
        dsar="-",
        erase="D",
        reason=_SECRET,
    )
    user_id: Mapped[UUID] = of_session(
        Uuid, ForeignKey("user.id", ondelete="CASCADE"), index=True, clause="3.2.l"
    )
    created_at: Mapped[datetime] = of_session(Instant, clause="3.4.e 10.c")
    last_seen_at: Mapped[datetime] = of_session(Instant, clause="3.4.e 10.c")
    expires_at: Mapped[datetime] = of_session(Instant, ages=True, index=True, clause="3.4.e 10.c")
    revoked_at: Mapped[datetime | None] = of_session(Instant, clause="10.c")
    ip_trunc: Mapped[str | None] = of_session(String(43), clause="3.5.a")
    browser_family: Mapped[str] = of_session(String(16), server_default="other", clause="3.5.b")
    os_family: Mapped[str] = of_session(String(16), server_default="other", clause="3.5.c")


class SignIn(Base):
    """A sign-in that has begun at an issuer and is not finished; nobody's yet."""

    __tablename__ = "sign_in"

    secret_hash: Mapped[bytes] = of_sign_in(
        LargeBinary(32), primary_key=True, clause="4.e", reason=_SECRET
    )
    data: Mapped[dict[str, Any]] = of_sign_in(JSON, clause="4.e", reason=_NOBODYS)
    expires_at: Mapped[datetime] = of_sign_in(
        Instant, ages=True, index=True, clause="4.e", reason=_NOBODYS
    )


class Token(Base):
    """A personal access token (`iu_…`), of which only the hash is known."""

    __tablename__ = "token"
    __table_args__ = (closed("scope", Scope),)

    id: Mapped[UUID] = of_account(Uuid, primary_key=True, default=uuid4, clause="3.1.j")
    user_id: Mapped[UUID] = of_account(
        Uuid, ForeignKey("user.id", ondelete="CASCADE"), index=True, clause="3.1.j"
    )
    name: Mapped[str] = of_account(String(80), clause="3.1.j")
    scope: Mapped[str] = of_account(String(8), server_default=Scope.WRITE, clause="3.1.j")
    secret_hash: Mapped[bytes] = column(
        LargeBinary(32),
        unique=True,
        clause="3.1.j",
        keep="R2",
        dsar="-",
        erase="D",
        reason=_SECRET,
    )
    created_at: Mapped[datetime] = of_account(Instant, clause="3.1.j")
    last_used_day: Mapped[date | None] = of_account(Date, clause="3.1.j")
    expires_at: Mapped[datetime | None] = of_account(Instant, clause="3.1.j")
    revoked_at: Mapped[datetime | None] = of_account(Instant, clause="3.1.j")


class Acknowledgement(Base):
    """Somebody agreed to the terms, in one version of the policy, and is old enough."""

    __tablename__ = "acknowledgement"
    # Every request asks for a user's newest one.
    __table_args__ = (closed("source", AcknowledgementSource), Index(None, "user_id", "at"))

    id: Mapped[UUID] = evidence(Uuid, primary_key=True, default=uuid4, clause="0.c")
    user_id: Mapped[UUID | None] = evidence(
        Uuid, ForeignKey("user.id", ondelete="SET NULL"), clause="0.c 13.a 3.2.m"
    )
    subject_tag: Mapped[bytes | None] = column(
        LargeBinary(32),
        clause="0.c 11.c",
        keep="R6",
        dsar="-",
        erase="T",
        reason="stands for the person after the erasure, empty before",
    )
    policy_version: Mapped[str] = evidence(String(64), clause="0.c 16.b")
    age_declared: Mapped[bool] = evidence(Boolean, clause="13.a")
    source: Mapped[str] = evidence(String(16), clause="0.c")
    at: Mapped[datetime] = evidence(Instant, ages=True, index=True, clause="0.c")


class Preference(Base):
    __tablename__ = "preference"
    __table_args__ = (closed("key", PREFERENCES),)

    user_id: Mapped[UUID] = of_account(
        Uuid, ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, clause="6.c"
    )
    key: Mapped[str] = of_account(String(32), primary_key=True, clause="6.c")
    value: Mapped[str] = of_account(String(80), clause="6.c")
