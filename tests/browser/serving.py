"""The whole page in front of real rows, behind the real gate, with a real worker.

Nobody signs in here: a session is begun in the rows, and its cookie is handed to the browser.
"""

import contextlib
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Page

from app import cookies, server
from app.settings import Settings
from db import acknowledgements, sessions, users, workers
from db.work import Kind
from inference.engine import Engine
from inference.options import Options
from inference.weights import ModelStore
from pages.public import Site
from tasks.service import Service, prepare
from tasks.submissions import Upload, submit_batch
from tasks.upscaling import Upscaler
from tests.serving import served, whole_app
from tests.tasks.pictures import FAST, picture

STATIC = Path(__file__).parents[2] / "pages" / "static"


class Worker(threading.Thread):
    """Works while it is told to."""

    def __init__(self, service: Service) -> None:
        super().__init__(daemon=True)
        self._service = service
        self._leaving = False
        self._may = threading.Event()
        self._idle = threading.Lock()
        self._is_done = threading.Event()

    def run(self) -> None:
        store = self._service.store
        engine = Engine(ModelStore(self._service.folders.models), "cpu")
        worker_id = workers.register(store, "cpu")
        upscaler = Upscaler(store, engine, worker_id, lambda: self._leaving, tuple(Kind))
        while not self._leaving:
            with self._idle:
                may = self._may.is_set()
                worked = may and upscaler.upscale_next()
            if may and not worked:
                self._is_done.set()
            if not worked:
                time.sleep(0.05)

    def work(self) -> None:
        self._may.set()

    def finish(self) -> None:
        """Do everything that waits, and rest."""
        self._is_done.clear()
        self.work()
        self._is_done.wait()
        self.rest()

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

    def person(self, name: str) -> UUID:
        """Somebody of this name; what follows a `#` tells two of the same name apart."""
        shown = name.partition("#")[0]
        return users.ensure_user(self.service.store, users.LOCAL, name, display_name=shown)

    def submit(self, person: str, name: str) -> None:
        """A picture of this name, handed in by somebody."""
        path = self.service.folders.inbox / uuid4().hex
        path.write_bytes(picture())
        submit_batch(self.service, self.person(person), [Upload(path, name)], Options(model=FAST))

    def sign_in(self, page: Page, name: str, agreed: bool = True) -> UUID:
        """The page's browser is signed in as this person, who has agreed to the terms."""
        cookie, secret = self.cookie(name, agreed).split("=", 1)
        page.context.add_cookies(
            [{"name": cookie, "value": secret, "url": self.settings.origin, "httpOnly": True}]
        )
        return self.person(name)

    def cookie(self, name: str, agreed: bool = True) -> str:
        """The `Cookie` header of a new session of this person's."""
        store = self.service.store
        user_id = self.person(name)
        if agreed:
            acknowledgements.record(store, user_id, self.site.policy_version)
        secret = sessions.begin(store, user_id, sessions.Device(browser="chrome", system="linux"))
        return f"{cookies.session_cookie(self.settings).name}={secret}"


@contextlib.contextmanager
def serving(folder: Path, models: Path) -> Iterator[Serving]:
    """A service in `folder`, listening on a free port. What it sets for its whole process is as it
    was afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        # It sends this process's temporary files into its data folder.
        patch.setattr(tempfile, "tempdir", None)
        patch.setenv("TMPDIR", tempfile.gettempdir())
        for name in ("ANALYTICS_ENABLED", "SHARE", "TEMP_DIR"):
            patch.setenv(f"GRADIO_{name}", "")
        for name in ("OFFLINE", "DISABLE_TELEMETRY"):
            patch.setenv(f"HF_HUB_{name}", "1")
        yield from _serving(folder, models)


def _serving(folder: Path, models: Path) -> Iterator[Serving]:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    settings = Settings(data_dir=folder / "data", device="cpu", port=port)
    prepare(settings)
    server.prepare_gradio(settings)
    settings.models_dir.symlink_to(models)
    with Service.open(settings) as service, served(whole_app(settings, service), listener):
        running = Serving(settings, service, Site(settings), Worker(service))
        running.worker.start()
        yield running
        running.worker.leave()
