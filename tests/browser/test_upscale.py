"""The tab Upscale, used as people use it: choices, estimates, progress, and what went wrong."""

import io
import json
import os
import re
from typing import Any, Literal
from uuid import uuid4

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from db import history, jobs, preferences, workers
from db.outcomes import Failure
from tests.browser.conftest import Shots
from tests.browser.serving import Serving
from tests.browser.test_tabs import Visit, at_work, choose, file, lay, upscale, visit
from tests.tasks.pictures import FAST, PHOTOS

__all__ = ["at_work", "visit"]

ANIME = "realesrgan-x4plus-anime-6b"
BEST = "realesrgan-x4plus"
LOOKS = [(1280, "light"), (390, "dark")]
"""Window and scheme; with SHOTS in the environment, all four."""
if os.environ.get("SHOTS"):
    LOOKS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


def photo(width: int = 640, height: int = 480) -> bytes:
    stream = io.BytesIO()
    with Image.open(PHOTOS / "rocket.jpg") as opened:
        opened.convert("RGB").resize((width, height)).save(stream, "JPEG")
    return stream.getvalue()


def somebody() -> str:
    return f"ada-{uuid4().hex}"


def known(page: Page, rates: dict[str, float], *, ahead: float | None = 0) -> None:
    """What the server will say about how long things take."""
    told = {
        "rates": {name: {"pixels": pixels, "measured": True} for name, pixels in rates.items()},
        "ahead": ahead,
        "workers": 1,
    }

    def answer(route: Any) -> None:
        asked = json.loads(route.request.post_data or "{}")["data"][0]
        if asked.get("act") == "forecast":
            route.fulfill(json={"data": [{"ok": told}]})
        else:
            route.continue_()

    page.route("**/gradio_api/run/predict", answer)


def test_a_size_is_a_scale_or_what_it_fits_inside(visit: Visit) -> None:
    page = visit()
    lay(page, file("a.jpg", photo(64, 48)))
    size = page.locator(".draft .card .size")
    expect(size).to_have_text("64 × 48→256 × 192")

    choose(page, "Size")
    expect(size).to_have_text("64 × 48→3840 × 2880")
    page.get_by_label("Pixels", exact=True).fill("333")
    expect(size).to_have_text("64 × 48→333 × 250")
    page.get_by_label("Largest").select_option("Width and height")
    page.get_by_label("Pixels high").fill("100")
    expect(size).to_have_text("64 × 48→133 × 100")
    page.get_by_label("Pixels high").fill("")
    expect(page.get_by_text("Say how many pixels.")).to_be_visible()
    expect(page.get_by_role("button", name="Upscale 1 picture")).to_be_disabled()

    choose(page, "3×")
    expect(size).to_have_text("64 × 48→192 × 144")


def test_what_cannot_be_done_says_why_and_a_button_mends_it(visit: Visit) -> None:
    page = visit()
    clear = io.BytesIO()
    Image.new("RGBA", (64, 64), (200, 0, 0, 90)).save(clear, "PNG")
    lay(page, file("large.jpg", photo(4500, 3000)), file("clear.png", clear.getvalue()))
    cards = page.locator(".draft .card")

    choose(page, "8×")
    expect(cards.nth(0)).to_contain_text("864 megapixels; 400 is the most that is made here.")
    cards.nth(0).get_by_role("button", name="Use 4×").click()
    expect(page.get_by_role("radio", name="4×")).to_be_checked()
    expect(cards.nth(0).locator(".size")).to_have_text("4500 × 3000→18000 × 12000")

    choose(page, "WebP")
    expect(cards.nth(0)).to_contain_text("WebP ends at 16383 a side.")
    cards.nth(0).get_by_role("button", name="Use PNG").click()
    expect(page.get_by_role("radio", name="PNG")).to_be_checked()

    choose(page, "JPEG")
    expect(cards.nth(1)).to_contain_text("transparent parts, and JPEG can't hold them")
    cards.nth(1).get_by_role("button", name="Use PNG").click()
    expect(page.get_by_role("button", name="Upscale 2 pictures")).to_be_enabled()


