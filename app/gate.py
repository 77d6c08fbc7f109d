"""The gate: nothing is reached that the table of `gate_rules` does not open to who asks.

Finds out who asks, leaves a `Visitor` in `scope["state"]`, and lets through to Gradio only what
concerns nobody else. Knows no route's work. An event stream passes through as it comes.
"""

import json
import re
from contextlib import suppress
from pathlib import Path

from starlette._utils import get_route_path
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import gate_bodies
from app.bindings import Bindings
from app.gate_rules import Access, Check, Look, Rule, methods_of, rule_for
from app.identify import Identify
from app.origins import OwnAddresses, check_same_origin
from app.problems import Problem, answer, not_found, problem_of, sign_in_first
from pages import permits
from pages.tabs import tab_named
from pages.visitor import KEY, Visitor

RULE = "rule"
"""Where in `scope["state"]` the gate leaves the `Rule` that a request falls under, if any."""

LOOK = "look"
"""Where in `scope["state"]` the gate leaves the `Look` of the answer."""

LANDING = "/landing"
"""What the app serves at `/` to who is not signed in. Cannot be asked for by this name."""

"""Where one may be sent after signing in: `/login?next=…` knows these words and no addresses."""

_SAFE = ("GET", "HEAD", "OPTIONS")
_NAME = re.compile(r"[0-9A-Za-z_-]{1,64}")
_ANSWER = 4096  # bytes that the name of an event takes at most


class Gate:
    """Middleware in front of the whole app."""

    def __init__(self, app: ASGIApp, identify: Identify, own: OwnAddresses, inbox: Path) -> None:
        """`inbox` holds a folder per user, named by the user's id."""
        self._app = app
        self._identify = identify
        self._own = own
        self._inbox = inbox
        self._bindings = Bindings()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        state = scope.setdefault("state", {})
        for name in (KEY, RULE, LOOK):
            state.pop(name, None)
        request = Request(scope)
        try:
            visitor, rule = await self._admit(request)
            if isinstance(rule, Response):
                return await rule(scope, receive, send)
            if visitor is not None:
                receive = await self._check(request, rule, visitor, receive)
                if Check.STARTS in rule.check:
                    send = self._noting_event(visitor, send)
        except ClientDisconnect:
            return None
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                raise
            return await answer(request, problem)(scope, receive, send)
        return await self._app(scope, receive, send)

    async def _admit(self, request: Request) -> tuple[Visitor | None, Rule | Response]:
        """Who asks, and under which rule; or where to send them. Raises what refuses them."""
        scope, state = request.scope, request.scope["state"]
        # As the routers see it, so that they cannot read another path than this.
        path = get_route_path(scope)
        rule = rule_for(request.method, path)
        if rule is not None:
            state[RULE], state[LOOK] = rule, rule.look
            if rule.access is Access.OPEN:
                return None, rule
        visitor = await self._identify(request)
        if request.method not in _SAFE and (visitor is None or visitor.via == "cookie"):
            own = self._own.origin_of(request.headers)
            check_same_origin(request.headers, own, must_say=visitor is not None)
        if rule is None:
            if methods := methods_of(path):
                raise _wrong_method(methods)
            if visitor is None:
                return None, _to_sign_in(request)
            raise not_found()
        if visitor is None:
            if rule.access is Access.FRONT and "tab" not in request.query_params:
                scope["path"], scope["raw_path"] = LANDING, LANDING.encode()
                return None, rule
            return None, rule if rule.access is Access.PUBLIC else _to_sign_in(request)
        if rule.access is Access.ADMIN and not visitor.is_in_office:
            raise not_found()
        if not visitor.acknowledged and rule.access not in (Access.PUBLIC, Access.SIGNED_IN):
            return None, _to_welcome(request)
        if not visitor.may_change:
            _check_reading(request, rule)
        if rule.access is Access.FRONT:
            state[LOOK] = Look.GRADIO
        state[KEY] = visitor
        return visitor, rule

    async def _check(
        self, request: Request, rule: Rule, visitor: Visitor, receive: Receive
    ) -> Receive:
        """Hold a visitor's request against its rule's checks. Returns where its body comes from
        now; raises a `Problem` for what is anybody else's."""
        body: gate_bodies.Json = {}
        if Check.BODY in rule.check:
            raw = await gate_bodies.read(request.headers, receive)
            inbox = self._inbox / str(visitor.user_id)
            origin = self._own.origin_of(request.headers) or ""
            body = await run_in_threadpool(gate_bodies.checked, raw, inbox, origin)
            new = gate_bodies.written(body)
            headers = MutableHeaders(scope=request.scope)
            headers["content-length"] = str(len(new))
            del headers["transfer-encoding"]
            receive = gate_bodies.replayed(new, receive)
        owner = visitor.user_id
        for check, key in ((Check.SESSION, "session_hash"), (Check.UPLOAD, "upload_id")):
            if check in rule.check:
                names = _names(request, rule, body, key)
                if not all(self._bindings.claim(name, owner) for name in names):
                    raise not_found()
        # Every event that is named, whether one has to be or not: an event is never made by naming.
        events = _names(request, rule, body, "event_id")
        if Check.EVENT in rule.check and not events:
            raise not_found()
        if not all(self._bindings.owns(name, owner) for name in events):
            raise not_found()
        return receive

    def _noting_event(self, visitor: Visitor, send: Send) -> Send:
        """Passes an answer on, once the event that it names is this visitor's."""
        so_far = bytearray()

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.body" and len(so_far) <= _ANSWER:
                so_far.extend(message.get("body", b""))
                # Before the client can read the name, and ask for the event.
                if not message.get("more_body", False):
                    with suppress(ValueError, TypeError, KeyError):
                        self._bindings.claim(str(json.loads(so_far)["event_id"]), visitor.user_id)
            await send(message)

        return send_on


