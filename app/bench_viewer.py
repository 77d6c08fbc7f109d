"""How smoothly the viewer moves on a result of 16,000 pixels a side: part of `make bench`.

The real service with the real page, in a headless Chromium the size of a phone; the preview is made
by `inference.pyramid` and lies in the rows like any other. Frames are counted in the page, while
real input moves the line or the picture. Browser, service and whoever counts share this machine.
"""

import argparse
import io
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from app import cookies
from app.bench import PHOTO, service
from app.settings import Settings
from db import acknowledgements, batches, files, jobs, sessions, users, workers
from db.work import Role
from inference import image_io
from inference.geometry import Size
from inference.precision import cpu_flags
from inference.pyramid import PyramidWriter
from inference.resample import Resampler
from pages.public import Site
from tasks.service import Service, prepare

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

SIDE = 16_000
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")

_TOUCH_EVERY = 1 / 60  # seconds, as screens do

# Frames between two calls: how long each took, and where line and picture then were.
_COUNT = """() => {
  const line = document.querySelector(".iu-compare-stage").style;
  const host = document.querySelector(".iu-compare-layer.iu-compare-after");
  const picture = OpenSeadragon.getViewer(host);
  const frames = (window.frames_ = []);
  let last = performance.now();
  window.counting_ = true;
  const count = (now) => {
    const { x, y } = picture.viewport.getCenter(true);
    frames.push([now - last, line.getPropertyValue("--line"), `${x} ${y}`]);
    last = now;
    if (window.counting_) requestAnimationFrame(count);
  };
  requestAnimationFrame(count);
}"""
_COUNTED = "() => { window.counting_ = false; return window.frames_.slice(1); }"


@dataclass(frozen=True)
class Bar:
    """What is promised of one kind of movement."""

    what: str
    throttling: int
    least: float
    """Frames a second."""


SLIDER = Bar("slider", 4, 50)
PANNING = Bar("panning at 1:1", 1, 30)


def main() -> int:
    """Print a table in Markdown; on a busy machine it measures the others.

    Fails when it could not be measured, not when a bar is missed.
    """
    parser = argparse.ArgumentParser(prog="python -m app.bench_viewer")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--side", type=int, default=SIDE)
    args = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        _say("The viewer was not measured: no Chromium. Run `make browser`.")
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        settings = Settings(data_dir=folder, device="cpu", port=7861)
        secret = _a_result(settings, args.side)
        with service(folder, args.models) as (settings, _):
            found = _measured(chromium, settings, secret, args.seconds)
    _say(f"Flags: {' '.join(cpu_flags())}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}.")
    _say(f"A result of {args.side} × {args.side} pixels, preview of")
    _say(
        f"original and result, {args.seconds:g} s each, Chromium without a GPU, 390 × 844 at 2x.\n"
    )
    _say("| movement | CPU throttling | frames a second | slowest frame in twenty | bar |")
    _say("|---|---|---|---|---|")
    for bar, frames in found:
        rate = 1000 * len(frames) / sum(frames)
        slow = sorted(frames)[int(0.95 * (len(frames) - 1))]
        verdict = "met" if rate >= bar.least else "missed"
        _say(
            f"| {bar.what} | {bar.throttling}× | {rate:.0f} | {slow:.0f} ms | "
            f"{bar.least:g}: {verdict} |"
        )
    return 0


