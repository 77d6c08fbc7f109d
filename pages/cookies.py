"""The register of cookies: every cookie that this service sets, and nothing else.

The Cookie Policy's table is made from it. Knows what each is for and how long it lasts; who sets
and reads it is in `app`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from db import sessions, signins


@dataclass(frozen=True)
class Cookie:
    """One entry. All are `HttpOnly`, `SameSite=Lax`, for every path of this host alone."""

    plain_name: str
    purpose: str
    lifetime: timedelta
    kind: Literal["essential"] = "essential"

    def name(self, *, https: bool) -> str:
        """Over https, browsers keep a `__Host-` name from being set by anybody else. On plain http
        they would not keep it at all."""
        return f"__Host-{self.plain_name}" if https else self.plain_name

    @property
    def lasts(self) -> str:
        """`14 days`, `10 minutes`."""
        seconds = int(self.lifetime.total_seconds())
        for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
            if seconds % length == 0:
                number = seconds // length
                return f"{number} {unit}" + ("" if number == 1 else "s")
        return f"{seconds} seconds"


SESSION = Cookie(
    "session",
    "Keeps you signed in. It ends earlier when you sign out or stay away.",
    sessions.LONGEST,
)

SIGN_IN = Cookie(
    "signin",
    "Brings you back from a sign-in provider to the sign-in that you began.",
    signins.WITHIN,
)

REGISTER = (SESSION, SIGN_IN)
