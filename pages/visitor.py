"""Who looks at a page or calls the API, as the gate found out.

Knows nothing of cookies and tokens: the gate leaves a `Visitor` in the request's scope, and
everything behind it reads only that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

KEY = "visitor"
"""Where in `scope["state"]` the gate leaves who asks."""


@dataclass(frozen=True)
class Visitor:
    """Somebody who is signed in."""

    user_id: UUID
    name: str
    """What to call them on a page: a name, an address or `You`. Data: to be escaped."""
    is_admin: bool
    acknowledged: bool
    """Has agreed to the terms, in the policy's present version, and is 13 or older. Without that,
    nobody gets past the gate but to agree."""
    via: Literal["cookie", "token"]
    session: bytes | None = None
    """With a cookie: which session this is, as `db.sessions` names it."""
    may_change: bool = True
    """False for a token that is for reading: it looks at batches and fetches files, and no more."""

    @property
    def is_in_office(self) -> bool:
        """Whether they may do an admin's work: in a browser. Their programs' tokens may not."""
        return self.is_admin and self.via == "cookie"


def visitor_of(scope: Mapping[str, Any]) -> Visitor:
    """Who sent this request. `scope` is ASGI's: `request.scope` of Starlette's requests,
    `request.request.scope` of Gradio's. Raises `LookupError` where no gate stands in front."""
    found = scope["state"][KEY]
    assert isinstance(found, Visitor)
    return found
