"""The web app: every part wired together, in the one place that knows them all.

A request passes the middlewares from the top of `create_app`'s list to its end, then our own
routes, and what none of them takes goes to Gradio. `app.server.prepare_gradio` comes before this
module is imported.
"""

from functools import partial
from pathlib import Path

import gradio as gr
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from app import (
    downloads,
    health,
    live,
    login,
    office,
    problems,
    public_routes,
    signin_page,
    uploads,
)
from app.gate import LANDING
from app.identify import gradio_username
from app.security import protect
from app.settings import Settings
from app.web import Web
from pages import api, blocks, public, texts, theme
from pages.visitor import KEY
from tasks.model_desk import ModelDesk
from tasks.service import Service

STATIC = Path(__file__).parent.parent / "pages" / "static"


def create_app(settings: Settings, service: Service) -> FastAPI:
    """The app over an opened service, which stays the caller's to close."""
    site = public.Site(settings)
    web = Web(settings, service, site)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    problems.handle(app)
    app.add_api_route("/ui/texts.js", _texts)
    app.mount("/ui", StaticFiles(directory=STATIC))
    for part in (public_routes, login, uploads, downloads, live, health):
        app.include_router(part.routes(web))
    desk = ModelDesk(service.store, service.folders, office.models_command)
    app.include_router(office.routes(web, desk))
    app.add_api_route(LANDING, partial(signin_page.landing, web), response_model=None)
    _mount_gradio(app, web, desk)
    protect(app, web)
    return app


async def _texts() -> Response:
    """The words of the pages' JavaScript, asked for again with every page as its files are."""
    return Response(
        texts.module(), media_type="text/javascript", headers={"Cache-Control": "no-cache"}
    )


def _mount_gradio(app: FastAPI, web: Web, desk: ModelDesk) -> None:
    ui = blocks.build_ui(
        web.service,
        web.settings,
        web.site,
        lambda: api.add_endpoints(web.service, web.settings),
        desk,
    )
    gr.mount_gradio_app(
        app,
        ui,
        path="/",
        auth_dependency=_username,
        app_kwargs={"openapi_url": None},
        theme=theme.THEME,
        css=theme.CSS,
        head=theme.HEAD,
        allowed_paths=[],
        # Told to clients, which then say so before they send anything.
        max_file_size=round(web.settings.max_file_megabytes * 1e6),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        pwa=False,
        show_error=False,
    )
    # A mounted app takes any path of this machine for a file of its own, until it is said to have
    # been launched: `gradio.processing_utils._check_allowed`.
    ui.has_launched = True


def _username(request: Request) -> str | None:
    """Gradio's own question who asks. Fails closed: without a gate in front nobody is anybody."""
    visitor = request.scope.get("state", {}).get(KEY)
    return gradio_username(visitor) if visitor else None
