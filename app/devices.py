"""What is remembered of a browser: its family, its system's family and the network it is in.

Knows the closed sets of `db.people`. Neither a whole address nor a User-Agent leaves this module.
"""

from starlette.requests import HTTPConnection

from app.addresses import network_of
from db.sessions import Device

# The first that is found decides: almost every browser claims to be an older one as well.
_BROWSERS = (
    ("other", ("OPR/", "Opera", "SamsungBrowser/", "YaBrowser/", "Vivaldi/", "UCBrowser/")),
    ("edge", ("Edg/", "EdgA/", "EdgiOS/", "Edge/")),
    ("firefox", ("Firefox/", "FxiOS/")),
    ("chrome", ("Chrome/", "CriOS/", "Chromium/")),
    ("safari", ("Safari/",)),
)
_SYSTEMS = (
    ("windows", ("Windows",)),
    ("android", ("Android",)),
    ("ios", ("iPhone", "iPad", "iPod")),
    ("macos", ("Macintosh", "Mac OS X")),
    ("other", ("CrOS", "FreeBSD", "OpenBSD", "NetBSD")),
    ("linux", ("Linux", "X11")),
)


def device_of(connection: HTTPConnection) -> Device:
    """Who sent this, as far as it may be remembered."""
    agent = connection.headers.get("user-agent", "")
    address = connection.client.host if connection.client else ""
    return Device(network_of(address), browser_of(agent), system_of(agent))


def browser_of(agent: str) -> str:
    """One of `db.people.BROWSERS`."""
    return _first(_BROWSERS, agent)


def system_of(agent: str) -> str:
    """One of `db.people.SYSTEMS`."""
    return _first(_SYSTEMS, agent)


def _first(families: tuple[tuple[str, tuple[str, ...]], ...], agent: str) -> str:
    for family, marks in families:
        if any(mark in agent for mark in marks):
            return family
    return "other"
