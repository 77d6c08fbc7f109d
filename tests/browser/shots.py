"""Pictures of every page in every state: `make screenshots` renews `docs/screenshots`.

The states are those of `states.py`; each is taken at two widths, light and dark, as a WebP of at
most 40 kB. What is in them differs a little every time, as times and names do.
"""

import io
import os
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser.serving import Serving, serving
from tests.browser.states import STORIES, Story, in_scheme

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "screenshots"
WIDTHS = {"desktop": (1280, 800), "phone": (390, 844)}
SMALL = 40_000  # bytes


def take(page: Page, name: str) -> None:
    """What is seen in the window, in both schemes."""
    for scheme in ("light", "dark"):
        in_scheme(page, scheme)
        with Image.open(io.BytesIO(page.screenshot())) as image:
            path = FOLDER / f"{name}-{scheme}.webp"
            for quality in (72, 50, 30):
                image.save(path, quality=quality, method=6)
                if path.stat().st_size <= SMALL:
                    break


def tell(browser: Browser, service: Serving, story: Story, size: str) -> None:
    width, height = WIDTHS[size]
    context = browser.new_context(
        base_url=service.settings.origin,
        viewport={"width": width, "height": height},
        has_touch=size == "phone",
        reduced_motion="reduce",
    )
    page = context.new_page()
    for state in story(page, service):
        take(page, f"{state}-{size}")
    context.close()


def main(chosen: list[str]) -> None:
    """Renew all pictures, or those of the stories that are named."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not chromium:
        sys.exit("No Chromium: run `make browser`, or name one in the variable CHROMIUM.")
    stories = [story for story in STORIES if not chosen or story.__name__ in chosen]
    FOLDER.mkdir(exist_ok=True)
    if not chosen:
        for picture in FOLDER.glob("*.webp"):
            picture.unlink()
    models = (ROOT / ".cache" / "models").resolve()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), models) as service,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        for size in WIDTHS:
            for story in stories:
                tell(browser, service, story, size)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
