"""The web process: the app behind uvicorn, until it is told to stop.

Knows sockets and signals; what is answered is in `main.py`.
"""

import os
import socket
from collections.abc import Callable

import uvicorn

from app.settings import InvalidSettings, Settings
from db.clock import Readers
from tasks.service import Service, folders_of

_GRACE = 5  # seconds for answers under way; a page's event stream would never end by itself
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    # Its own statistics: summed up with pandas after every call, over all calls so far.
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000000",
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",
    "GRADIO_SHARE": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def prepare_gradio(settings: Settings) -> None:
    """Set what Gradio reads from the environment; before anything imports it.

    Its folder is the inbox: it takes no path but below its folder, and whatever it may write there
    is swept with the uploads.
    """
    os.environ.update(QUIET, GRADIO_TEMP_DIR=str(folders_of(settings).inbox))


def check_port(settings: Settings) -> None:
    """Raise `InvalidSettings` when another program listens there, or the address is not ours."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise InvalidSettings(
                f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}. "
                "Set HOST or PORT to something else."
            ) from error


def run(
    settings: Settings,
    readers: Readers | None = None,
    announce: Callable[[str], None] = lambda line: None,
) -> int:
    """Serve until SIGTERM or SIGINT. `announce` is told once where the service is found."""
    prepare_gradio(settings)
    from app.main import create_app

    with Service.open(settings, readers=readers) as service:
        proxies = settings.trusted_proxies.strip()
        server = _Server(
            uvicorn.Config(
                create_app(settings, service),
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(proxies),
                forwarded_allow_ips=proxies or None,
                timeout_graceful_shutdown=_GRACE,
                ws="none",
            )
        )
        server.when_started = lambda: announce(f"ImagesUpscaler is at {settings.origin}")
        server.run()
        return 0 if server.started else 1


class _Server(uvicorn.Server):
    when_started: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.when_started()
