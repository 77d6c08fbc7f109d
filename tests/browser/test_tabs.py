"""The page of who is signed in, used as people use it: in Chromium, on real pictures."""

import io
import json
import re
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from PIL import Image
from playwright.sync_api import Page, Request, Route, expect

from db import history
from tests.browser.conftest import OpenPage, Shots
from tests.browser.serving import Serving
from tests.tasks.pictures import PHOTOS, picture

HOSTILE = "`${alert(1)}` {{name}} <img src=x onerror=alert(1)>.png"

Visit = Callable[..., Page]


@pytest.fixture
def visit(service: Serving, open_page: OpenPage) -> Visit:
    """`visit("?tab=history", viewport=…)` opens the page for somebody new, signed in."""

    def visit(query: str = "", name: str | None = None, **options: object) -> Page:
        page = open_page(base_url=service.settings.origin, **options)
        service.sign_in(page, name or f"ada-{uuid4().hex}")
        page.goto(f"/{query}")
        page.locator("body[data-opened] #deed .press").wait_for(state="attached", timeout=30_000)
        return page

    return visit


@pytest.fixture
def at_work(service: Serving) -> Iterator[None]:
    service.worker.work()
    yield
    service.worker.rest()


def file(name: str = "cat.png", data: bytes | None = None) -> dict[str, object]:
    kind = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}.get(name[-3:], "")
    return {"name": name, "mimeType": kind, "buffer": data or picture()}


def lay(page: Page, *files: dict[str, object]) -> None:
    """Choose files, as through the dialog."""
    page.locator("#upscale input[type=file]").set_input_files(list(files))
    cards = page.locator(".draft .card")
    expect(cards).to_have_count(len(files))
    expect(page.get_by_text("looking at it")).to_have_count(0)


def choose(page: Page, *choices: str) -> None:
    for choice in choices:
        page.get_by_role("radio", name=choice, exact=True).check()


def upscale(page: Page, *files: dict[str, object], model: str = "Anime video, fastest") -> None:
    lay(page, *files)
    choose(page, model, "2×")
    page.get_by_role("button", name="Upscale").click()
    expect(page.locator(".batch .card")).to_have_count(len(files), timeout=20_000)


def turned(data: bytes) -> bytes:
    """The same picture, to be seen turned by a quarter."""
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(data)) as photo:
        photo.save(stream, "JPEG", exif=exif)
    return stream.getvalue()


def test_pictures_are_looked_at_and_judged_without_being_sent(visit: Visit) -> None:
    page = visit()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.url} {request.post_data}"))
    huge = io.BytesIO()
    Image.new("1", (13_000, 13_000)).save(huge, "PNG")

    lay(
        page,
        file(),
        file("turned.jpg", turned(picture(24, 16, "JPEG"))),
        file("huge.png", huge.getvalue()),
        file("notes.png", b"no picture at all"),
    )

    cards = page.locator(".draft .card")
    expect(cards.nth(0).locator(".size")).to_have_text("24 × 16→96 × 64")
    expect(cards.nth(1).locator(".size")).to_have_text("16 × 24→64 × 96")
    expect(cards.nth(2)).to_contain_text("169 megapixels; 25 is the most that is accepted here.")
    expect(cards.nth(3)).to_contain_text("This is not a PNG, JPEG or WebP picture.")
    expect(page.get_by_role("button", name="Upscale 2 pictures")).to_be_enabled()

    choose(page, "8×")

    expect(cards.nth(0).locator(".size")).to_have_text("24 × 16→192 × 128")
    assert not [request for request in sent if "upload" in request or "turned" in request]

    for _ in range(2):
        page.get_by_role("button", name="Remove").first.click()
    expect(page.get_by_role("button", name="Upscale")).to_be_disabled()


def test_pictures_come_by_paste_and_by_drop(visit: Visit) -> None:
    page = visit()
    expect(page.get_by_text("Drop pictures here")).to_be_visible()
    page.evaluate(
        """async () => {
          const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 30 });
          const blob = await new Promise((resolve) => canvas.toBlob(resolve));
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([blob], "image.png", { type: "image/png" }));
          const bubbles = true;
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles }));
          const drop = { dataTransfer: clipboardData, bubbles, cancelable: true };
          if (document.body.dispatchEvent(new DragEvent("drop", drop))) {
            throw new Error("the picture would replace the page");
          }
        }"""
    )

    expect(page.locator(".draft .card")).to_have_count(2)
    expect(page.locator(".draft .card .size").first).to_have_text("40 × 30→160 × 120")


