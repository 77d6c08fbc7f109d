"""Every address of the service in one table, and who may ask for it. What is not here is not there.

Knows methods and patterns. Knows neither visitors nor bodies: what a rule means is done in `gate`.
The addresses of Gradio that stay shut are named as well, so that a test can tell them from ones
that a new version of Gradio has added.
"""

import re
from dataclasses import dataclass
from enum import Enum, Flag, auto

from starlette.routing import compile_path


class Access(Enum):
    """Who may ask."""

    OPEN = auto()
    """Anybody; nobody is asked who they are."""
    PUBLIC = auto()
    """Anybody; a visitor is known as one."""
    FRONT = auto()
    """Anybody: strangers get the landing page, visitors get Gradio."""
    SIGNED_IN = auto()
    """Whoever is signed in, even without having agreed to the terms yet."""
    VISITOR = auto()
    """Whoever is signed in and has agreed to the terms."""
    ADMIN = auto()
    """An admin's browser, not a token of theirs; to everybody else there is nothing there."""
    NOBODY = auto()
    """An address of Gradio that stays shut: as unknown as any other."""


class Look(Enum):
    """What a browser may do with the answer; see `security`."""

    PAGE = auto()
    GRADIO = auto()
    FILE = auto()


class Check(Flag):
    """What a request to Gradio has to stand."""

    NOTHING = 0
    BODY = auto()
    """The body is JSON, and names no file but the visitor's own uploads."""
    SESSION = auto()
    """The session hash, in address, query or body, is nobody else's."""
    UPLOAD = auto()
    """The id of an upload, in the query, is nobody else's."""
    EVENT = auto()
    """The event, in address or body, is one that this visitor has started."""
    STARTS = auto()
    """The answer names an event: it is this visitor's from then on."""
    CALL = auto()
    """It calls an endpoint. A token for reading may ask for it where the address names an endpoint
    of `pages.permits.READING`, or none: then the endpoint itself is asked. Whatever else is neither
    GET nor HEAD changes something, and is refused to such a token."""


@dataclass(frozen=True)
class Rule:
    """One row of the table. `path` is written as routes are."""

    methods: frozenset[str]
    path: str
    access: Access
    look: Look
    check: Check
    gradio: bool
    """Whether Gradio answers, or would."""
    pattern: re.Pattern[str]


def _rule(
    methods: str,
    path: str,
    access: Access,
    look: Look = Look.PAGE,
    check: Check = Check.NOTHING,
    gradio: bool = False,
) -> Rule:
    pattern, _, _ = compile_path(path)
    # Not `$`, which also matches before a line break at the end.
    pattern = re.compile(pattern.pattern.removesuffix("$") + r"\Z")
    found = frozenset(methods.split())
    if "GET" in found:
        found |= {"HEAD"}
    return Rule(found, path, access, look, check, gradio, pattern)


def _gradio(methods: str, path: str, access: Access, check: Check = Check.NOTHING) -> Rule:
    return _rule(methods, path, access, check=check, gradio=True)


_OURS = (
    _rule("GET", "/", Access.FRONT),
    _rule("GET", "/healthz", Access.OPEN),
    _rule("GET", "/robots.txt", Access.OPEN),
    _rule("GET", "/.well-known/gpc.json", Access.OPEN),
    _rule("GET", "/.well-known/privacy-proof.json", Access.OPEN),
    _rule("GET", "/ui/texts.js", Access.OPEN),
    _rule("GET", "/ui/{path:path}", Access.OPEN),
    _rule("GET", "/readyz", Access.PUBLIC),
    _rule("GET", "/privacy", Access.PUBLIC),
    _rule("GET", "/privacy/proof", Access.PUBLIC),
    _rule("GET", "/cookies", Access.PUBLIC),
    _rule("GET", "/terms", Access.PUBLIC),
    _rule("GET", "/api", Access.PUBLIC),
    _rule("GET", "/login", Access.PUBLIC),
    _rule("POST", "/login/local", Access.PUBLIC),
    _rule("GET", "/login/{provider}", Access.PUBLIC),
    _rule("GET", "/auth/callback", Access.PUBLIC),
    _rule("GET POST", "/welcome", Access.SIGNED_IN),
    _rule("POST", "/logout", Access.SIGNED_IN),
    _rule("POST", "/logout/everywhere", Access.SIGNED_IN),
    _rule("GET", "/live", Access.VISITOR),
    _rule("GET", "/files/{file_id}", Access.VISITOR, Look.FILE),
    _rule("GET", "/files/{file_id}/{name}", Access.VISITOR, Look.FILE),
    _rule("GET", "/files/{file_id}/tiles/{level}/{tile}", Access.VISITOR, Look.FILE),
    _rule("GET", "/batches/{batch_id}/download", Access.VISITOR, Look.FILE),
    _rule("POST", "/admin/models", Access.ADMIN),
    # Gradio's addresses, our answers.
    _rule("GET", "/favicon.ico", Access.OPEN, Look.FILE),
    _rule("GET", "/manifest.json", Access.OPEN, Look.FILE),
    _rule("POST", "/gradio_api/upload", Access.VISITOR, check=Check.UPLOAD),
    _rule("GET", "/gradio_api/file={path:path}", Access.VISITOR, Look.FILE),
)

_JSON = Check.BODY | Check.SESSION
_CALL = _JSON | Check.CALL

