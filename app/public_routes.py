"""Routes that anybody may read: policies, API, proof and what machines look for.

Knows which address has which page. What the pages say is in `pages.public`.
"""

from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
)

from app.web import Web
from db import proof
from pages import prose

_STATIC = Path(prose.__file__).parent / "static"
_MANIFEST = "application/manifest+json"
_READ = ["GET", "HEAD"]
_SHORTLY = {"Cache-Control": "public, max-age=300"}
_NEVER = {"Cache-Control": "no-store"}

# Whoever indexes the web finds what is public, and is sent away from what is not.
_ROBOTS = """User-agent: *
Allow: /$
Allow: /privacy
Allow: /cookies
Allow: /terms
Allow: /api
Allow: /ui/
Allow: /favicon.ico
Allow: /manifest.json
Disallow: /
"""


def routes(web: Web) -> APIRouter:
    """The public pages."""
    router = APIRouter(include_in_schema=False)
    site = web.site

    def page(path: str, write: Callable[[], str]) -> None:
        def answer() -> Response:
            return HTMLResponse(write(), headers=_SHORTLY)

        router.add_api_route(path, answer, methods=_READ, name=path)

    page("/privacy", site.privacy)
    page("/cookies", site.cookies)
    page("/terms", site.terms)
    page("/api", site.api)

    @router.api_route("/privacy/proof", methods=_READ)
    def proof_page() -> Response:
        return HTMLResponse(site.proof(proof.figures(web.service.store)), headers=_NEVER)

    @router.api_route("/.well-known/privacy-proof.json", methods=_READ)
    def proof_for_programs() -> Response:
        return JSONResponse(site.proof_json(proof.figures(web.service.store)), headers=_NEVER)

    @router.api_route("/.well-known/gpc.json", methods=_READ)
    def global_privacy_control() -> Response:
        """The signal is heeded: nothing is sold or shared, with it or without."""
        statement = {"gpc": True, "lastUpdate": prose.policy_date().isoformat()}
        return JSONResponse(statement, headers=_SHORTLY)

    @router.api_route("/robots.txt", methods=_READ)
    def robots() -> Response:
        return PlainTextResponse(_ROBOTS, headers=_SHORTLY)

    # Gradio has both of these too, with its own picture and name.
    @router.api_route("/favicon.ico", methods=_READ)
    def favicon() -> Response:
        return FileResponse(_STATIC / "icons" / "favicon.ico", headers=_SHORTLY)

    @router.api_route("/manifest.json", methods=_READ)
    def manifest() -> Response:
        return JSONResponse(site.manifest(), headers=_SHORTLY, media_type=_MANIFEST)

    return router
