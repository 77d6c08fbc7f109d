"""The viewer of before and after, in Chromium, on real previews.

What is seen is measured in screenshots, in pixels of the screen, not asked of the page.
"""

import io
import re
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page

from tests.browser.conftest import OpenPage, Shots
from tests.browser.previews import BLUE, GREY, LIGHT, RED, Previews, pictures, serving

Pixels = NDArray[np.int16]

_PICTURES_ONLY = (
    ", ".join(f".iu-compare-{each}" for each in ("bar", "knob", "label", "rule"))
    + "{ opacity: 0 !important; }"
)
BETWEEN = (GREY[0] + LIGHT[0]) / 2
PHONE = {"width": 390, "height": 844}
TOOLS = ["Fit", "1:1", "2:1", "Flip", "Download", "Close"]


@pytest.fixture(scope="module")
def running() -> Iterator[Previews]:
    previews = Previews()
    for name, picture in pictures().items():
        previews.add(name, picture)
    with serving(previews):
        yield previews


@pytest.fixture
def previews(running: Previews) -> Iterator[Previews]:
    yield running
    running.status = 200


def arrive(page: Page, previews: Previews) -> None:
    """Nothing glides, so that nothing has to be waited for; the tests of gliding say otherwise."""
    page.emulate_media(reduced_motion="reduce")
    page.goto(previews.url)
    page.wait_for_function("window.ready")


def compare(page: Page, which: str, before: str | None = "", **options: object) -> None:
    """Open the viewer by its button, as a person would, and wait until nothing moves."""
    before = f"{which}-before" if before == "" else before
    addresses = {"before": before and f"/files/{before}", "after": f"/files/{which}"}
    page.evaluate("options => window.options = options", addresses | options)
    page.locator("#opener").click()
    page.locator("dialog[data-state=open]").wait_for()
    settled(page)


def settled(page: Page) -> Pixels:
    """The pictures, without what lies over them, once two looks are the same."""
    last = b""
    for _ in range(50):
        shot = page.screenshot(style=_PICTURES_ONLY)
        if shot == last:
            return pixels_of(shot)
        last = shot
    raise AssertionError("the page does not come to rest")


def pixels_of(shot: bytes) -> Pixels:
    """Height, width, RGB."""
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(np.int16)


def knob(page: Page) -> Locator:
    return page.get_by_role("slider")


def line(page: Page) -> int:
    return int(knob(page).get_attribute("aria-valuenow") or -1)


def percent(page: Page) -> int:
    return int(page.locator(".iu-compare-percent").inner_text().removesuffix(" %"))


def centre(locator: Locator) -> tuple[float, float]:
    box = locator.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def like(pixels: Pixels, colour: tuple[int, int, int], tolerance: int = 24) -> NDArray[np.bool_]:
    return np.abs(pixels - np.array(colour)).max(axis=-1) <= tolerance


def extent(seen: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is true."""
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def size(seen: NDArray[np.bool_]) -> tuple[int, int]:
    left, top, right, bottom = extent(seen)
    return right - left, bottom - top


class Fingers:
    """Touches at the screen, through the browser's own input."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def put(self, *points: tuple[float, float]) -> None:
        self._send("touchStart", points)

    def move(self, *points: tuple[float, float]) -> None:
        self._send("touchMove", points)

    def lift(self) -> None:
        self._send("touchEnd", ())

    def _send(self, kind: str, points: tuple[tuple[float, float], ...]) -> None:
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})


# What it shows


def test_tells_both_sizes_and_takes_the_focus(page: Page, previews: Previews, shots: Shots) -> None:
    arrive(page, previews)
    compare(page, "photo")
    assert page.get_by_text("Before 640 × 427").is_visible()
    assert page.get_by_text("After 2560 × 1708").is_visible()
    assert page.evaluate("document.activeElement.role") == "slider"
    assert page.get_by_role("dialog").get_attribute("aria-label") == "Before and after: rocket.jpg"
    shots(page, "viewer-desktop")


@pytest.mark.parametrize("density", [1, 1.25, 2])
def test_shows_a_pixel_of_the_result_as_a_pixel_of_the_screen(
    open_page: OpenPage, previews: Previews, density: float
) -> None:
    page = open_page(device_scale_factor=density)
    arrive(page, previews)
    compare(page, "photo")
    page.keyboard.press("Home")  # the result only
    page.get_by_role("button", name="1:1").click()
    screen = settled(page)
    assert percent(page) == 100
    box = page.locator(".iu-compare-layer.iu-compare-after").bounding_box()
    assert box
    left = round(box["width"] * density / 2 - 2560 / 2)
    top = round(box["height"] * density / 2 - 1708 / 2)
    expected = np.asarray(previews.tile("photo", 12, 2, 1)).astype(np.int16)
    seen = screen[top + 512 :, left + 1024 :][:512, :512]
    assert seen.shape == expected.shape
    assert np.abs(seen - expected).max() <= 2


