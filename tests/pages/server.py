"""The API behind a real server with a real worker, in this process.

Whoever sends the token `iu_NAME` is NAME. What stands in front of Gradio in the product is reduced
here to that, an upload route and a file route at Gradio's addresses.
"""

import asyncio
import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request, Response
from gradio_client import Client
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from app.settings import Settings
from db import files, users, workers
from inference.engine import Engine
from inference.weights import ModelStore
from pages import api
from pages.visitor import KEY, Visitor
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


@dataclass
class Serving:
    settings: Settings
    service: Service
    worker: Worker
    downloads: Path
    people: dict[str, UUID] = field(default_factory=dict)

    def user_id(self, name: str) -> UUID:
        if name not in self.people:
            self.people[name] = users.ensure_user(self.service.store, users.LOCAL, name)
        return self.people[name]

    def client(self, name: str) -> Client:
        return Client(
            self.settings.origin,
            token=f"iu_{name}",
            download_files=str(self.downloads),
            verbose=False,
        )


class _Identify:
    """In the place of the gate."""

    def __init__(self, app: ASGIApp, serving: Serving) -> None:
        self._app = app
        self._serving = serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = {key: value.decode() for key, value in scope["headers"]}
            token = (
                headers.get(b"authorization")
                or headers.get(b"x-hf-authorization")
                or headers.get(b"x-api-key", "")
            ).removeprefix("Bearer ")
            if not token.startswith("iu_"):
                await Response("sign in", 401)(scope, receive, send)
                return
            name = token.removeprefix("iu_")
            user_id = await run_in_threadpool(self._serving.user_id, name)
            scope.setdefault("state", {})[KEY] = Visitor(user_id, name, False, True, "token")
        await self._app(scope, receive, send)


async def _app(serving: Serving) -> FastAPI:
    # Async, because outside of a running loop Gradio makes some and never closes them.
    app = FastAPI()
    service = serving.service

    @app.post("/gradio_api/upload")
    async def upload(request: Request) -> list[str]:
        paths = []
        async with request.form() as form:
            for part in form.getlist("files"):
                assert not isinstance(part, str)
                folder = service.folders.inbox / str(request.state.visitor.user_id) / uuid4().hex
                folder.mkdir(parents=True)
                path = folder / (part.filename or "picture")
                path.write_bytes(await part.read())
                paths.append(str(path))
        return paths

    def bytes_of(file_id: str, user_id: UUID) -> bytes:
        stored = files.find(service.store, UUID(file_id), user_id)
        with files.open(service.store, stored) as stream:
            return stream.read()

    @app.get("/files/{file_id}/{name}")
    def file(file_id: str, name: str, request: Request) -> Response:
        return Response(bytes_of(file_id, request.state.visitor.user_id))

    @app.get("/gradio_api/file={path:path}")
    def gradio_file(path: str, request: Request) -> Response:
        ours = re.fullmatch(re.escape(serving.settings.origin) + "/files/([0-9a-f-]{36})/.+", path)
        assert ours, "Gradio was to fetch something else"
        return Response(bytes_of(ours[1], request.state.visitor.user_id))

    with gr.Blocks(analytics_enabled=False) as blocks:
        api.add_endpoints(service, serving.settings)
    gr.mount_gradio_app(app, blocks, path="/", ssr_mode=False, run_history=False, show_error=False)
    blocks.has_launched = True
    app.add_middleware(_Identify, serving=serving)
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
        running = Serving(settings, service, worker, folder / "downloads")
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
