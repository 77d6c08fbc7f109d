"""The tab Account: who one is here, where one is signed in, the tokens of one's programs, and what
is held about one.

Knows nothing of cookies: signing out everywhere is a form that posts to a route of the app. Nothing
here is for programs: `pages.permits` lets no token this far.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

import gradio as gr
from pydantic import BaseModel, StringConstraints

from app.settings import Settings
from db import held, hours, retention, sessions, tokens, users
from db.people import Scope
from db.sessions import SessionView
from db.tokens import TokenView
from pages import shapes
from pages.asking import Json, answers, part
from pages.examples import examples
from pages.texts import t
from pages.visitor import Visitor
from tasks import inbox, names
from tasks.service import Service

Written = Annotated[str, StringConstraints(max_length=1000)]
"""What somebody wrote into a line; of it, as much is kept as a name may have."""


class NewName(BaseModel):
    """What to call somebody."""

    name: Written = ""


class NewToken(BaseModel):
    """What a token is to be called, what it may do, and for how many days."""

    name: Written = ""
    scope: Scope = Scope.WRITE
    days: Literal[30, 90, 365] | None = None


class WhichToken(BaseModel):
    """One token."""

    token: UUID


class WhichSession(BaseModel):
    """One session, by its handle."""

    session: str


def place_account(service: Service, settings: Settings) -> None:
    """Place the tab's part, and let it work."""
    tab = AccountTab(service, settings)
    with gr.Column(elem_id="self"):
        account = part("account", examples=examples(settings))
    acts: dict[str, Callable[[Visitor, Json], Json]] = {
        "show": lambda visitor, what: tab.show(visitor),
        "rename": tab.rename,
        "make": tab.make,
        "revoke": tab.revoke,
        "end": tab.end,
    }
    answers(account, acts)


class AccountTab:
    """What the tab's JavaScript asks for. Every answer is the whole of what the tab shows."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        self._store = service.store
        self._providers = {each.issuer: each.name for each in settings.providers}

    def show(self, visitor: Visitor) -> Json:
        """`{person, tokens, sessions, held, quota}`; no secret is in it."""
        own = held.about(self._store, visitor.user_id)
        return {
            "person": self._person(visitor),
            "tokens": [self._token(each) for each in tokens.listed(self._store, visitor.user_id)],
            "sessions": [
                _session(each, visitor) for each in sessions.current(self._store, visitor.user_id)
            ],
            "held": self._held(own, visitor),
            "quota": self._quota(own),
        }

    def rename(self, visitor: Visitor, what: Json) -> Json:
        """What `show` gives afterwards, with the new name, cleaned and cut. Nothing is a name too:
        then the e-mail address is what they are called."""
        name = names.one_line(NewName.model_validate(what).name)[: users.NAME_LENGTH].strip()
        users.rename(self._store, visitor.user_id, name or None)
        return self.show(visitor)

    def make(self, visitor: Visitor, what: Json) -> Json:
        """`{secret}` of a new token, never to be seen again, and what `show` gives."""
        new = NewToken.model_validate(what)
        _, secret = tokens.create(
            self._store,
            visitor.user_id,
            names.one_line(new.name) or t("account.token.unnamed"),
            scope=new.scope,
            lasts=None if new.days is None else timedelta(days=new.days),
        )
        return {"secret": secret, **self.show(visitor)}

    def revoke(self, visitor: Visitor, what: Json) -> Json:
        """What `show` gives afterwards. Raises `NotFound`."""
        tokens.revoke(self._store, WhichToken.model_validate(what).token, visitor.user_id)
        return self.show(visitor)

    def end(self, visitor: Visitor, what: Json) -> Json:
        """What `show` gives afterwards. Raises `NotFound`."""
        sessions.end_one(self._store, WhichSession.model_validate(what).session, visitor.user_id)
        return self.show(visitor)

    def _person(self, visitor: Visitor) -> Json:
        profile = users.profile(self._store, visitor.user_id)
        return {
            "name": profile.display_name,
            "called": profile.display_name or profile.email or t("account.unnamed"),
            "email": profile.email,
            "email_verified": profile.email_verified,
            "since": shapes.iso(profile.created_at),
            "ways": [
                {"name": self._provider(each.issuer), "since": shapes.iso(each.linked_at)}
                for each in profile.identities
            ],
        }

    def _provider(self, issuer: str) -> str:
        """What people call it. One that is no longer set up still has an address."""
        if issuer == users.LOCAL:
            return t("account.way.local")
        return self._providers.get(issuer) or urlsplit(issuer).hostname or issuer

    def _token(self, token: TokenView) -> Json:
        now = self._store.clock.now()
        return {
            "id": str(token.id),
            "name": token.name,
            "scope": token.scope.value,
            "created_at": shapes.iso(token.created_at),
            "last_used_day": token.last_used_day and token.last_used_day.isoformat(),
            "expires_at": token.expires_at and shapes.iso(token.expires_at),
            "over": token.expires_at is not None and token.expires_at <= now,
        }

    def _held(self, own: held.Held, visitor: Visitor) -> Json:
        waiting, waiting_bytes = inbox.waiting(self._service.folders, visitor.user_id, set())
        return {
            "stored": {
                role.value: {
                    "files": stored.files,
                    "bytes": stored.bytes,
                    "first_expires_at": shapes.iso(stored.first_expires_at),
                }
                for role, stored in own.stored.items()
            },
            "waiting": {"files": waiting, "bytes": waiting_bytes},
            "batches": own.batches,
            "pictures": own.pictures,
            "ahead": own.ahead,
            "oldest_batch_at": own.oldest_batch_at and shapes.iso(own.oldest_batch_at),
            "sessions": own.sessions,
            "tokens": own.tokens,
            "identities": own.identities,
            "preferences": own.preferences,
            "agreements": own.agreements,
            "agreed": own.agreed
            and {"version": own.agreed.policy_version, "at": shapes.iso(own.agreed.at)},
            "keeps": {
                "readable_hours": round(hours.KEPT.total_seconds() / 3600),
                "gone_hours": round(hours.GONE.total_seconds() / 3600),
                "record_days": retention.PERIOD["R2"].days,
                "session_days": retention.PERIOD["R3s"].days,
                "evidence_years": retention.PERIOD["R6"].days // 365,
            },
        }

    def _quota(self, own: held.Held) -> Json:
        limits = self._service.limits
        return {
            "unfinished": own.unfinished,
            "most_unfinished": limits.open_jobs,
            "stored_bytes": own.stored_bytes,
            "files": limits.files,
            "file_bytes": limits.file_bytes,
            "input_pixels": limits.input_pixels,
            "output_pixels": limits.output_pixels,
        }


def _session(session: SessionView, visitor: Visitor) -> Json:
    return {
        "handle": session.handle,
        "browser": session.browser,
        "system": session.system,
        "network": session.ip_trunc,
        "created_at": shapes.iso(session.created_at),
        "last_seen_at": shapes.iso(session.last_seen_at),
        "here": session.id_hash == visitor.session,
    }
