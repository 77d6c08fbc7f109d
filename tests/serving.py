"""Apps behind a real port, in a thread of this process."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from app.settings import Settings
from tasks.service import Service


@contextmanager
def served(app: Any, listener: socket.socket | None = None) -> Iterator[str]:
    """Serve until the end of the block, on a free port or on what `listener` is bound to; yields
    the origin."""
    own = listener or socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [own]})
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not server.started:
            assert thread.is_alive(), "the server ended at its start"
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{own.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        own.close()
        assert not thread.is_alive(), "the server did not end"


def whole_app(settings: Settings, service: Service) -> FastAPI:
    """The app as the web process makes it, once `app.server.prepare_gradio` was called.

    In a running loop, because without one Gradio makes some and never closes them; and in a thread,
    because a browser's driver may have a loop running in this one.
    """
    from app.main import create_app

    made: list[FastAPI] = []

    async def make() -> None:
        made.append(create_app(settings, service))

    thread = threading.Thread(target=lambda: asyncio.run(make()))
    thread.start()
    thread.join()
    return made[0]
