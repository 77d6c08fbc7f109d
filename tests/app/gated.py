"""A small service behind the real gate: a tiny Gradio app and a server on a real socket.

Also the same without a gate, to show that what the gate refuses would have worked.
"""

import asyncio
import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

from app import problems
from app.identify import gradio_username
from app.security import protect
from app.server import QUIET
from app.settings import Settings
from app.web import Web
from db import acknowledgements, sessions, tokens
from db.users import ensure_user
from pages.public import Site
from pages.visitor import KEY, visitor_of
from tasks.service import Service, prepare
from tests.serving import served

LANDING = "the landing page"


@dataclass(frozen=True)
class Actor:
    """Somebody with an account, a session and a token."""

    user_id: UUID
    session: str
    token: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def cookie(self) -> dict[str, str]:
        """As the page's own scripts send it."""
        return {"Cookie": f"session={self.session}", "Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True)
class House:
    """A running service."""

    url: str
    settings: Settings
    service: Service
    site: Site
    demo: Any
    """The `gr.Blocks` behind it."""
    released: threading.Event
    """Ends what `/wait` waits for."""

    @property
    def inbox(self) -> Path:
        return self.service.folders.inbox

    def actor(self, *, agreed: bool = True) -> Actor:
        """Somebody new."""
        store = self.service.store
        user_id = ensure_user(store, "local", secrets.token_hex(8))
        if agreed:
            acknowledgements.record(store, user_id, self.site.policy_version)
        session = sessions.begin(store, user_id, sessions.Device())
        return Actor(user_id, session, tokens.create(store, user_id, "a token")[1])

    def upload(self, actor: Actor, name: str = "photo.txt", text: str = "a picture") -> Path:
        """What one of theirs that waits in the inbox looks like."""
        folder = self.inbox / str(actor.user_id) / secrets.token_hex(16)
        folder.mkdir(parents=True)
        (folder / name).write_text(text)
        return folder / name

    def in_inbox(self) -> set[Path]:
        return set(self.inbox.rglob("*"))

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=headers, timeout=20)


@contextmanager
def house(folder: Path, *, gated: bool = True) -> Iterator[House]:
    """Serve until the end of the block, with Gradio's temporary folder where the app has it."""
    with _environment(folder), socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        settings = Settings(data_dir=folder, port=port)
        prepare(settings)
        released = threading.Event()
        with Service.open(settings) as service:
            web = Web(settings, service, Site(settings))
            app, demo = asyncio.run(_in_a_loop(_app, web, released, gated))
            if gated:
                protect(app, web)
            with served(app, listener):
                yield House(settings.origin, settings, service, web.site, demo, released)


def mounted(*, run_history: bool = False) -> FastAPI:
    """An app with the tiny Gradio app at its root, and nothing in front."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    asyncio.run(_in_a_loop(_mount, app, threading.Event(), None, run_history))
    return app


async def _in_a_loop(make: Callable[..., Any], *given: Any) -> Any:
    """Where none runs, Gradio makes an event loop of its own and leaves it open."""
    return make(*given)


def pages(web: Web) -> FastAPI:
    """Some of our routes, without Gradio and without a gate."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    problems.handle(app)

    @app.get("/landing")
    async def landing() -> Response:
        return HTMLResponse(LANDING)

    @app.get("/privacy")
    async def privacy(request: Request) -> Response:
        return HTMLResponse("known" if KEY in request.scope["state"] else "a stranger")

    @app.get("/terms")
    async def breaks() -> Response:
        raise RuntimeError("with a person's words in it")

    @app.get("/api")
    async def told(request: Request) -> Response:
        return JSONResponse({"url": str(request.url), "headers": dict(request.headers)})

    @app.get("/welcome")
    async def welcome() -> Response:
        return HTMLResponse("welcome")

    @app.get("/healthz")
    async def healthz() -> Response:
        return JSONResponse({})

    @app.post("/login/local")
    async def sign_in() -> Response:
        return Response("signed in")

    @app.post("/logout")
    async def sign_out() -> Response:
        return Response("signed out")

    @app.post("/gradio_api/upload")
    async def upload(request: Request) -> Response:
        async with request.form() as form:
            file: Any = form["files"]
            folder = web.service.folders.inbox / str(visitor_of(request.scope).user_id)
            path = folder / secrets.token_hex(16) / "upload"
            path.parent.mkdir(parents=True)
            path.write_bytes(await file.read())
        return JSONResponse([str(path)])

    @app.get("/gradio_api/file={path:path}")
    async def file(path: str, request: Request) -> Response:
        assert path.startswith(f"{web.service.folders.inbox}/{visitor_of(request.scope).user_id}/")
        return FileResponse(path)

    return app


def _app(web: Web, released: threading.Event, gated: bool) -> tuple[FastAPI, Any]:
    app = pages(web)

    def username(request: Request) -> str | None:
        visitor = request.scope.get("state", {}).get(KEY)
        return gradio_username(visitor) if visitor else None

    return app, _mount(app, released, username if gated else None)


def _mount(
    app: FastAPI, released: threading.Event, username: Any, run_history: bool = False
) -> Any:
    import gradio as gr

    def content(path: str | None) -> str:
        return Path(path).read_text(errors="replace") if path else "nothing"

    def echo(text: str, count: int = 2) -> str:
        return text * count

    def contents(images: list[dict[str, Any]]) -> list[str]:
        return [content(each["path"]) for each in images]

    def whoami(request: gr.Request) -> str:
        return str(request.username)

    def steps(text: str, progress: gr.Progress = gr.Progress()) -> Iterator[str]:  # noqa: B008
        for step in range(3):
            progress((step, 3), desc="a step")
            yield f"{text} {step}"

    def wait(text: str) -> str:
        released.wait(20)
        return f"{text}, after a while"

    def shown(value: Any) -> str:
        return f"{value}"

    with gr.Blocks(analytics_enabled=False) as demo:
        text, file, number = gr.Textbox(), gr.File(), gr.JSON()
        picture, gallery = gr.Image(type="filepath"), gr.Gallery(type="filepath")
        free = gr.HTML(value=None)
        go = gr.Button()
        gr.api(echo, api_name="echo")
        gr.api(contents, api_name="contents")
        gr.api(whoami, api_name="whoami")
        go.click(content, file, text, api_name="content")
        go.click(shown, picture, text, api_name="picture")
        go.click(shown, gallery, text, api_name="gallery")
        go.click(shown, free, text, api_name="free")
        go.click(shown, number, text, api_name="shown")
        go.click(steps, text, text, api_name="steps", concurrency_limit=None)
        go.click(wait, text, text, api_name="wait", concurrency_limit=None)
        go.click(echo, [text, gr.Number(2)], text, api_name="tick", queue=False)
    gr.mount_gradio_app(
        app,
        demo,
        path="/",
        auth_dependency=username,
        app_kwargs={"openapi_url": None},
        run_history=run_history,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        pwa=False,
        footer_links=[],
        show_error=username is None,
    )
    demo.has_launched = username is not None
    return demo


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    wanted = {**QUIET, "GRADIO_TEMP_DIR": str(folder / "inbox")}
    before = {name: os.environ.get(name) for name in (*wanted, "TMPDIR")}
    temporary = tempfile.tempdir
    os.environ.update(wanted)
    try:
        yield
    finally:
        tempfile.tempdir = temporary
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def function_index(here: House, name: str) -> int:
    """Gradio's number of a named endpoint."""
    demo = here.demo
    return next(number for number, function in demo.fns.items() if function.api_name == name)
