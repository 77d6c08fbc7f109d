"""What a token may do: the endpoints that are for programs, and of those, the ones that only read.

Asked before any event of Gradio's runs, whoever calls it and how (`pages.blocks`), and by the gate
where an address names the endpoint. What is not named here changes something. Knows nothing of
addresses: those are in `app/gate_rules.py`.
"""

from pages.visitor import Visitor
from tasks.errors import ReadOnlyToken, SessionNeeded

READING = frozenset({"batch", "history", "models"})
"""The endpoints that a token for reading may call."""


def check(visitor: Visitor, endpoint: str | None) -> None:
    """Raises `ReadOnlyToken` or `SessionNeeded` for what this visitor may not call. `endpoint` is
    None for an event of the page itself: those are for who is signed in, and for no token, so that
    no program makes tokens, ends sessions or changes an account."""
    if visitor.via == "cookie":
        return
    if endpoint is None:
        raise SessionNeeded(
            "This is part of the page, and not for programs.",
            "Sign in with a browser, or call an endpoint of the API.",
        )
    if not visitor.may_change:
        check_reading(endpoint)


def check_reading(endpoint: str | None) -> None:
    """Raises `ReadOnlyToken` for an endpoint that changes something. None is for an address that
    does not say which one is called: `check` will."""
    if endpoint is not None and endpoint not in READING:
        raise read_only()


def read_only() -> ReadOnlyToken:
    return ReadOnlyToken(
        "This token is for reading: it can look at batches and download files.",
        "To upscale, cancel or delete, make a token under Account that may read and write.",
    )
