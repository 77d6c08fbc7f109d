"""The API behind the real gate, with a real server and a real worker, in this process.

Of the web app everything is here but its pages.
"""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI
from gradio_client import Client

from app import archive, downloads, problems, uploads
from app.identify import gradio_username
from app.security import protect
from app.settings import Settings
from app.web import Web
from db import acknowledgements, tokens, users, workers
from inference.engine import Engine
from inference.weights import ModelStore
from pages import api
from pages.public import Site
from pages.visitor import visitor_of
from tasks.service import Service, prepare
from tasks.upscaling import Upscaler


class Worker(threading.Thread):
    """Works until it is told to leave; can be told to rest."""

    def __init__(self, service: Service) -> None:
        super().__init__(daemon=True)
        self._service = service
        self._leaving = False
        self._rests = 0
        self._lock = threading.Lock()

    def run(self) -> None:
        store = self._service.store
        upscaler = Upscaler(
            store,
            Engine(ModelStore(self._service.folders.models), "cpu"),
            workers.register(store, "cpu"),
            lambda: self._leaving,
        )
        while not self._leaving:
            with self._lock:
                did_something = not self._rests and upscaler.upscale_next()
            if not did_something:
                time.sleep(0.02)

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Takes no job meanwhile; whatever it was doing is done when this begins."""
        with self._lock:
            self._rests += 1
        yield
        with self._lock:
            self._rests -= 1

    def leave(self) -> None:
        self._leaving = True
        self.join()


@dataclass(frozen=True)
class Serving:
    settings: Settings
    service: Service
    site: Site
    worker: Worker
    downloads: Path

    def token(self, name: str) -> str:
        """A new token of somebody who has agreed to the terms."""
        store = self.service.store
        user_id = users.ensure_user(store, users.LOCAL, name)
        acknowledgements.record(store, user_id, self.site.policy_version)
        return tokens.create(store, user_id, "a test")[1]

    def client(self, name: str) -> Client:
        return Client(
            self.settings.origin,
            token=self.token(name),
            download_files=str(self.downloads),
            verbose=False,
        )


async def _app(serving: Serving) -> FastAPI:
    # Async, because outside of a running loop Gradio makes some and never closes them.
    web = Web(serving.settings, serving.service, serving.site)
    app = FastAPI()
    problems.handle(app)
    for part in (uploads, downloads, archive):
        app.include_router(part.routes(web))
    with gr.Blocks(analytics_enabled=False) as blocks:
        api.add_endpoints(web.service, web.settings)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        auth_dependency=lambda request: gradio_username(visitor_of(request.scope)),
        ssr_mode=False,
        run_history=False,
        show_error=False,
    )
    blocks.has_launched = True
    protect(app, web)
    return app


@contextlib.contextmanager
def serving(folder: Path, models: Path, **limits: Any) -> Iterator[Serving]:
    """A service in `folder`, listening on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings(data_dir=folder / "data", device="cpu", port=port, **limits)
    prepare(settings)
    settings.models_dir.symlink_to(models)
    with Service.open(settings) as service:
        worker = Worker(service)
        worker.start()
        running = Serving(settings, service, Site(settings), worker, folder / "downloads")
        app = asyncio.run(_app(running))
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.02)
        yield running
        worker.leave()
        server.should_exit = True
        thread.join()
