"""The whole page in front of real rows, behind the real gate, with a real worker.

Nobody signs in here: a session is begun in the rows, and its cookie is handed to the browser.
"""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import gradio as gr
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Page
from starlette.staticfiles import StaticFiles

from app import archive, cookies, downloads, live, problems, public_routes, tiles, uploads
from app.identify import gradio_username
from app.security import protect
from app.settings import Settings
from app.web import Web
from db import acknowledgements, sessions, users, workers
from inference.engine import Engine
from inference.weights import ModelStore
from pages import blocks, theme
from pages.public import Site
from pages.visitor import KEY
from tasks.service import Service, prepare
from tasks.upscaling import Upscaler

STATIC = Path(__file__).parents[2] / "pages" / "static"
ROUTES = (public_routes, uploads, downloads, archive, tiles, live)


class Worker(threading.Thread):
    """Works while it is told to."""

    def __init__(self, service: Service) -> None:
        super().__init__(daemon=True)
        self._service = service
        self._leaving = False
        self._may = threading.Event()
        self._idle = threading.Lock()

    def run(self) -> None:
        store = self._service.store
        engine = Engine(ModelStore(self._service.folders.models), "cpu")
        upscaler = Upscaler(store, engine, workers.register(store, "cpu"), lambda: self._leaving)
        while not self._leaving:
            with self._idle:
                worked = self._may.is_set() and upscaler.upscale_next()
            if not worked:
                time.sleep(0.05)

    def work(self) -> None:
        self._may.set()

    def rest(self) -> None:
        """Take nothing more; what was begun is finished when this returns."""
        self._may.clear()
        with self._idle:
            pass

    def leave(self) -> None:
        self._leaving = True
        self.join()


@dataclass
class Serving:
    settings: Settings
    service: Service
    site: Site
    worker: Worker

    def sign_in(self, page: Page, name: str) -> UUID:
        """The page's browser is signed in as this person, who has agreed to the terms."""
        store = self.service.store
        user_id = users.ensure_user(store, users.LOCAL, name)
        acknowledgements.record(store, user_id, self.site.policy_version)
        secret = sessions.begin(store, user_id, sessions.Device())
        cookie = cookies.session_cookie(self.settings).name
        page.context.add_cookies(
            [{"name": cookie, "value": secret, "url": self.settings.origin, "httpOnly": True}]
        )
        return user_id


@contextlib.contextmanager
def serving(folder: Path, models: Path) -> Iterator[Serving]:
    """A service in `folder`, listening on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings(data_dir=folder / "data", device="cpu", port=port)
    prepare(settings)
    settings.models_dir.symlink_to(models)
    with Service.open(settings) as service:
        running = Serving(settings, service, Site(settings), Worker(service))
        running.worker.start()
        app = _outside_of_any_loop(running)
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.02)
        yield running
        running.worker.leave()
        server.should_exit = True
        server.force_exit = True  # a browser keeps its connections open
        thread.join()


def _outside_of_any_loop(serving: Serving) -> FastAPI:
    # In a thread of its own, because Playwright's loop counts as running in this one; and async,
    # because without a loop Gradio makes some and never closes them.
    made: list[FastAPI] = []
    thread = threading.Thread(target=lambda: made.append(asyncio.run(_app(serving))))
    thread.start()
    thread.join()
    return made[0]


async def _app(serving: Serving) -> FastAPI:
    web = Web(serving.settings, serving.service, serving.site)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    problems.handle(app)
    app.mount("/ui", StaticFiles(directory=STATIC))
    for part in ROUTES:
        app.include_router(part.routes(web))
    ui = blocks.build_ui(web.service, web.settings, web.site, lambda: None)
    gr.mount_gradio_app(
        app,
        ui,
        path="/",
        auth_dependency=lambda request: gradio_username(request.scope["state"][KEY]),
        app_kwargs={"openapi_url": None},
        theme=theme.THEME,
        css=theme.CSS,
        head=theme.HEAD,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        show_error=False,
    )
    ui.has_launched = True
    protect(app, web)
    return app
