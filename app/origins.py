"""Under which addresses the service is found, and whether a request comes from its own pages.

Refuses what was sent to another host, and what other sites have a browser send. Knows nothing of
who is signed in.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.problems import Problem, answer
from app.settings import Settings

_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104
_PORTS = {"http": 80, "https": 443}

# Anybody may send these. Gradio would take its own address from them, and tell it to the page.
_SPOOFED = (
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-forwarded-port",
    b"x-forwarded-prefix",
    b"x-forwarded-server",
    b"x-gradio-server",
    b"x-original-url",
    b"x-rewrite-url",
)


@dataclass(frozen=True)
class OwnAddresses:
    """The hosts that are ours, as they stand in a request's `Host`."""

    scheme: str
    hosts: frozenset[str]
    any_number: bool
    """Whether any numeric address is ours too, with any port: no other site has one as its name."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """From the settings: the public address, a Space's, and on a loopback address its names.

        A service that listens on all addresses of its machine and has no public one is found under
        numbers that it does not know.
        """
        parts = urlsplit(settings.origin)
        origins = [settings.origin]
        if settings.space_host:
            origins += [f"https://{host.strip()}" for host in settings.space_host.split(",")]
        if settings.is_loopback:
            port = f":{parts.port}" if parts.port else ""
            origins += [f"{parts.scheme}://{name}{port}" for name in _LOOPBACK]
        return cls(
            parts.scheme,
            frozenset(_plain(urlsplit(origin).netloc, parts.scheme) for origin in origins),
            parts.hostname in _WILDCARDS,
        )

    def origin_of(self, headers: Headers) -> str | None:
        """Our origin as this request's browser sees it; None when it was sent to another host."""
        hosts = headers.getlist("host")
        if len(hosts) != 1:
            return None
        host = _plain(hosts[0], self.scheme)
        if host in self.hosts or (self.any_number and _is_number(host)):
            return f"{self.scheme}://{host}"
        return None


class OwnHostOnly:
    """Middleware: answers only to our own names, and drops headers that claim another one."""

    def __init__(self, app: ASGIApp, own: OwnAddresses) -> None:
        self._app = app
        self._own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        scope["scheme"] = self._own.scheme
        scope["headers"] = [header for header in scope["headers"] if header[0] not in _SPOOFED]
        # What only asks whether the process lives may not know its name.
        if scope["path"] != "/healthz" and not self._own.origin_of(Headers(scope=scope)):
            refused = answer(Request(scope), _wrong_host())
            return await refused(scope, receive, send)
        return await self._app(scope, receive, send)


def check_same_origin(headers: Headers, own: str | None, *, must_say: bool) -> None:
    """Raise a 403 when another site has sent this.

    `own` is our origin for this request. `must_say`: whether the browser has to say at all from
    where it was sent, as every browser does that can open our pages.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    says_ours = (origin is None or origin == own) and site in (None, "same-origin", "none")
    if not says_ours or (must_say and origin is None and site is None):
        raise Problem(
            403,
            "CROSS_SITE",
            "This was sent from another site, so nothing was done.",
            "Open the page here and try again.",
        )


_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def _wrong_host() -> Problem:
    return Problem(
        400,
        "WRONG_HOST",
        "The service does not know itself under this address.",
        "Whoever runs it sets PUBLIC_URL to the address in the browser.",
    )


def _plain(host: str, scheme: str) -> str:
    """In small letters, and without the port that goes without saying."""
    return host.lower().removesuffix(f":{_PORTS[scheme]}")


def _is_number(host: str) -> bool:
    try:
        name, port = urlsplit(f"//{host}").hostname, urlsplit(f"//{host}").port
        if name == "localhost":
            return host in (name, f"{name}:{port}")
        number = ip_address(name or "")
    except ValueError:
        return False
    plain = f"[{name}]" if number.version == 6 else name
    return host in (plain, f"{plain}:{port}")
