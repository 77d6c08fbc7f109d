"""Who asks our own routes, and for what. Knows no cookie and no token: those are the gate's."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from app.problems import not_found, sign_in_first
from pages.visitor import Visitor, visitor_of


async def _visitor(request: Request) -> Visitor:
    try:
        return visitor_of(request.scope)
    except LookupError:
        raise sign_in_first() from None


Asking = Annotated[Visitor, Depends(_visitor)]
"""A parameter of a route for signed-in visitors only; without a gate in front, nobody is."""


def id_of(text: str) -> UUID:
    """The id that an address names, written as we write ids. What is none belongs to nothing:
    raises `not_found`."""
    try:
        found = UUID(text)
    except ValueError:
        raise not_found() from None
    if str(found) != text:
        raise not_found()
    return found