_GRADIO = (
    _gradio("GET", "/assets/{path:path}", Access.OPEN),
    _gradio("GET", "/static/{path:path}", Access.OPEN),
    _gradio("GET", "/svelte/{path:path}", Access.OPEN),
    _gradio("GET", "/theme.css", Access.OPEN),
    _gradio("GET", "/gradio_api/theme.css", Access.OPEN),
    _gradio("GET", "/config", Access.VISITOR),
    _gradio("GET", "/gradio_api/info", Access.VISITOR),
    _gradio("GET", "/gradio_api/startup-events", Access.VISITOR),
    _gradio("GET", "/gradio_api/heartbeat/{session_hash}", Access.VISITOR, Check.SESSION),
    _gradio("GET", "/gradio_api/queue/data", Access.VISITOR, Check.SESSION),
    _gradio("POST", "/gradio_api/queue/join", Access.VISITOR, _CALL | Check.STARTS),
    _gradio("POST", "/gradio_api/call/{name}", Access.VISITOR, _CALL | Check.STARTS),
    _gradio("GET", "/gradio_api/call/{name}/{event_id}", Access.VISITOR, Check.EVENT),
    _gradio("POST", "/gradio_api/run/{name}", Access.VISITOR, _CALL),
    _gradio("POST", "/gradio_api/cancel", Access.VISITOR, _JSON | Check.EVENT),
    _gradio("GET", "/gradio_api/upload_progress", Access.VISITOR, Check.UPLOAD),
    # Shut. Some would answer anybody, others would read or fetch what they are told to.
    _gradio("GET", "/gradio_api/user", Access.NOBODY),
    _gradio("GET", "/gradio_api/login_check", Access.NOBODY),
    _gradio("GET", "/gradio_api/token", Access.NOBODY),
    _gradio("GET", "/gradio_api/app_id", Access.NOBODY),
    _gradio("GET", "/gradio_api/dev/reload", Access.NOBODY),
    _gradio("POST", "/login", Access.NOBODY),
    _gradio("GET", "/logout", Access.NOBODY),
    _gradio("GET", "/gradio_api/runs", Access.NOBODY),
    _gradio("POST", "/gradio_api/run-history/connect", Access.NOBODY),
    _gradio("GET", "/gradio_api/run-history/buckets", Access.NOBODY),
    _gradio("GET", "/gradio_api/run-history/records", Access.NOBODY),
    _gradio(
        "GET",
        "/gradio_api/run-history/records/{endpoint}/{record_id}/assets/{asset_id}",
        Access.NOBODY,
    ),
    _gradio("GET", "/gradio_api/deep_link", Access.NOBODY),
    _gradio("GET", "/gradio_api/openapi.json", Access.NOBODY),
    _gradio(
        "GET",
        "/gradio_api/custom_component/{id}/{environment}/{type}/{file_name}",
        Access.NOBODY,
    ),
    _gradio("GET", "/gradio_api/proxy={path:path}", Access.NOBODY),
    _gradio("GET", "/gradio_api/file/{path:path}", Access.NOBODY),
    _gradio("POST", "/gradio_api/stream/{event_id}", Access.NOBODY),
    _gradio("POST", "/gradio_api/stream/{event_id}/close", Access.NOBODY),
    _gradio("GET", "/gradio_api/stream/{hash}/{run}/{component_id}/playlist.m3u8", Access.NOBODY),
    _gradio("GET", "/gradio_api/stream/{hash}/{run}/{component_id}/playlist-file", Access.NOBODY),
    _gradio(
        "GET",
        "/gradio_api/stream/{hash}/{run}/{component_id}/{segment_id}.{ext}",
        Access.NOBODY,
    ),
    _gradio("POST", "/gradio_api/reset", Access.NOBODY),
    _gradio("POST", "/gradio_api/api/{name}", Access.NOBODY),
    _gradio("POST", "/gradio_api/call/v2/{name}", Access.NOBODY),
    _gradio("GET", "/gradio_api/call/v2/{name}/{event_id}", Access.NOBODY),
    _gradio("POST", "/gradio_api/component_server", Access.NOBODY),
    _gradio("GET", "/gradio_api/queue/status", Access.NOBODY),
    _gradio("GET", "/pwa_icon", Access.NOBODY),
    _gradio("GET", "/pwa_icon/{size}", Access.NOBODY),
    _gradio("GET", "/monitoring", Access.NOBODY),
    _gradio("GET", "/monitoring/summary", Access.NOBODY),
    _gradio("GET", "/monitoring/{key}", Access.NOBODY),
    _gradio("POST", "/gradio_api/process_recording", Access.NOBODY),
    _gradio("POST", "/gradio_api/vibe-edit", Access.NOBODY),
    _gradio("POST", "/gradio_api/undo-vibe-edit", Access.NOBODY),
    _gradio("GET POST", "/gradio_api/vibe-code", Access.NOBODY),
    _gradio("POST", "/gradio_api/vibe-starter-queries", Access.NOBODY),
)

TABLE = _OURS + _GRADIO

# What no address of ours has, and what servers and libraries read in different ways.
_CROOKED = re.compile(r"[\x00-\x1f\x7f\\]|(?:^|/)\.\.?(?:/|\Z)")


def rule_for(method: str, path: str) -> Rule | None:
    """The row that a request falls under, or None for nothing. `path` is decoded.

    The rows of an address that has the wrong method are the answer `methods_of` is for.
    """
    if _CROOKED.search(path):
        return None
    return next((rule for rule in _at(path) if method in rule.methods), None)


def methods_of(path: str) -> frozenset[str]:
    """With which methods one may ask for it; none for what is not there, or only for admins."""
    if _CROOKED.search(path):
        return frozenset()
    return frozenset().union(
        *(rule.methods for rule in _at(path) if rule.access is not Access.ADMIN)
    )


def _at(path: str) -> list[Rule]:
    return [rule for rule in TABLE if rule.access is not Access.NOBODY and rule.pattern.match(path)]