def test_shows_two_pixels_for_one_at_two_to_one(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    compare(page, "marks")
    page.keyboard.press("Home")
    page.get_by_role("button", name="2:1").click()
    screen = settled(page)
    assert size(screen[..., 0] > BETWEEN) == (192, 192)
    assert percent(page) == 200


def test_before_lies_exactly_under_after(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    compare(page, "marks")
    page.keyboard.press("1")
    places = []
    for key in ("End", "Home"):
        page.keyboard.press(key)
        places.append(extent(settled(page)[..., 0] > BETWEEN))
    assert np.abs(np.subtract(*places)).max() <= 1


def test_before_is_soft_until_four_to_one_and_squares_above(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    compare(page, "marks")
    page.keyboard.press("End")
    widths = []
    for key in ("1", "2", "+", "+", "+"):
        page.keyboard.press(key)
        row = settled(page)[340:360, :, 0].mean(axis=0)
        widths.append(int(((row > GREY[0] + 30) & (row < LIGHT[0] - 30)).sum()))
    assert percent(page) == 566
    *soft, sharp = widths
    assert min(soft) > 2  # between dark and light, left and right
    assert sharp == 0


@pytest.mark.parametrize("side", ["Home", "End"])
def test_shows_no_seams_between_tiles(page: Page, previews: Previews, side: str) -> None:
    """A picture of one colour has one colour at every zoom: 9 tiles wide, or 3 of the original."""
    arrive(page, previews)
    compare(page, "flat")
    page.keyboard.press(side)
    for key in "---1+++":
        page.keyboard.press(key)
        screen = settled(page)
        left, top, right, bottom = extent(like(screen, GREY, 4))
        inner = screen[top + 4 : bottom - 4, left + 4 : right - 4]
        assert like(inner, GREY, 4).all(), f"at {percent(page)} %"


@pytest.mark.parametrize(("name", "expected"), [("tiny", 4600), ("wide", 16), ("large", 7)])
def test_fits_pictures_of_any_size_into_the_window(
    page: Page, previews: Previews, shots: Shots, name: str, expected: int
) -> None:
    arrive(page, previews)
    compare(page, name)
    assert percent(page) == pytest.approx(expected, rel=0.01)
    shots(page, f"viewer-{name}")
    page.keyboard.press("1")
    settled(page)
    assert percent(page) == 100
    page.keyboard.press("0")
    settled(page)
    assert percent(page) == pytest.approx(expected, rel=0.01)


def test_asks_for_the_tiles_that_are_seen_only(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    previews.asked.clear()
    compare(page, "large")
    page.keyboard.press("1")
    settled(page)
    assert 0 < len(previews.asked) < 100  # of 901


def test_shows_a_board_behind_transparent_pictures_only(
    page: Page, previews: Previews, shots: Shots
) -> None:
    arrive(page, previews)
    compare(page, "clear")
    page.keyboard.press("1")
    screen = settled(page)
    left, top, *_ = extent(like(screen, RED))
    corner = screen[top - 40 : top, left - 40 : left].reshape(-1, 3)
    assert len(np.unique(corner, axis=0)) == 2
    assert page.locator(".iu-compare-board").is_visible()
    shots(page, "viewer-clear")
    page.keyboard.press("Escape")
    compare(page, "marks")
    assert not page.locator(".iu-compare-board").is_visible()


def test_shows_the_result_alone_without_a_before(
    page: Page, previews: Previews, shots: Shots
) -> None:
    arrive(page, previews)
    compare(page, "marks", before=None)
    assert knob(page).count() == 0
    assert page.get_by_role("button", name="Flip").count() == 0
    assert page.get_by_text("After 900 × 700").is_visible()
    page.keyboard.press("1")
    mark = extent(like(settled(page), LIGHT))
    page.keyboard.press("f")  # nothing to flip
    page.keyboard.press("ArrowRight")
    moved = extent(like(settled(page), LIGHT))
    assert mark[0] - moved[0] == 80
    shots(page, "viewer-result-only")


# The line


def test_the_line_follows_the_mouse(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    compare(page, "colours")
    x, y = centre(knob(page))
    page.mouse.move(x + 7, y)
    page.mouse.down()
    for to in (200, 900, 400):
        page.mouse.move(to + 7, y, steps=3)
        row = pixels_of(page.screenshot())[300]  # at once: neither side is late
        assert like(row[to - 9], BLUE)
        assert like(row[to + 9], RED)
    page.mouse.up()
    page.mouse.move(800, y)
    assert centre(knob(page))[0] == pytest.approx(400, abs=1)


def test_the_line_can_be_taken_back_from_the_edge(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    compare(page, "colours")
    _, y = centre(knob(page))
    page.keyboard.press("End")
    page.mouse.move(1264, y)
    page.mouse.down()
    page.mouse.move(624, y, steps=4)
    page.mouse.up()
    assert line(page) == 50


def test_the_line_follows_a_finger_and_two_fingers_zoom(
    open_page: OpenPage, previews: Previews, shots: Shots
) -> None:
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2)
    arrive(page, previews)
    compare(page, "photo")
    fingers = Fingers(page)
    x, y = centre(knob(page))
    fingers.put((x, y))
    for to in (180, 140, 100):
        fingers.move((to, y + 30))
    fingers.lift()
    assert line(page) == pytest.approx(100 / 388 * 100, abs=1)
    at_first = percent(page)
    fingers.put((150, 300), (250, 300))
    for apart in (20, 40, 60, 80):
        fingers.move((150 - apart, 300), (250 + apart, 300))
    fingers.lift()
    settled(page)
    assert percent(page) > 1.5 * at_first
    assert line(page) == pytest.approx(100 / 388 * 100, abs=1)
    shots(page, "viewer-phone-zoomed")


def test_the_picture_follows_a_drag_on_either_side_of_the_line(
    page: Page, previews: Previews
) -> None:
    arrive(page, previews)
    compare(page, "marks")
    page.keyboard.press("1")
    for start in (300, 900):
        left = extent(settled(page)[..., 0] > BETWEEN)[0]
        page.mouse.move(start, 200)
        page.mouse.down()
        page.mouse.move(start + 60, 240, steps=4)
        page.wait_for_timeout(200)  # or it is a flick
        page.mouse.up()
        assert extent(settled(page)[..., 0] > BETWEEN)[0] - left == pytest.approx(60, abs=4)
    assert line(page) == 50


def test_the_line_obeys_the_keys(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    compare(page, "colours")
    places = []
    for key in ("ArrowRight", "ArrowLeft", "ArrowLeft", "PageUp", "Home", "ArrowLeft", "End"):
        page.keyboard.press(key)
        places.append(line(page))
    assert places == [52, 50, 48, 58, 0, 0, 100]


def test_flips_between_before_and_after(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    compare(page, "colours")
    seen = []
    for flip in (
        lambda: page.keyboard.press("f"),
        lambda: page.get_by_role("button", name="Flip").click(),
        lambda: page.keyboard.press("F"),
    ):
        flip()
        screen = settled(page)
        seen.append("before" if like(screen[200:500, 300:900], BLUE).all() else "after")
    assert seen == ["before", "after", "before"]


# Zooming


def test_zooms_by_keys_and_by_the_wheel_even_on_the_line(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    compare(page, "marks")
    page.keyboard.press("1")
    settled(page)
    zooms = []
    for key in ("+", "=", "-"):
        page.keyboard.press(key)
        settled(page)
        zooms.append(percent(page))
    assert zooms == [141, 200, 141]
    page.mouse.move(*centre(knob(page)))
    page.mouse.wheel(0, -200)
    settled(page)
    assert percent(page) > 141


def test_keeps_fitting_when_the_window_changes_and_keeps_its_zoom_otherwise(
    page: Page, previews: Previews
) -> None:
    arrive(page, previews)
    compare(page, "marks")
    page.set_viewport_size({"width": 900, "height": 500})
    settled(page)
    assert percent(page) == pytest.approx(100 * 436 / 700, abs=1)
    page.keyboard.press("1")
    settled(page)
    page.set_viewport_size({"width": 1280, "height": 800})
    assert size(settled(page)[..., 0] > BETWEEN) == (96, 96)
    assert percent(page) == 100


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_glides_but_not_for_who_wants_no_motion(
    page: Page, previews: Previews, motion: Literal["reduce", "no-preference"]
) -> None:
    arrive(page, previews)
    page.emulate_media(reduced_motion=motion)
    compare(page, "marks")
    seen = page.evaluate(
        """async () => {
            const zooms = new Set();
            const start = performance.now();
            const figure = document.querySelector(".iu-compare-percent");
            figure.closest("dialog").querySelector("button[title*='(2)']").click();
            while (performance.now() - start < 1000 && !zooms.has("200 %")) {
                await new Promise(requestAnimationFrame);
                zooms.add(figure.textContent);
            }
            return [...zooms];
        }"""
    )
    assert seen[-1] == "200 %"
    between = len(seen) - 2  # what it was, and what it is
    assert between <= 0 if motion == "reduce" else between > 0


# Coming and going


def test_escape_leaves_nothing_behind(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    elements = page.evaluate("document.body.childElementCount")
    compare(page, "photo")
    page.keyboard.press("Escape")
    page.wait_for_function("window.closings === 1")
    assert page.evaluate("document.activeElement.id") == "opener"
    assert page.evaluate("document.body.childElementCount") == elements
    asked = len(previews.asked)
    page.keyboard.press("f")
    page.set_viewport_size({"width": 700, "height": 700})
    page.wait_for_timeout(300)
    assert len(previews.asked) == asked
    assert page.evaluate("window.closings") == 1


def test_close_button_leaves(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    compare(page, "marks")
    page.get_by_role("button", name="Close").click()
    page.wait_for_function("window.closings === 1")
    assert page.get_by_role("dialog").count() == 0


def test_a_second_viewer_takes_the_place_of_the_first(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    page.evaluate(
        """() => Promise.all(["marks", "colours"].map((name) =>
            compare({before: null, after: `/files/${name}`})))"""
    )
    assert page.get_by_role("dialog").count() == 1
    assert page.get_by_text("After 2000 × 1500").is_visible()
    page.wait_for_function("window.closings === 1")


def test_holds_the_focus_and_the_page_behind(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    compare(page, "marks")
    names = []
    for _ in range(8):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert names[:6] == TOOLS
    assert "Compare" not in names
    page.mouse.move(600, 780)
    page.mouse.wheel(0, 500)
    page.wait_for_timeout(100)
    assert page.evaluate("scrollY") == 0


def test_download_points_at_the_result(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    compare(page, "marks")
    link = page.get_by_role("link", name="Download")
    assert link.get_attribute("href") == "/files/result"
    assert link.get_attribute("download") == ""


def test_a_name_is_text(page: Page, previews: Previews) -> None:
    arrive(page, previews)
    name = '<img src=x onerror="document.title=1">"&.jpg'
    compare(page, "marks", name=name)
    assert page.get_by_text(name).is_visible()
    assert page.locator("dialog img").count() == 0


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_everything_can_be_reached_at_any_width(
    open_page: OpenPage, previews: Previews, shots: Shots, width: int
) -> None:
    page = open_page(viewport={"width": width, "height": 760}, has_touch=width < 1000)
    arrive(page, previews)
    compare(page, "photo", name="a very long name of a picture, as cameras and people give.jpg")
    for name in TOOLS:
        tool = page.locator(".iu-compare-tool", has_text=re.compile(f"^{name}$"))
        box = tool.bounding_box()
        assert box
        assert box["width"] >= 44
        assert box["height"] >= 44
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= 760
        assert tool.get_attribute("title")
    box = knob(page).bounding_box()
    assert box
    assert (box["width"], box["height"]) == (44, 44)
    assert page.evaluate("document.querySelector('dialog').scrollWidth") == width
    shots(page, f"viewer-{width}")


# What goes wrong


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (410, "This picture's 48 hours are over."),
        (404, "This picture is not here any more."),
        (401, "You are signed out. Sign in again to see this picture."),
        (500, "This picture can't be shown right now."),
    ],
)
def test_says_in_a_sentence_why_there_is_no_picture(
    page: Page,
    previews: Previews,
    shots: Shots,
    expected_errors: list[str],
    status: int,
    sentence: str,
) -> None:
    expected_errors.append(f"status of {status}")
    arrive(page, previews)
    previews.status = status
    page.evaluate("compare({before: '/files/photo-before', after: '/files/photo'})")
    assert page.get_by_role("status").inner_text() == sentence
    assert page.get_by_role("button", name="1:1").is_disabled()
    assert page.get_by_role("link", name="Download").is_visible() == (status != 410)
    shots(page, f"viewer-{status}")
    page.keyboard.press("1")  # there is nothing to zoom
    page.keyboard.press("Enter")  # Close has the focus
    page.wait_for_function("window.closings === 1")


def test_says_that_the_server_cannot_be_reached(
    page: Page, previews: Previews, expected_errors: list[str]
) -> None:
    expected_errors.append("ERR_INTERNET_DISCONNECTED")
    arrive(page, previews)
    page.context.set_offline(True)
    page.evaluate("compare({before: '/files/photo-before', after: '/files/photo'})")
    expected = "The server can't be reached. Check your connection and try again."
    assert page.get_by_text(expected).count() == 1
    page.context.set_offline(False)
    page.get_by_role("button", name="Close").click()
    compare(page, "photo")
    assert knob(page).is_visible()


def test_says_so_when_the_time_ends_while_it_is_looked_at(
    page: Page, previews: Previews, expected_errors: list[str]
) -> None:
    expected_errors += ["status of 410", "Tile .* failed to load"]
    arrive(page, previews)
    compare(page, "photo")
    previews.status = 410
    page.keyboard.press("2")
    page.get_by_text("This picture's 48 hours are over.").wait_for()
    assert not knob(page).is_visible()
    page.get_by_role("button", name="Close").click()
    page.wait_for_function("window.closings === 1")