@pytest.mark.parametrize("kind", ["webp", "png"])
def test_of_an_animation_it_is_said_that_its_first_frame_is_upscaled(
    visit: Visit, at_work: None, kind: str
) -> None:
    page = visit()
    frames = [Image.new("RGB", (16, 12), colour) for colour in ("red", "blue")]
    moving, still = io.BytesIO(), io.BytesIO()
    frames[0].save(moving, kind, save_all=True, append_images=frames[1:], duration=100)
    frames[0].save(still, kind)
    lay(page, file(f"moving.{kind}", moving.getvalue()), file(f"still.{kind}", still.getvalue()))

    cards = page.locator(".draft .card")
    expect(cards.nth(0)).to_contain_text("An animation: its first frame is upscaled.")
    expect(cards.nth(1).locator(".remark")).to_have_text("")

    choose(page, "Anime video, fastest", "2×")
    page.get_by_role("button", name="Upscale").click()
    cards = page.locator(".batch .card.succeeded")
    expect(cards).to_have_count(2, timeout=30_000)
    expect(cards.nth(0)).to_contain_text("its first frame was used")
    expect(cards.nth(1).locator(".remark")).to_have_text("")


def test_the_model_is_the_best_that_takes_less_than_two_minutes_until_one_is_chosen(
    visit: Visit,
) -> None:
    page = visit()
    known(page, {BEST: 1000, ANIME: 3000, FAST: 30_000}, ahead=40)
    expect(page.get_by_role("radio", name="General photo")).to_be_checked()

    lay(page, file("a.jpg", photo(640, 480)))
    # 307 s with the best, 103 s with the next.
    expect(page.get_by_role("radio", name="Anime and illustration")).to_be_checked()
    expect(page.locator("#model .because")).to_have_text(
        re.compile("the best that takes less than 2 min here, about 1 min 43 s")
    )
    expect(page.locator("#deed .sum")).to_have_text(
        "1 picture · 4× · about 2 min 23 s · 40 s of it in the queue"
    )
    expect(page.locator(".draft .card .note")).to_have_text("about 1 min 43 s")

    page.get_by_role("radio", name="General photo").check()
    expect(page.locator(".draft .card .note")).to_have_text("about 5 min 8 s")
    lay_more(page, file("b.jpg", photo(64, 48)))
    expect(page.get_by_role("radio", name="General photo")).to_be_checked()
    page.get_by_role("button", name="Choose for me").click()
    expect(page.get_by_role("radio", name="Anime and illustration")).to_be_checked()


def lay_more(page: Page, *files: dict[str, object]) -> None:
    before = page.locator(".draft .card").count()
    page.locator("#upscale input[type=file]").set_input_files(list(files))
    expect(page.locator(".draft .card")).to_have_count(before + len(files))


def test_choices_are_found_again(service: Serving, visit: Visit) -> None:
    name = somebody()
    page = visit(name=name)
    choose(page, "Anime and illustration", "WebP")
    choose(page, "Size")
    page.get_by_label("Pixels", exact=True).fill("2000")
    page.get_by_text("More options").click()
    page.get_by_role("switch", name="WebP without loss").check()
    page.get_by_label("Metadata").select_option("None")
    expect(page.get_by_text("2 changed")).to_be_visible()
    expect(page.get_by_role("switch", name="Say in the file")).to_be_disabled()
    person = service.person(name)
    store = service.service.store
    while preferences.load(store, person).get("metadata") != '"none"':
        page.wait_for_timeout(50)

    page.reload()

    expect(page.get_by_role("radio", name="Anime and illustration")).to_be_checked()
    expect(page.get_by_role("radio", name="WebP")).to_be_checked()
    expect(page.get_by_label("Pixels", exact=True)).to_have_value("2000")
    expect(page.get_by_text("2 changed")).to_be_visible()
    lay(page, file("a.jpg", photo(64, 48)))
    expect(page.locator(".draft .card .size")).to_have_text("64 × 48→2000 × 1500")


def test_the_whole_order_is_handed_in(service: Serving, visit: Visit) -> None:
    name = somebody()
    page = visit(name=name)
    lay(page, file("a.jpg", photo(64, 48)))
    choose(page, "Anime video, fastest", "Size", "JPEG")
    page.get_by_label("Pixels", exact=True).fill("200")
    page.get_by_text("More options").click()
    page.get_by_role("slider", name="Quality").fill("80")
    page.get_by_role("switch", name="Add scale and model").uncheck()
    page.get_by_label("Precision").select_option("Full (fp32)")
    page.get_by_role("button", name="Upscale 1 picture").click()
    expect(page.locator(".batch .card .size")).to_have_text("64 × 48→200 × 150")

    (batch,) = history.page(service.service.store, service.person(name)).items
    assert (batch.jobs[0].model, batch.jobs[0].target_long_side) == (FAST, 200)
    wanted = {"output_format": "jpg", "quality": 80, "suffix": False, "precision": "fp32"}
    assert wanted.items() <= batch.options.items()


