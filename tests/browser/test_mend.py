"""What plain Gradio does wrong for the keyboard and for screen readers is mended in the page."""

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.serving import Serving
from tests.browser.states import open_app


def test_tabs_are_walked_with_the_arrow_keys(service: Serving, open_page: OpenPage) -> None:
    page = open_page(base_url=service.settings.origin)
    open_app(page, service, "upscale")
    chosen = page.get_by_role("tab", selected=True)
    chosen.focus()

    page.keyboard.press("ArrowRight")
    expect(chosen).to_have_text("History")
    expect(chosen).to_be_focused()
    page.keyboard.press("End")
    expect(chosen).to_have_text("Policies")
    page.keyboard.press("ArrowRight")
    expect(chosen).to_have_text("Upscale")
    expect(page.locator("#tabs [role=tab][tabindex='0']")).to_have_count(1)


def test_a_tab_and_its_panel_know_each_other(service: Serving, open_page: OpenPage) -> None:
    page = open_page(base_url=service.settings.origin)
    open_app(page, service, "upscale")

    for name in ("Upscale", "Account", "History"):
        tab = page.get_by_role("tab", name=name)
        tab.click()
        expect(tab).to_have_attribute("aria-controls", f"panel-{name.lower()}")
        panel = page.get_by_role("tabpanel", name=name)
        expect(panel).to_be_visible()
        expect(panel).to_have_id(f"panel-{name.lower()}")


def test_the_shell_is_seen_until_gradio_has_come(
    service: Serving, open_page: OpenPage, expected_errors: list[str]
) -> None:
    page = open_page(base_url=service.settings.origin)
    held = hold_gradio(page)
    service.sign_in(page, "Ada#shell")
    page.goto("/?tab=account", wait_until="commit")

    expect(page.get_by_text("Opening the page")).to_be_visible()
    expect(page.locator("#shell .chosen")).to_have_text("Account")
    expect(page).to_have_title("ImagesUpscaler")
    held.pop()()

    expect(page.get_by_role("tab", name="Account")).to_be_visible(timeout=30_000)
    expect(page.locator("#shell")).to_have_count(0)


def hold_gradio(page: Page) -> list:
    """The first script of Gradio's waits until what is returned is called."""
    waiting = []
    page.route(
        re.compile(r"/assets/index-[\w-]+\.js"), lambda route: waiting.append(route.continue_)
    )
    return waiting
