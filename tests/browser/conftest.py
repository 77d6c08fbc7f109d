"""Chromium without a window, and pages in it that are watched.

And one service for all of them. Without a Chromium every test here skips and says so.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, sync_playwright

from tests.browser.serving import Serving, serving

OpenPage = Callable[..., Page]
Shots = Callable[[Page | Locator, str], Path]

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever a page asks for, nothing leaves this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
_OWN_HOSTS = {"127.0.0.1", "localhost"}


# Not for the whole session: while Playwright runs, its event loop counts as running in this thread,
# and `asyncio.run` in tests of other rooms, which come in between, would refuse.
@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not chromium:
        pytest.skip(
            "THE BROWSER TESTS DID NOT RUN: no Chromium. "
            "Run `make browser`, or name one in the variable CHROMIUM."
        )
    tmp_path_factory.getbasetemp()  # decided now, or it would lie in the folder made below
    # Chromium puts a socket among its temporary files, and a socket's path is short.
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(dir="/tmp") as folder:
        patch.setenv("TMPDIR", folder)
        yield from _launched(chromium)


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory, models_path: Path) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("page"), models_path) as service:
        yield service


def _launched(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def expected_errors() -> list[str]:
    """Patterns (`re.search`) of console errors that a test provokes; it appends them itself."""
    return []


@pytest.fixture
def open_page(browser: Browser, expected_errors: list[str]) -> Iterator[OpenPage]:
    """`open_page(**options)` gives a page in a context of its own.

    The options are those of `Browser.new_context`, for instance `viewport`, `has_touch`,
    `color_scheme`, `base_url`. The test fails when a page of its reports an error in its console,
    or asks another host for anything.
    """
    wrong: list[str] = []

    def note_request(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in {"blob", "data"} and address.hostname not in _OWN_HOSTS:
            wrong.append(f"request to another host: {request.url}")

    with ExitStack() as stack:

        def open_page(**options: object) -> Page:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
            stack.callback(context.close)
            context.on("request", note_request)
            context.on("weberror", lambda error: wrong.append(f"uncaught: {error.error}"))
            context.on(
                "console",
                lambda message: (
                    wrong.append(f"console: {message.text} {message.location}")
                    if message.type == "error"
                    else None
                ),
            )
            return context.new_page()

        yield open_page
    unexpected = [
        each for each in wrong if not any(re.search(known, each) for known in expected_errors)
    ]
    assert not unexpected, "\n".join(unexpected)


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A watched page, 1280 × 800."""
    return open_page()


@pytest.fixture
def shots(tmp_path: Path) -> Shots:
    """`shots(page, name)` saves a screenshot in the folder named by SHOTS, or a temporary one."""
    folder = Path(os.environ.get("SHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Page | Locator, name: str) -> Path:
        path = folder / f"{name}.png"
        page.screenshot(path=path)
        return path

    return take
