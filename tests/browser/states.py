"""Every page and every state of it, told as stories: what a test looks at, and what pictures show.

A story opens pages one after the other and yields the name of each state it has reached, once
nothing moves any more. One line more is one state more; a story added to `STORIES` is looked at in
every scheme, by axe and by `make screenshots`. Stories run in any order, each in a browser context
of its own, over the same service.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal
from uuid import uuid4

from PIL import Image
from playwright.sync_api import Page, expect
from sqlalchemy import update

from app.settings import Provider
from db import jobs, workers
from db.people import User
from tests.browser.serving import Serving
from tests.tasks.pictures import PHOTOS, picture

Story = Callable[[Page, Serving], Iterator[str]]

_SOON = 60_000  # ms: for what a network has to do first
_PROVIDERS = [
    Provider(
        key=key,
        name=name,
        issuer=f"https://{key}.example.org",
        client_id="id",
        client_secret="secret",
        policy_url=f"https://{key}.example.org/privacy",
    )
    for key, name in (("work", "Work"), ("google", "Google"))
]


def somebody() -> str:
    """A new person, who is called as all of them are."""
    return f"Ada#{uuid4().hex}"


def open_app(page: Page, service: Serving, tab: str, name: str | None = None) -> str:
    """Open a tab for somebody, by default somebody new; returns their name."""
    name = name or somebody()
    service.sign_in(page, name)
    page.goto(f"/?tab={tab}")
    expect(page.locator("body[data-ready]")).to_have_count(1, timeout=_SOON)
    settled(page)
    return name


def settled(page: Page) -> None:
    """Nothing is being fetched for the tab that is seen, and nothing glides."""
    expect(page.locator(".part[aria-busy=true]:visible")).to_have_count(0)
    page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")


def in_scheme(page: Page, scheme: Literal["light", "dark"]) -> None:
    """As when the system changes its scheme while the page is open; nothing glides."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    # Pages that listen for the change have heard of it, and have been drawn.
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def photo(name: str, side: int = 240) -> dict[str, object]:
    """One of the photos, as a person would choose it."""
    with Image.open(PHOTOS / name) as image:
        image = image.convert("RGB")
        image.thumbnail((side, side))
        stream = io.BytesIO()
        image.save(stream, "PNG")
    stem = name.split(".")[0]
    return {"name": f"{stem}.png", "mimeType": "image/png", "buffer": stream.getvalue()}


