"""A try before a long run, and downloads in other formats: in Chromium, on real pictures."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from db import history
from db.work import Kind, State
from pages.models import labels
from tests.browser.conftest import Shots
from tests.browser.serving import Serving
from tests.browser.test_tabs import Visit, at_work, file, turned, upscale, visit
from tests.tasks.pictures import FAST, PHOTOS, picture

__all__ = ["at_work", "visit"]  # fixtures

ANIME = "realesrgan-x4plus-anime-6b"
PHONE = {"width": 390, "height": 844}

_TRY = """async ([name, bytes, models, order]) => {
  const { tryPicture } = await import("/ui/try.js");
  const file = new File([new Uint8Array(bytes)], name);
  document.addEventListener("iu:choose", ({ detail }) => (window.chosen = detail.model));
  await tryPicture({ picture: { file }, order, models });
}"""


@pytest.fixture
def try_spot(service: Serving) -> Callable[..., None]:
    """Open the dialog as a card's action does, with two of the installed models."""

    def try_spot(page: Page, data: bytes | None = None, name: str = "cat.png") -> None:
        known = labels(service.service)
        models = {each: known[each] for each in (FAST, ANIME)}
        sent = [name, list(data or picture(160, 110)), models, {"model": FAST}]
        page.evaluate(_TRY, sent)
        expect(page.locator("dialog.iu-try")).to_be_visible()
        expect(page.get_by_role("button", name="Try 2 models here")).to_be_enabled()

    return try_spot


def place(page: Page) -> str:
    return page.locator(".iu-try-place").inner_text()


def large_photo() -> bytes:
    stream = io.BytesIO()
    with Image.open(PHOTOS / "coffee.png") as photo:
        photo.convert("RGB").resize((800, 534)).save(stream, "JPEG")
    return stream.getvalue()


def test_a_spot_is_chosen_by_keys_and_pointer_and_only_the_spot_is_sent(
    visit: Visit, try_spot: Callable[..., None], service: Serving, shots: Shots
) -> None:
    page = visit(name="emmy")
    try_spot(page, turned(large_photo()), "turned.jpg")
    assert place(page) == "Spot of 160 × 160, 187 px from the left, 320 px from the top"

    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowDown"):
        page.keyboard.press(key)
    assert place(page) == "Spot of 160 × 160, 227 px from the left, 440 px from the top"
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert "374 px from the left" in place(page)
    box = page.locator(".iu-try-picture img").bounding_box()
    assert box
    page.mouse.click(box["x"] + 2, box["y"] + 2)
    assert place(page) == "Spot of 160 × 160, 0 px from the left, 0 px from the top"
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=3)
    page.mouse.up()
    assert "187 px from the left" in place(page)

    page.get_by_role("button", name="Try 2 models here").click()

    expect(page.get_by_text("waiting").first).to_be_visible()
    shots(page, "try-waiting")
    (tried,) = history.recent(service.service.store, service.person("emmy"))
    sent = {(file.width, file.height, file.size) for job in tried.jobs for file in job.files}
    ((width, height, weight),) = sent
    assert (width, height) == (160, 160)
    assert 0 < weight < 100_000
    assert not list((service.service.folders.inbox / str(service.person("emmy"))).iterdir())
    page.keyboard.press("Escape")
    expect(page.locator("dialog.iu-try")).to_have_count(0)


def test_a_try_shows_what_every_model_makes_and_one_is_chosen(
    visit: Visit, try_spot: Callable[..., None], service: Serving, at_work: None, shots: Shots
) -> None:
    page = visit()
    try_spot(page, picture(40, 30))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_text("are rendered.")).to_be_visible()
    drawings = page.locator(".iu-try-drawings li[data-state]")
    expect(page.locator(".iu-try-drawings li[data-state=succeeded]")).to_have_count(
        drawings.count(), timeout=30_000
    )
    sizes = page.locator(".iu-try-frame > *").evaluate_all(
        "all => all.map((each) => [each.clientWidth, each.clientHeight, each.naturalWidth ?? 0])"
    )
    assert len({(width, height) for width, height, _ in sizes}) == 1
    assert {natural for _, _, natural in sizes} == {0, 160}
    shots(page, "try-done")

    page.get_by_role("button", name="Use this model: Anime and illustration").click()

    expect(page.locator("dialog.iu-try")).to_have_count(0)
    assert page.evaluate("window.chosen") == ANIME
    assert page.locator("#upscale .batch").count() == 0  # a try is nobody's batch


def test_closing_ends_a_try_that_nobody_looks_at(
    visit: Visit, try_spot: Callable[..., None], service: Serving
) -> None:
    page = visit(name="grace")
    try_spot(page)
    page.get_by_role("button", name="Try 2 models here").click()
    expect(page.get_by_text("waiting").first).to_be_visible()
    with page.expect_response("**/gradio_api/run/predict"):
        page.keyboard.press("Escape")
    store = service.service.store
    (tried,) = history.recent(store, service.person("grace"))
    assert (tried.kind, tried.state) == (Kind.TRY, State.CANCELED)