def _check_reading(request: Request, rule: Rule) -> None:
    """Raises `ReadOnlyToken` for what a token for reading may not ask for."""
    if request.method in _SAFE:
        return
    if Check.CALL not in rule.check:
        raise permits.read_only()
    named = rule.pattern.match(get_route_path(request.scope))
    assert named is not None
    permits.check_reading(named.groupdict().get("name"))


def _names(request: Request, rule: Rule, body: gate_bodies.Json, key: str) -> list[str]:
    """All that a request gives under `key`: in its address, its query and its body. Which of
    several Gradio would take is not ours to guess."""
    found = [value for name, value in request.query_params.multi_items() if name == key]
    in_path = rule.pattern.match(get_route_path(request.scope))
    assert in_path is not None
    found += [value for name, value in in_path.groupdict().items() if name == key]
    if body.get(key) is not None:
        found.append(body[key])
    if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in found):
        raise Problem(400, "INVALID_REQUEST", "The request is not understood.")
    return found


def _to_sign_in(request: Request) -> Response:
    """Where strangers are sent from what is not for them, or not there: to sign in, and no further
    than to a tab. Raises a 401 for programs."""
    if not _navigates(request):
        raise sign_in_first()
    tab = tab_named(request.query_params.get("tab"))
    aim = f"?next={tab}" if get_route_path(request.scope) == "/" and tab else ""
    return _redirect(f"/login{aim}")


def _to_welcome(request: Request) -> Response:
    """Where they are sent who have yet to agree. Raises a 428 for programs."""
    if not _navigates(request):
        raise Problem(
            428,
            "ACKNOWLEDGEMENT_NEEDED",
            "The terms of the service have to be agreed to first.",
            "Sign in with a browser once, and agree there.",
        )
    return _redirect("/welcome")


def _navigates(request: Request) -> bool:
    return request.method in ("GET", "HEAD", "POST") and "text/html" in request.headers.get(
        "accept", ""
    )


def _redirect(to: str) -> Response:
    return RedirectResponse(to, 303, {"Cache-Control": "no-store"})


def _wrong_method(methods: frozenset[str]) -> Problem:
    return Problem(
        405,
        "WRONG_METHOD",
        "This cannot be done in this way here.",
        headers={"Allow": ", ".join(sorted(methods))},
    )