def damaged() -> dict[str, object]:
    """A picture that is one at first sight, and ends in the middle."""
    data = picture(96, 64)
    return {"name": "torn.png", "mimeType": "image/png", "buffer": data[: len(data) // 2]}


def hand_in(page: Page, *files: dict[str, object]) -> None:
    page.locator("#upscale input[type=file]").set_input_files(list(files))
    expect(page.locator(".draft .card")).to_have_count(len(files))
    with choosing(page):
        page.get_by_role("radio", name="Anime video, fastest").check()
        page.get_by_role("radio", name="2×", exact=True).check()


@contextmanager
def choosing(page: Page) -> Iterator[None]:
    """On a phone the choices are folded away, and are opened for this long."""
    fold = page.locator("#deed button.open")
    is_folded = fold.is_visible()
    if is_folded:
        fold.click()
    yield
    if is_folded:
        fold.click()


# --- signed out ---


def landing(page: Page, service: Serving) -> Iterator[str]:
    page.goto("/")
    yield "landing"
    page.get_by_role("radio", name="Drawing").check()
    page.locator("[data-sample=drawing] img").first.evaluate("image => image.decode()")
    page.locator("[data-sample=drawing] input").press("Home")
    yield "landing-drawing"


def signing_in(page: Page, service: Serving) -> Iterator[str]:
    page.goto("/login")
    yield "sign-in"
    # What other settings would show, in the same place.
    html = service.site.sign_in(_PROVIDERS, "passphrase", "That is not the passphrase.")
    page.route("**/login", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto("/login")
    yield "sign-in-providers"
    html = service.site.landing(_PROVIDERS, "passphrase")
    page.route("**/login", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto("/login")
    yield "landing-providers"


def policies(page: Page, service: Serving) -> Iterator[str]:
    for name in ("privacy", "cookies", "terms", "api", "privacy/proof"):
        page.goto(f"/{name}")
        yield name.split("/")[-1]


def entering(page: Page, service: Serving) -> Iterator[str]:
    service.sign_in(page, somebody(), agreed=False)
    page.goto("/welcome")
    yield "welcome"
    page.goto("/nothing-here")
    yield "problem"


# --- signed in ---


def upscaling(page: Page, service: Serving) -> Iterator[str]:
    service.worker.finish()  # or others would come first
    open_app(page, service, "upscale")
    yield "upscale"
    hand_in(page, photo("chelsea.png"), photo("coffee.png"), photo("rocket.jpg"))
    yield "upscale-drafts"
    with choosing(page):
        page.locator("#choices summary").first.click()
        settled(page)
        yield "upscale-options"
        page.locator("#choices summary").first.click()
    page.get_by_role("button", name="Try a spot").first.click()
    spot = page.get_by_role("dialog")
    spot.get_by_role("button", name="models here").click()
    service.worker.finish()
    for unfinished in ("waiting", "rendering …"):
        expect(spot.get_by_text(unfinished, exact=True)).to_have_count(0, timeout=_SOON)
    expect(spot.get_by_text("are rendered.")).to_be_visible(timeout=_SOON)
    yield "try"
    page.keyboard.press("Escape")
    expect(spot).to_have_count(0)
    page.get_by_role("button", name="Upscale 3 pictures").click()
    expect(page.locator(".batch .card")).to_have_count(3, timeout=_SOON)
    store = service.service.store
    claim = jobs.claim_next(store, workers.register(store, "cpu"))
    assert claim is not None
    jobs.progress(store, claim, 42, 100)
    expect(page.locator(".card.running")).to_contain_text("42 %")
    yield "upscale-running"
    jobs.hand_back(store, claim)
    service.worker.finish()
    expect(page.locator(".card.succeeded")).to_have_count(3, timeout=_SOON)
    yield "upscale-done"
    page.get_by_role("button", name="Compare").first.click()
    page.locator("dialog[data-state=open]").wait_for()
    yield "compare"
    page.get_by_role("button", name="Download in another format").click()
    page.locator("dialog.iu-downloads[open]").wait_for()
    yield "compare-download"
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    hand_in(page, damaged())
    page.get_by_role("button", name="Upscale 1 picture").click()
    expect(page.locator(".batch")).to_have_count(2, timeout=_SOON)
    service.worker.finish()
    expect(page.locator(".card.failed")).to_have_count(1, timeout=_SOON)
    yield "upscale-failed"


def history(page: Page, service: Serving) -> Iterator[str]:
    name = open_app(page, service, "history")
    yield "history-empty"
    for each in ("mountains.png", "portrait.png"):
        service.submit(name, each)
    service.worker.finish()
    service.submit(name, "sea.png")
    open_app(page, service, "history", name)
    entries = page.locator(".entry")
    expect(entries).to_have_count(3)
    yield "history"
    page.get_by_role("searchbox").fill("nothing of this name")
    expect(entries).to_have_count(0)
    yield "history-none-found"
    page.get_by_role("searchbox").fill("")
    expect(entries).to_have_count(3)
    entries.last.get_by_role("button", name="Open").click()
    yield "history-open"
    again = entries.last.get_by_role("button", name="Run again with other settings")
    again.click()
    page.get_by_role("dialog").wait_for()
    yield "history-again"
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    entries.last.get_by_role("button", name="Delete now").click()
    yield "history-deleting"
    entries.last.get_by_role("button", name="Delete 1 picture now").click()
    expect(entries.last).to_contain_text("receipts")
    yield "history-deleted"


def account(page: Page, service: Serving) -> Iterator[str]:
    open_app(page, service, "account")
    yield "account"
    page.locator("#token-name").fill("backup script")
    page.get_by_role("button", name="Make a token").click()
    page.get_by_label("The new token").wait_for()
    yield "account-token"
    page.get_by_role("tab", name="Policies").click()
    settled(page)
    yield "policies"


def office(page: Page, service: Serving) -> Iterator[str]:
    name = somebody()
    user_id = service.person(name)
    with service.service.store.writing() as rows:
        rows.execute(update(User).where(User.id == user_id).values(is_admin=True))
    open_app(page, service, "admin", name)
    expect(page.locator(".plot svg").first).to_be_visible()
    yield "admin"


def opening(page: Page, service: Serving) -> Iterator[str]:
    """Before Gradio has come: its scripts are empty."""
    page.route(
        "**/assets/*.js", lambda route: route.fulfill(body="", content_type="text/javascript")
    )
    service.sign_in(page, somebody())
    page.goto("/?tab=upscale")
    page.locator("#shell .wait").wait_for()
    yield "opening"


STORIES: tuple[Story, ...] = (
    landing,
    signing_in,
    policies,
    entering,
    upscaling,
    history,
    account,
    office,
    opening,
)