def test_what_failed_is_tried_again_and_what_was_canceled_starts_again(
    service: Serving, visit: Visit, shots: Shots
) -> None:
    service.worker.finish()
    page = visit()
    upscale(page, file("one.png"), file("two.png"), file("three.png"))
    break_next(service, 2)
    cards = page.locator(".batch .card")
    expect(page.locator(".batch .card.failed")).to_have_count(2)
    page.get_by_role("button", name="Cancel three.png").click()
    expect(cards.nth(2)).to_contain_text("canceled")
    shots(page, "upscale-failed")

    page.get_by_role("button", name="Start again three.png").click()
    expect(cards.nth(2)).to_contain_text("next")
    page.get_by_role("button", name="Retry 2 failed").click()
    expect(page.locator(".batch .card.queued")).to_have_count(3)
    service.worker.work()
    expect(page.locator(".batch .card.succeeded")).to_have_count(3, timeout=60_000)
    service.worker.rest()


def break_next(service: Serving, number: int) -> None:
    """The next jobs fail, as if something were wrong with the machine."""
    store = service.service.store
    worker = workers.register(store, "cpu")
    for _ in range(number):
        claim = jobs.claim_next(store, worker)
        assert claim is not None
        failure = Failure("OUT_OF_MEMORY", "There was not enough memory.", "Try it again later.")
        jobs.fail(store, claim, failure, again=False)


def test_the_title_shows_progress_and_a_notification_says_when_all_is_done(
    service: Serving, visit: Visit
) -> None:
    service.worker.finish()
    page = visit()
    page.context.grant_permissions(["notifications"])
    page.evaluate(
        """() => {
          window.told = [];
          window.Notification = class {
            static permission = "granted";
            static requestPermission() { window.asked = true; return Promise.resolve("granted"); }
            constructor(title, { body }) { window.told.push(`${title}. ${body}`); }
          };
          document.hasFocus = () => false;
        }"""
    )
    assert page.evaluate("window.asked") is None
    page.get_by_text("More options").click()
    page.get_by_role("switch", name="Tell me when it is done").check()
    assert page.evaluate("window.asked") is True
    upscale(page, file("one.png"), file("two.png"))
    expect(page).to_have_title("0 % · 2 pictures · ImagesUpscaler")
    expect(page.get_by_role("progressbar", name="Progress of all 2 pictures")).to_be_visible()

    service.worker.work()

    expect(page.locator(".batch .card.succeeded")).to_have_count(2, timeout=60_000)
    service.worker.rest()
    expect(page).to_have_title("ImagesUpscaler")
    assert page.evaluate("window.told") == ["Your pictures are done. 2 pictures: done"]


def test_the_keyboard_alone_suffices(visit: Visit) -> None:
    """From the page to a running upscale in three actions: to the zone, a picture, the press."""
    page = visit()
    zone = page.locator("#upscale input[type=file]")
    page.get_by_role("tab", name="Upscale").focus()
    for _ in range(8):  # past the other tabs
        page.keyboard.press("Tab")
        if zone.evaluate("each => each === document.activeElement"):
            break
    expect(zone).to_be_focused()
    zone.set_input_files([file()])  # the dialog is the system's
    expect(page.get_by_role("button", name="Upscale 1 picture")).to_be_enabled()

    page.keyboard.press("Control+Enter")

    expect(page.locator(".batch .card")).to_have_count(1)

    page.get_by_role("radio", name="General photo").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Anime and illustration")).to_be_checked()
    expect(page.get_by_role("radio", name="Anime and illustration")).to_be_focused()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_nothing_sticks_out_of_the_window(
    visit: Visit, shots: Shots, width: int, scheme: Literal["light", "dark"]
) -> None:
    page = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    shots(page, f"upscale-empty-{width}-{scheme}")
    known(page, {BEST: 40_000, ANIME: 120_000, FAST: 900_000}, ahead=12)
    lay(
        page,
        file("a photo with a name that goes on and on and on.jpg", photo(800, 600)),
        file("b.jpg", photo(4500, 3000)),
        file("notes.png", b"no picture at all"),
    )
    shots(page, f"upscale-draft-{width}-{scheme}")
    if width < 500:
        page.get_by_role("button", name="Change").click()
    choose(page, "8×")
    shots(page, f"upscale-choices-{width}-{scheme}")
    choose(page, "Size")
    page.get_by_text("More options").click()
    page.get_by_role("switch", name="Tell me").scroll_into_view_if_needed()
    shots(page, f"upscale-more-{width}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width < 500:
        page.get_by_role("button", name="Close").click()

    expect(page.get_by_role("button", name="Upscale 2 pictures")).to_be_in_viewport()