def test_a_try_that_fails_says_why(
    visit: Visit, try_spot: Callable[..., None], expected_errors: list[str]
) -> None:
    page = visit()
    refusal = {"error": {"code": "STORAGE_FULL", "message": "No room is left.", "hint": ""}}
    page.route(
        "**/gradio_api/run/predict",
        lambda route: route.fulfill(body=json.dumps({"data": [refusal]})),
    )
    try_spot(page)
    page.get_by_role("button", name="Try 2 models here").click()
    expect(page.get_by_role("alert").filter(has_text="No room is left.")).to_be_visible()
    expect(page.get_by_role("button", name="Try 2 models here")).to_be_enabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_try_fits_a_phone(
    visit: Visit,
    try_spot: Callable[..., None],
    at_work: None,
    shots: Shots,
    scheme: str,
) -> None:
    page = visit(viewport=PHONE, has_touch=True, is_mobile=True, color_scheme=scheme)
    try_spot(page, large_photo(), "coffee.jpg")
    page.get_by_role("button", name="Try 2 models here").tap()
    expect(page.locator(".iu-try-drawings li[data-state=succeeded]").first).to_be_visible(
        timeout=30_000
    )
    assert page.evaluate("document.querySelector('dialog.iu-try').scrollWidth") <= 390
    shots(page, f"try-phone-{scheme}")


# --- downloads ------------------------------------------------------------------------------


def test_what_is_seen_is_downloaded_as_jpeg_without_upscaling_again(
    visit: Visit, at_work: None, shots: Shots
) -> None:
    page = visit()
    upscale(page, file("cat.png"))
    page.get_by_role("button", name="Compare").click()
    page.locator("dialog[data-state=open]").wait_for()
    page.get_by_role("button", name="Download in another format").click()
    menu = page.get_by_role("dialog", name="Download cat.png")
    expect(menu.get_by_role("link", name="As it is")).to_be_focused()
    assert menu.get_by_role("button", name="PNG").count() == 0  # it is one
    shots(page, "downloads")
    menu.get_by_label("Quality").fill("80")

    with page.expect_download() as arriving:
        menu.get_by_role("button", name="JPEG").click()

    assert arriving.value.suggested_filename == f"cat_2x_{FAST}.jpg"
    with Image.open(Path(arriving.value.path())) as image:
        assert (image.format, image.size) == ("JPEG", (48, 32))
    expect(menu.get_by_role("link", name=f"cat_2x_{FAST}.jpg")).to_be_focused()
    page.keyboard.press("f")  # not for the viewer below
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    expect(page.locator("dialog.iu-compare")).to_be_visible()
    expect(page.get_by_role("button", name="Download in another format")).to_be_focused()


def test_what_a_format_cannot_hold_is_said(visit: Visit, at_work: None) -> None:
    stream = io.BytesIO()
    Image.new("RGBA", (24, 16), (200, 30, 30, 90)).save(stream, "PNG")
    page = visit()
    upscale(page, file("clear.png", stream.getvalue()))
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("button", name="Download in another format").click()
    menu = page.get_by_role("dialog", name="Download clear.png")
    menu.get_by_role("button", name="JPEG").click()
    expect(menu.locator(".iu-downloads-note")).to_contain_text("JPEG can't hold them")
    expect(menu.get_by_role("button", name="WebP")).to_be_enabled()


def test_the_history_offers_other_formats_and_lists_no_conversion(
    visit: Visit, at_work: None
) -> None:
    page = visit("?tab=upscale", name="mary")
    upscale(page, file("cat.png"))
    expect(page.get_by_role("button", name="Compare")).to_be_visible(timeout=20_000)
    page.goto("/?tab=history")
    page.get_by_role("button", name="Open cat.png").click()
    page.get_by_role("button", name="Download as … cat.png").click()
    with page.expect_download():
        page.get_by_role("button", name="WebP").click()
    page.keyboard.press("Escape")
    page.reload()
    expect(page.locator("#history .entry")).to_have_count(1)


def test_the_pictures_of_a_batch_are_turned_by_buttons_and_keys(
    visit: Visit, at_work: None, shots: Shots
) -> None:
    page = visit()
    upscale(page, file("one.png"), file("two.png", picture(32, 20)), file("three.png"))
    compare = page.get_by_role("button", name="Compare")
    expect(compare).to_have_count(3, timeout=20_000)
    compare.nth(0).click()
    title = page.locator(".iu-compare-name")
    expect(title).to_have_text("1 of 3 · one.png")
    page.locator("dialog[data-state=open]").wait_for()
    page.keyboard.press("End")
    page.get_by_role("button", name="Next picture").click()
    expect(title).to_have_text("2 of 3 · two.png")
    expect(page.get_by_text("After 64 × 40")).to_be_visible()
    page.locator("dialog[data-state=open]").wait_for()
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "100")
    shots(page, "viewer-several")
    page.keyboard.press("p")
    page.keyboard.press("p")
    expect(title).to_have_text("3 of 3 · three.png")
    page.locator("dialog[data-state=open]").wait_for()
    assert page.locator(".iu-compare-layer canvas").count() == 2
    page.keyboard.press("n")
    expect(title).to_have_text("1 of 3 · one.png")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("dialog.iu-compare")).to_have_count(0)
