"""A web process of file routes alone: nobody signs in, a header says who asks.

For tests of what the routes do behind the gate; the gate has tests of its own.
"""

import io
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
import pytest
import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.types import Receive, Scope, Send

from app import downloads, live, problems, uploads
from app.settings import Settings
from app.web import Web
from db import batches, files, jobs, users, views
from db.work import Role
from inference.geometry import Size
from inference.metadata import Metadata
from inference.pyramid import PyramidWriter
from pages import public
from pages.visitor import KEY, Visitor
from tasks.service import Service, prepare
from tests.db.machine import Machine
from tests.db.situations import a_claim, kept

ROUTES: tuple[Callable[[Web], APIRouter], ...] = (
    uploads.routes,
    downloads.routes,
    live.routes,
)


@dataclass
class Site:
    """A service, the app of its file routes, and two people."""

    service: Service
    settings: Settings
    machine: Machine
    app: FastAPI
    ada: UUID
    bob: UUID
    uvicorn: "Server | None" = field(default=None)

    def client(self, user_id: UUID | None) -> httpx.Client:
        """Talks to the real server, which is started with the first one."""
        if self.uvicorn is None:
            self.uvicorn = Server(self.app)
        headers = {"x-user": str(user_id)} if user_id else {}
        return httpx.Client(base_url=self.uvicorn.address, headers=headers, timeout=30)

    @property
    def inbox(self) -> list[Path]:
        """Every file and folder below the inbox but the users' own folders."""
        # Not `rglob`, which fails when a folder is removed while it looks.
        found = []
        for folder, folders, names in os.walk(self.service.folders.inbox):
            found += [Path(folder) / name for name in (*folders, *names)]
        return [path for path in found if path.parent.parent != self.data]

    @property
    def data(self) -> Path:
        return self.service.folders.data


@contextmanager
def open_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **settings: object
) -> Iterator[Site]:
    # A service sends this process's temporary files into its data folder.
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", tempfile.gettempdir())
    chosen = Settings(data_dir=tmp_path / "data", device="cpu", **settings)
    _prepare(chosen)
    machine = Machine()
    with Service.open(chosen, readers=machine.readers) as service:
        app = FastAPI(openapi_url=None)
        problems.handle(app)
        web = Web(chosen, service, public.Site(chosen))
        for routes in ROUTES:
            app.include_router(routes(web))
        app.add_middleware(_Header)
        ada, bob = (users.ensure_user(service.store, users.LOCAL, name) for name in ("ada", "bob"))
        site = Site(service, chosen, machine, app, ada, bob)
        try:
            yield site
        finally:
            if site.uvicorn:
                site.uvicorn.stop()


_migrated: dict[str, bytes] = {}


def _prepare(settings: Settings) -> None:
    """As `prepare`, which is slow; the databases in their first form are made once."""
    if not _migrated:
        prepare(settings)
        found = (path for path in settings.data_dir.iterdir() if path.is_file())
        _migrated.update({path.name: path.read_bytes() for path in found})
    settings.data_dir.mkdir(exist_ok=True)
    for name, data in _migrated.items():
        (settings.data_dir / name).write_bytes(data)


class _Header:
    """Stands in for the gate."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        user = dict(scope.get("headers", [])).get(b"x-user")
        if user:
            visitor = Visitor(UUID(user.decode()), "Ada", False, True, "cookie")
            scope.setdefault("state", {})[KEY] = visitor
        await self._app(scope, receive, send)


class Server:
    """A real uvicorn in a thread, on a port of its own."""

    def __init__(self, app: FastAPI) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=2)
        )
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


def pyramid(width: int = 700, height: int = 600) -> bytes:
    stream = io.BytesIO()
    writer = PyramidWriter(stream, Size(width, height), 3, Metadata())
    rows = np.linspace(0, 255, width * 3, dtype=np.uint8).reshape(1, width, 3)
    writer.push(np.repeat(rows, height, axis=0))
    writer.finish()
    return stream.getvalue()


def a_picture(
    site: Site, user_id: UUID, name: str = "cat.png", data: bytes = b"bigger picture"
) -> views.JobView:
    """One finished picture of a user, alone in its batch."""
    return a_finished_batch(site, user_id, [(name, data)]).jobs[0]


def a_finished_batch(
    site: Site, user_id: UUID, pictures: list[tuple[str, bytes]]
) -> views.BatchView:
    """A finished batch: `pictures` are names and the bytes of the results."""
    store = site.service.store
    new = [
        batches.NewJob(name=name, model="realesrgan-x4plus", original=kept(store), scale=4)
        for name, _ in pictures
    ]
    batch_id = batches.create(store, user_id, new, options={}).id
    for _ in pictures:
        claim = a_claim(store)
        number = [job.id for job in views.show(store, batch_id, user_id).jobs].index(claim.job_id)
        preview = files.keep(
            store,
            io.BytesIO(pyramid()),
            Role.PREVIEW,
            format="zip",
            width=700,
            height=600,
            pictures=Role.RESULT,
        )
        results = [kept(store, pictures[number][1], Role.RESULT), preview]
        jobs.finish(store, claim, results, {"device": "cpu"}, 9)
    return views.show(store, batch_id, user_id)


def file_of(job: views.JobView, role: Role) -> views.FileView:
    return next(file for file in job.files if file.role is role)
