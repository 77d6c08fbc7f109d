"""The two cookies of the service: who is signed in, and a sign-in that has begun.

Knows their names and attributes. Knows nothing of what their secrets open: that is in the rows.
"""

from dataclasses import dataclass
from typing import Literal

from starlette.requests import HTTPConnection
from starlette.responses import Response

from app.settings import Settings
from pages import cookies


@dataclass(frozen=True)
class Cookie:
    """One secret in a browser: sent only to this host, read by no script, gone after `max_age`."""

    name: str
    secure: bool
    max_age: int
    """Seconds."""
    same_site: Literal["lax", "strict"] = "lax"

    def set(self, response: Response, secret: str) -> None:
        """Have the browser keep `secret`, in place of whatever it kept under this name."""
        self._write(response, secret, self.max_age)

    def drop(self, response: Response) -> None:
        """Have the browser forget it."""
        self._write(response, "", 0)

    def read(self, connection: HTTPConnection) -> str | None:
        """What the browser sent; None for nothing, and for two different values: somebody else on
        this host has planted one of them then."""
        found: set[str] = set()
        for header in connection.headers.getlist("cookie"):
            for part in header.split(";"):
                name, _, value = part.strip().partition("=")
                if name == self.name and value:
                    found.add(value.strip().strip('"'))
        return found.pop() if len(found) == 1 else None

    def _write(self, response: Response, value: str, max_age: int) -> None:
        response.set_cookie(
            self.name,
            value,
            max_age=max_age,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite=self.same_site,
        )


def session_cookie(settings: Settings) -> Cookie:
    """Names a session of `db.sessions`, which ends it earlier than the browser would."""
    return _cookie(settings, cookies.SESSION)


def signin_cookie(settings: Settings) -> Cookie:
    """Names a sign-in of `db.signins` that has begun in this browser.

    Lax, as the provider sends the browser back from its own site.
    """
    return _cookie(settings, cookies.SIGN_IN)


def _cookie(settings: Settings, entry: cookies.Cookie) -> Cookie:
    https = settings.is_https
    return Cookie(entry.name(https=https), https, int(entry.lifetime.total_seconds()))
