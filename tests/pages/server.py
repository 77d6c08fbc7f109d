"""The whole web app with a real server and a real worker, in this process."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradio_client import Client

from app.server import prepare_gradio
from app.settings import Settings
from db import acknowledgements, tokens, users, workers
from inference.engine import Engine
from inference.weights import ModelStore
from pages.public import Site
from tasks.service import Service, prepare
from tasks.upscaling import Upscaler
from tests.serving import served, whole_app


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
        try:
            yield
        finally:
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


@contextlib.contextmanager
def serving(folder: Path, models: Path, **limits: Any) -> Iterator[Serving]:
    """A service in `folder`, listening on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    settings = Settings(data_dir=folder / "data", device="cpu", port=port, **limits)
    prepare(settings)
    prepare_gradio(settings)
    settings.models_dir.symlink_to(models)
    with Service.open(settings) as service, served(whole_app(settings, service), listener):
        worker = Worker(service)
        worker.start()
        yield Serving(settings, service, Site(settings), worker, folder / "downloads")
        worker.leave()
