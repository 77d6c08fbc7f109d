"""A small server with real previews and the viewer, and nothing else of the app."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from inference.geometry import Size
from inference.metadata import Metadata
from inference.pyramid import PyramidReader, PyramidWriter
from pages import texts
from tests.serving import served

_ROOT = Path(__file__).parents[2]
_PHOTO = _ROOT / "tests" / "data" / "photos" / "rocket.jpg"

RED = (220, 30, 30)
BLUE = (30, 60, 200)
GREY = (90, 90, 90)
LIGHT = (200, 200, 200)
SQUARE = (400, 304, 496, 400)
"""Where the picture "marks" is light, not grey: left, top, right, bottom.

Whole blocks of WebP, and the colour is in the light alone, so that its edges stay sharp."""

# What SECURITY.md gives Gradio's page, in which the viewer opens.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; object-src 'none'"
)
_PAGE = """<!doctype html><html lang="en"><title>Previews</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">
<body><button id="opener">Compare</button><div style="height:3000px"></div>
<script type="module">
import { openCompare } from "/ui/viewer.js";
window.closings = 0;
window.compare = (options) => openCompare({
  name: "rocket.jpg", download: "/files/result", onClose: () => window.closings++, ...options });
document.querySelector("#opener").onclick = () => window.compare(window.options);
window.ready = true;
</script>"""


class Previews:
    """Gives previews by name, or refuses all of them with `status`."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.asked: list[str] = []
        self._readers: dict[str, PyramidReader] = {}

    def add(self, name: str, picture: Image.Image) -> None:
        pixels = np.asarray(picture)
        sink = io.BytesIO()
        writer = PyramidWriter(sink, Size(*picture.size), pixels.shape[2], Metadata())
        writer.push(pixels)
        writer.finish()
        self._readers[name] = PyramidReader(sink)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/files/{name}/tiles", self._info),
                Route("/files/{name}/tiles/{level:int}/{spot}", self._tile),
                Route("/ui/texts.js", self._texts),
                Mount("/ui", StaticFiles(directory=_ROOT / "pages" / "static")),
            ]
        )

    def tile(self, name: str, level: int, x: int, y: int) -> Image.Image:
        return Image.open(io.BytesIO(self._readers[name].tile(level, x, y))).convert("RGB")

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})

    async def _texts(self, request: Request) -> Response:
        return Response(texts.module(), media_type="text/javascript")

    async def _info(self, request: Request) -> Response:
        reader = self._reader(request)
        if not reader:
            return JSONResponse({}, 404 if self.status == 200 else self.status)
        names = ("width", "height", "tile_size", "levels")
        return JSONResponse({name: getattr(reader, name) for name in names})

    async def _tile(self, request: Request) -> Response:
        reader = self._reader(request)
        self.asked.append(request.url.path)
        if not reader:
            return JSONResponse({}, 404 if self.status == 200 else self.status)
        x, y = map(int, request.path_params["spot"].split("_"))
        return Response(
            reader.tile(request.path_params["level"], x, y),
            media_type="image/webp",
            headers={"Cache-Control": "no-store"},
        )

    def _reader(self, request: Request) -> PyramidReader | None:
        return self._readers.get(request.path_params["name"]) if self.status == 200 else None


@cache
def pictures() -> dict[str, Image.Image]:
    """By name: a photo and pictures that are awkward, each with what it was before."""
    photo = Image.open(_PHOTO).convert("RGB")
    marks = Image.new("RGB", (900, 700), GREY)
    marks.paste(LIGHT, SQUARE)
    clear = Image.new("RGBA", (600, 400), (0, 0, 0, 0))
    ImageDraw.Draw(clear).ellipse((50, 50, 550, 350), fill=(*RED, 255))
    after = {
        "photo": photo.resize((2560, 1708), Image.Resampling.LANCZOS),
        "marks": marks,
        "clear": clear,
        "wide": photo.resize((8000, 40)),
        "tiny": photo.resize((16, 16)),
        "flat": Image.new("RGB", (4200, 3000), GREY),
        "colours": Image.new("RGB", (2000, 1500), RED),
        "large": Image.new("RGB", (15600, 10400), BLUE),
    }
    before = {name: _quarter(picture) for name, picture in after.items()}
    before["photo"] = photo
    before["colours"] = Image.new("RGB", (500, 375), BLUE)
    return after | {f"{name}-before": picture for name, picture in before.items()}


def _quarter(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width // 4, picture.height // 4), Image.Resampling.BOX)


@contextmanager
def serving(previews: Previews) -> Iterator[None]:
    """Serve on a free port, and stop. Sets `previews.url`."""
    with served(previews.app()) as previews.url:
        yield