@pytest.mark.usefixtures("at_work")
def test_the_way_of_two_pictures(visit: Visit, shots: Shots) -> None:
    page = visit()
    with Image.open(PHOTOS / "chelsea.png") as photo:
        stream = io.BytesIO()
        photo.convert("RGB").save(stream, "PNG")
    upscale(page, file("cat.png", stream.getvalue()), file(HOSTILE))

    done = page.locator(".batch .card.succeeded")
    expect(done).to_have_count(2, timeout=60_000)
    expect(done.nth(1)).to_contain_text(HOSTILE)
    expect(done.nth(1)).to_contain_text(re.compile(r"done in \d+ s · readable for 47 h 59 min"))
    shots(page, "upscale-done")

    with page.expect_download() as download:
        done.nth(0).get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "cat_2x_realesr-animevideov3.png"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all (ZIP)").click()
    assert download.value.suggested_filename.endswith(".zip")

    done.nth(0).get_by_role("button", name="Compare").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("cat.png")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    page.reload()
    expect(done).to_have_count(2)
    expect(done.nth(0).locator("img")).to_have_js_property("complete", True)
    assert done.nth(0).locator("img").evaluate("image => image.naturalWidth") > 0


def test_a_reload_in_the_middle_shows_the_batch_again(service: Serving, visit: Visit) -> None:
    service.worker.finish()  # or others would come first
    page = visit()
    upscale(page, file("one.png"), file("two.png"))
    expect(page.locator(".batch .card .note")).to_have_text(["next", "second in the queue"])

    page.reload()
    expect(page.locator(".batch .card .note")).to_have_text(["next", "second in the queue"])

    page.get_by_role("button", name="Cancel two.png").click()
    expect(page.locator(".batch .card .note")).to_have_text(["next", "canceled"])
    service.worker.work()
    expect(page.locator(".batch .card.succeeded")).to_have_count(1, timeout=60_000)
    service.worker.rest()


def test_a_press_whose_answer_is_lost_is_repeated_without_harm(
    service: Serving, visit: Visit, expected_errors: list[str]
) -> None:
    expected_errors.append("net::ERR_FAILED .*/gradio_api/run/predict")
    # The uploads are gone with the first press, and are sent again.
    expected_errors.append("status of 404 .*/gradio_api/run/predict")
    name = f"ada-{uuid4().hex}"
    page = visit(name=name)
    lay(page, file())
    lost: list[Request] = []

    def lose_the_first(route: Route) -> None:
        if lost:
            return route.continue_()
        lost.append(route.request)
        route.fetch()
        return route.abort()

    page.route("**/gradio_api/run/predict", lose_the_first)
    page.get_by_role("button", name="Upscale 1 picture").click()
    expect(page.get_by_role("alert")).to_have_text(
        "No connection to the server. Nothing is lost: try again."
    )
    expect(page.locator(".draft .card")).to_have_count(1)

    page.get_by_role("button", name="Upscale 1 picture").click()

    expect(page.locator(".draft .card")).to_have_count(0)
    expect(page.locator(".batch .card")).to_have_count(1)
    assert len(history.page(service.service.store, service.person(name)).items) == 1


def test_a_lost_connection_is_said_and_found_again(
    visit: Visit, expected_errors: list[str]
) -> None:
    expected_errors.append("net::ERR_INTERNET_DISCONNECTED")
    page = visit()
    upscale(page, file())
    lay(page, file("still here.png"))

    page.context.set_offline(True)
    sentence = page.get_by_text("No connection to the server; trying again.")
    expect(sentence).to_be_visible()
    page.context.set_offline(False)

    expect(sentence).to_be_hidden()
    expect(page.locator(".draft .card")).to_contain_text("still here.png")


def test_who_is_signed_out_meanwhile_is_told(visit: Visit, expected_errors: list[str]) -> None:
    expected_errors.append("status of 401")
    page = visit()
    upscale(page, file())

    page.context.clear_cookies()

    expect(page.get_by_text("You are signed out.")).to_be_visible()
    expect(page.get_by_role("link", name="Sign in again")).to_have_attribute("href", "/login")


