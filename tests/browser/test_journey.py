"""A stranger's whole way in a browser, through the real processes under a moved clock."""

import io
import zipfile
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, Shots
from tests.faults.conftest import own_temporary_files, running
from tests.faults.service import Running
from tests.tasks.pictures import PHOTOS

__all__ = ["own_temporary_files", "running"]


def sign_in(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Sign in on this machine").click()


def ready(running: Running) -> bool:
    try:
        return httpx.get(f"{running.settings.origin}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_from_the_landing_page_to_the_end_of_48_hours(
    running: Running, open_page: OpenPage, shots: Shots, expected_errors: list[str], tmp_path: Path
) -> None:
    running.start()
    running.until(lambda: ready(running), 60, "the service is ready")
    page = open_page(base_url=running.settings.origin)
    sign_in(page)
    for box in page.get_by_role("checkbox").all():
        box.check()
    shots(page, "welcome")
    page.locator("main button[type=submit], main button").first.click()

    # Two small photos, upscaled by the real network.
    photos = []
    for name, box in (("one.jpg", (200, 100, 300, 180)), ("two.png", (0, 0, 96, 64))):
        photos.append(tmp_path / name)
        with Image.open(PHOTOS / "rocket.jpg") as image:
            image.crop(box).save(photos[-1])
    page.locator("input[type=file]").set_input_files(photos)
    page.get_by_text("Anime video, fastest").click()
    expect(page.get_by_text("400 × 320")).to_be_visible()
    page.get_by_role("button", name="Upscale 2 pictures").click()
    expect(page.get_by_role("button", name="Compare")).to_have_count(2, timeout=60_000)
    shots(page, "done")

    page.get_by_role("button", name="Compare").first.click()
    slider = page.get_by_role("dialog").get_by_role("slider")
    expect(slider).to_be_visible()
    before = slider.get_attribute("aria-valuenow")
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuenow") != before
    shots(page, "compare")
    page.keyboard.press("Escape")

    with page.expect_download() as downloading:
        page.get_by_text("Download all (ZIP)").click()
    with zipfile.ZipFile(io.BytesIO(downloading.value.path().read_bytes())) as archive:
        assert sorted(archive.namelist()) == [
            "one_4x_realesr-animevideov3.jpg",
            "two_4x_realesr-animevideov3.png",
        ]

    # Two days later: another sign-in, and nothing but the row is left.
    running.passes(hours=48.1)
    page.context.clear_cookies()
    expected_errors.append("401|410|status of 4")
    sign_in(page)
    page.goto("/?tab=history")
    # Of the two that say so, the other is on the tab that is not shown.
    row = page.get_by_text("2 pictures, 4×").locator("visible=true")
    expect(row.first).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Delete now")).to_have_count(0)
    expect(page.get_by_text("Download all")).to_have_count(0)
    shots(page, "over")
