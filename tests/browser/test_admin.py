"""The tab Admin, as admins use it, on weeks of history; and that nobody else has it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect
from safetensors.numpy import save
from sqlalchemy import update

from db.people import User
from tests import weeks
from tests.browser.conftest import OpenPage, Shots
from tests.browser.serving import Serving, serving
from tests.inference.ncnn_writer import compact_state

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, models_path: Path) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("office")
    models = folder / "models"
    models.mkdir()
    for model in models_path.glob("*.safetensors"):
        (models / model.name).hardlink_to(model)
    with serving(folder, models) as service:
        yield service


@pytest.fixture
def visit(service: Serving, open_page: OpenPage) -> Visit:
    """`visit("?tab=admin", admin=True)` opens the page for somebody new."""

    def visit(query: str = "?tab=admin", *, admin: bool = True, **options: object) -> Page:
        page = open_page(base_url=service.settings.origin, **options)
        user_id = service.sign_in(page, f"ada-{uuid4().hex}")
        with service.service.store.writing() as rows:
            rows.execute(update(User).where(User.id == user_id).values(is_admin=admin))
        page.goto(f"/{query}")
        page.locator("body[data-opened]").wait_for(state="attached", timeout=30_000)
        return page

    return visit


def leave_and_come_back(page: Page) -> None:
    page.get_by_role("tab", name="Account").click()
    page.get_by_role("tab", name="Admin").click()


def photograph(page: Page, shots: Shots, name: str) -> None:
    """As high as it is, on a desk and in a hand, by day and by night."""
    for width in (1280, 390):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            height = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": width, "height": height})
            canvas = page.locator(".plot.wide .canvas").first
            expect(canvas.locator("svg")).to_have_attribute(
                "width", str(canvas.evaluate("element => Math.round(element.clientWidth)"))
            )
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            shots(page, f"{name}-{width}-{scheme}")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 800})


def test_an_admin_sees_how_the_service_does(visit: Visit, service: Serving, shots: Shots) -> None:
    page = visit()
    expect(page.get_by_text("No picture was handed in yet.")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("Nothing is stored.")).to_be_visible()
    # Nothing but that somebody has signed in.
    expect(page.locator(".plot svg:visible")).to_have_count(1)
    shots(page, "admin-empty")

    weeks.fill(service.service.store)
    leave_and_come_back(page)

    about = page.locator(".plot .about")
    expect(about.first).to_contain_text("handed in:", timeout=15_000)
    plot = page.get_by_role("img", name="Pictures", exact=True)
    expect(plot).to_be_visible()
    expect(plot).to_have_accessible_description(re.compile("handed in: .* done, .* failed"))
    expect(page.locator(".tile", has_text="Waiting")).to_contain_text("3")
    expect(page.locator("progress").first).to_have_attribute("value", "42")
    expect(page.locator(".deeds li").first).to_contain_text("Another admin")
    assert weeks.NAME not in page.content()
    photograph(page, shots, "admin")

    # Each plot as a table, by keyboard.
    page.locator(".plot summary").first.focus()
    page.keyboard.press("Enter")
    rows = page.locator(".plot table").first.locator("tbody tr")
    expect(rows).to_have_count(30)
    expect(rows.first.locator("th")).to_be_visible()
    # And a day by pointer.
    plot.locator(".column").nth(20).hover()
    expect(about.first).to_contain_text(re.compile(r"^\d+ \w+: \d+ handed in"))


def test_an_admin_adds_and_removes_a_model(
    visit: Visit, shots: Shots, expected_errors: list[str]
) -> None:
    page = visit()
    choose = page.get_by_label("File", exact=True)
    name = page.get_by_label("Name", exact=True)
    choose.set_input_files({"name": "my net.pt", "mimeType": "", "buffer": b"PK"})
    expect(name).to_have_value("my-net")
    page.get_by_role("button", name="Add the model").click()
    expect(page.get_by_role("alert").locator("visible=true")).to_contain_text(
        ".safetensors, .pth, .ckpt"
    )

    network = {"name": "my net.safetensors", "mimeType": "", "buffer": save(compact_state())}
    choose.set_input_files(network)
    page.get_by_role("button", name="Add the model").click()
    task = page.get_by_role("status").locator("visible=true").filter(has_text="my-net")
    expect(task).to_contain_text("my-net is installed.", timeout=90_000)
    shots(page, "admin-added")
    page.reload()
    # Still told after a reload, and there to be chosen.
    expect(task).to_contain_text("my-net is installed.", timeout=30_000)
    page.get_by_role("tab", name="Upscale").click()
    expect(page.get_by_text("my-net", exact=True).locator("visible=true").first).to_be_visible()
    page.get_by_role("tab", name="Admin").click()

    page.get_by_role("button", name="Remove my-net").click()
    page.get_by_role("button", name="Keep my-net").click()
    page.get_by_role("button", name="Remove my-net").click()
    page.get_by_role("button", name="Remove now my-net").click()
    expect(task).to_contain_text("my-net is removed.", timeout=60_000)
    expect(page.locator("ul.models").get_by_text("my-net")).to_have_count(0)
    deeds = page.locator(".deeds li span")
    expect(deeds.first).to_have_text("You removed the model my-net")
    expect(deeds.nth(1)).to_have_text("You added the model my-net")

    # When the server is away, what was there stays, and the reason is told.
    expected_errors.append("ERR_CONNECTION|ERR_FAILED|Failed to load")
    page.route("**/run/predict", lambda route: route.abort())
    leave_and_come_back(page)
    trouble = page.locator("#admin .trouble", has_text="No connection to the server.")
    expect(trouble).to_be_visible()
    expect(page.locator(".models li").first).to_be_visible()


def test_nobody_else_has_the_tab(visit: Visit) -> None:
    page = visit("?tab=admin", admin=False)

    expect(page.get_by_role("tab", name="Upscale")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tab", name="Admin")).to_have_count(0)
    expect(page.locator("#admin")).to_have_count(0)
