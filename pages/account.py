"""The tab Account: who one is here, the tokens of one's programs, and where one is signed in.

Knows nothing of cookies: signing out is a form that posts to a route of the app.
"""

from typing import Annotated
from uuid import UUID

import gradio as gr
from pydantic import BaseModel, StringConstraints

from db import sessions, tokens, users
from pages import shapes
from pages.asking import Json, answers, part
from pages.visitor import Visitor
from tasks.service import Service


class NewToken(BaseModel):
    """What a token is to be called."""

    name: Annotated[str, StringConstraints(max_length=200)] = ""


class WhichToken(BaseModel):
    """One token."""

    token: UUID


def place_account(service: Service) -> None:
    """Place the tab's part, and let it work."""
    with gr.Column(elem_id="self"):
        account = part("account")
    answers(
        account,
        {
            "show": lambda visitor, what: show(service, visitor),
            "make": lambda visitor, what: make(service, visitor, what),
            "revoke": lambda visitor, what: revoke(service, visitor, what),
        },
    )


def show(service: Service, visitor: Visitor) -> Json:
    """`{person, tokens, sessions}`; no secret is in it."""
    person = users.person(service.store, visitor.user_id)
    return {
        "person": {"name": person.display_name, "email": person.email},
        "tokens": [
            {
                "id": str(token.id),
                "name": token.name,
                "created_at": shapes.iso(token.created_at),
                "last_used_day": token.last_used_day and token.last_used_day.isoformat(),
            }
            for token in tokens.current(service.store, visitor.user_id)
        ],
        "sessions": [
            {
                "browser": session.browser,
                "system": session.system,
                "created_at": shapes.iso(session.created_at),
                "last_seen_at": shapes.iso(session.last_seen_at),
                "here": session.id_hash == visitor.session,
            }
            for session in sessions.current(service.store, visitor.user_id)
        ],
    }


def make(service: Service, visitor: Visitor, what: Json) -> Json:
    """`{secret}` of a new token, never to be seen again, and what `show` gives."""
    # Printable: in one line, and in the direction in which it is read.
    name = "".join(c for c in NewToken.model_validate(what).name if c.isprintable()).strip()
    _, secret = tokens.create(service.store, visitor.user_id, name or "A program")
    return {"secret": secret, **show(service, visitor)}


def revoke(service: Service, visitor: Visitor, what: Json) -> Json:
    """What `show` gives afterwards. Raises `NotFound`."""
    asked = WhichToken.model_validate(what)
    tokens.revoke(service.store, asked.token, visitor.user_id)
    return show(service, visitor)