def _a_result(settings: Settings, side: int) -> str:
    """A finished picture in the rows, and the cookie of whoever it belongs to."""
    settings.data_dir.mkdir(exist_ok=True)
    prepare(settings)
    with Service.open(settings) as opened:
        store = opened.store
        user_id = users.ensure_user(store, users.LOCAL, "bench")
        acknowledgements.record(store, user_id, Site(settings).policy_version)
        small = io.BytesIO()
        with Image.open(PHOTO) as photo:
            photo.convert("RGB").resize((side // 4, side // 4)).save(small, "PNG")
        original = files.keep(
            store, small, Role.ORIGINAL, format="png", width=side // 4, height=side // 4
        )
        new = batches.NewJob(name="bench.png", model="bench", original=original, scale=4)
        batches.create(store, user_id, [new], options={})
        claim = jobs.claim_next(store, workers.register(store, "cpu"))
        assert claim is not None
        before = files.Writer(store, Role.PREVIEW, format="zip", pictures=Role.ORIGINAL)
        after = files.Writer(store, Role.PREVIEW, format="zip", pictures=Role.RESULT)
        picture = image_io.read(small)
        _pyramids(picture, before, after)
        sizes = (picture.size, picture.size * 4)
        kept = [
            writer.finish(width=size.width, height=size.height)
            for writer, size in zip((before, after), sizes, strict=True)
        ]
        jobs.renew(store, claim)
        jobs.finish(store, claim, kept, {"model": "bench"}, 1)
        return sessions.begin(store, user_id, sessions.Device(browser="chrome", system="linux"))


def _pyramids(picture: image_io.Picture, before: files.Writer, after: files.Writer) -> None:
    """The previews of a picture, and of what a filter makes of it at four times its size."""
    for writer, size in ((before, picture.size), (after, picture.size * 4)):
        pyramid = PyramidWriter(writer, size, picture.channels, picture.metadata)
        resampler = Resampler(picture.size, Size(*size), 8)
        for top in range(0, picture.size.height, 128):
            rows = resampler.push(picture.pixels[top : top + 128])
            if len(rows):
                pyramid.push(rows)
        pyramid.finish()


def _measured(
    chromium: str, settings: Settings, secret: str, seconds: float
) -> list[tuple[Bar, list[float]]]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_ARGUMENTS))
        context = browser.new_context(base_url=settings.origin, **PHONE)
        name = cookies.session_cookie(settings).name
        context.add_cookies([{"name": name, "value": secret, "url": settings.origin}])
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.goto("/")
        page.get_by_role("button", name="Compare").click()
        page.locator("dialog[data-state=open]").wait_for()
        page.wait_for_load_state("networkidle")
        session = context.new_cdp_session(page)
        slid = _frames(page, session, SLIDER, seconds, _slide)
        page.keyboard.press("1")
        page.wait_for_load_state("networkidle")
        panned = _frames(page, session, PANNING, seconds, _pan)
        browser.close()
    return [(SLIDER, slid), (PANNING, panned)]


def _frames(
    page: "Page",
    session: "CDPSession",
    bar: Bar,
    seconds: float,
    move: Callable[["CDPSession", float], None],
) -> list[float]:
    session.send("Emulation.setCPUThrottlingRate", {"rate": bar.throttling})
    move(session, 1)  # what is decoded and compiled the first time is not what is felt
    page.evaluate(_COUNT)
    move(session, seconds)
    frames: list[tuple[float, str, str]] = page.evaluate(_COUNTED)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    times, *places = zip(*frames, strict=True)
    # A finger that misses the line moves the picture, and its frames are another figure.
    moved = [sum(a != b for a, b in pairwise(place)) > len(frames) / 4 for place in places]
    if moved != [bar is SLIDER, bar is PANNING]:
        raise RuntimeError(f"{bar.what} was not measured: line and picture moved: {moved}")
    return list(times)


def _slide(session: "CDPSession", seconds: float) -> None:
    """A finger takes the knob and moves it to and fro."""
    stage = 844 - 110  # the bar of tools is below
    _drag(session, seconds, (195, 0.78 * stage), (150, 0))


def _pan(session: "CDPSession", seconds: float) -> None:
    """A finger takes the picture beside the line and moves it to and fro."""
    _drag(session, seconds, (120, 250), (100, 140))


def _drag(
    session: "CDPSession",
    seconds: float,
    start: tuple[float, float],
    reach: tuple[float, float],
) -> None:
    def touch(kind: str, x: float, y: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", *start)
    begin = time.perf_counter()
    while (spent := time.perf_counter() - begin) < seconds:
        swing = 1 - abs((spent % 1.6) / 0.8 - 1)  # 0 to 1 and back in 1.6 seconds
        share = 2 * swing - 1
        touch("touchMove", start[0] + share * reach[0], start[1] + share * reach[1])
        time.sleep(max(0.0, begin + spent + _TOUCH_EVERY - time.perf_counter()))
    touch("touchMove", *start)  # or the next finger would not find the knob, and move the picture
    touch("touchEnd", *start)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