@pytest.mark.usefixtures("at_work")
def test_the_history_shows_a_batch_and_deletes_it(visit: Visit, shots: Shots) -> None:
    page = visit()
    upscale(page, file(HOSTILE))
    expect(page.locator(".batch .card.succeeded")).to_have_count(1, timeout=60_000)

    page.get_by_role("tab", name="History").click()
    entry = page.locator(".entry")
    expect(entry).to_have_count(1)
    expect(entry.locator(".line b")).to_have_text(f"{HOSTILE}, 2×")
    expect(entry).to_contain_text("readable for 47 h 59 min")
    assert page.url.endswith("/?tab=history")
    entry.get_by_role("button", name="Open").click()
    expect(entry.locator(".picture")).to_contain_text("24 × 16, 1 kB → 48 × 32".replace(" ", " "))
    shots(page, "history-open")

    entry.get_by_role("button", name="Delete now").click()
    entry.get_by_role("button", name="Keep").click()
    entry.get_by_role("button", name="Delete now").click()
    entry.get_by_role("button", name="Delete 1 picture now").click()

    expect(entry.locator(".receipts li")).to_have_count(4)
    expect(entry).to_contain_text("4 receipts")
    expect(entry.get_by_role("link", name="Download")).to_have_count(0)
    page.reload()
    expect(entry).to_contain_text("4 receipts")
    page.get_by_role("tab", name="Upscale").click()
    expect(page.locator(".batch .card .note")).to_contain_text("deleted")


def test_the_history_goes_back_page_by_page(service: Serving, visit: Visit) -> None:
    name = f"ada-{uuid4().hex}"
    page = visit(name=name)
    for number in range(3):
        service.submit(name, f"{number}.png")
    # The page asks for 20 at a time; two are enough to see it go on.
    page.route("**/gradio_api/run/predict", _two_at_a_time)

    page.get_by_role("tab", name="History").click()
    titles = page.locator(".entry .line b")
    expect(titles).to_have_text(["2.png, 4×", "1.png, 4×"])
    page.get_by_role("button", name="Show more").click()

    expect(titles).to_have_text(["2.png, 4×", "1.png, 4×", "0.png, 4×"])
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()


def _two_at_a_time(route: Route) -> None:
    body = json.loads(route.request.post_data or "{}")
    for asked in body["data"]:
        if asked["act"] == "page":
            asked["what"]["limit"] = 2
    route.continue_(post_data=json.dumps(body))


@pytest.mark.parametrize("tab", ["upscale", "history", "account", "policies"])
def test_an_address_opens_its_tab(visit: Visit, tab: str) -> None:
    page = visit(f"?tab={tab}")

    expect(page.locator("[role=tab].selected")).to_have_attribute("data-tab-id", tab)
    assert page.url.endswith(f"/?tab={tab}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_tab_fits_the_window(visit: Visit, shots: Shots, width: int, scheme: str) -> None:
    page = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    for tab in ("Upscale", "History", "Account", "Policies"):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        expect(page.locator(".part[aria-busy]:visible")).to_have_count(0)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{tab} is {wide} pixels wide"
        shots(page, f"{tab.lower()}-{width}-{scheme}")


def test_on_a_phone_the_rail_opens_from_the_bottom(visit: Visit, shots: Shots) -> None:
    page = visit(viewport={"width": 390, "height": 780}, has_touch=True)
    press = page.locator("#deed .press")
    expect(press).to_be_in_viewport()
    expect(page.locator("#model")).to_be_hidden()

    page.get_by_role("button", name="Change").tap()

    expect(page.locator("#model")).to_be_visible()
    expect(press).to_be_in_viewport()
    shots(page, "rail-open-390")


def test_choices_are_made_with_the_arrow_keys(visit: Visit) -> None:
    page = visit()
    lay(page, file())
    page.locator("#scale input").nth(2).focus()
    page.keyboard.press("ArrowRight")

    expect(page.locator(".draft .size")).to_have_text("24 × 16→192 × 128")


def test_a_name_with_code_in_it_is_only_a_name(service: Serving, open_page: OpenPage) -> None:
    page = open_page(base_url=service.settings.origin)
    service.sign_in(page, HOSTILE)
    page.on("dialog", lambda dialog: pytest.fail(f"it ran: {dialog.message}"))
    page.goto("/")

    expect(page.locator(".bar .who")).to_have_text(HOSTILE)
