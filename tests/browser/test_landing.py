"""The landing page in a browser: the slider by keyboard, and all of it without JavaScript."""

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, Shots
from tests.browser.serving import Serving


def test_the_slider_follows_the_keyboard(service: Serving, open_page: OpenPage) -> None:
    page = open_page(base_url=service.settings.origin)
    page.goto("/")
    slider = page.get_by_role("slider")
    expect(slider).to_have_count(1)
    assert cut(page) == "50%"

    slider.focus()
    page.keyboard.press("ArrowLeft")

    assert cut(page) == "49%"
    expect(slider).to_have_attribute("aria-valuetext", "49 percent")
    page.keyboard.press("End")
    assert cut(page) == "100%"
    page.keyboard.press("Home")
    assert cut(page) == "0%"


def test_another_sample_is_chosen_with_the_keyboard(service: Serving, open_page: OpenPage) -> None:
    page = open_page(base_url=service.settings.origin)
    page.goto("/")
    page.get_by_role("radio", name="Fur").focus()

    page.keyboard.press("ArrowLeft")

    expect(page.get_by_role("radio", name="Drawing")).to_be_checked()
    seen = page.locator(".sample:visible")
    expect(seen).to_have_attribute("data-sample", "drawing")
    for image in seen.locator("img").all():
        expect(image).to_have_js_property("naturalWidth", natural_width(image))


def test_without_javascript_the_pictures_and_the_way_in_are_there(
    service: Serving, open_page: OpenPage, shots: Shots
) -> None:
    page = open_page(base_url=service.settings.origin, java_script_enabled=False)
    page.goto("/")

    expect(page.get_by_role("slider")).to_have_count(0)
    for alt in ("A cat's face, upscaled", "The same face before"):
        expect(page.get_by_role("img", name=alt)).to_be_visible()
    page.get_by_role("radio", name="Steel").check()
    expect(page.get_by_role("img", name="A rocket on its pad")).to_be_visible()
    expect(page.get_by_text("225 × 150").locator("visible=true").first).to_be_visible()
    for number in ("48:00 hours", "72:00 hours"):
        expect(page.get_by_text(number)).to_be_visible()
    shots(page, "landing-without-javascript")

    page.get_by_role("button", name="Sign in on this machine").click()
    expect(page).to_have_url(f"{service.settings.origin}/welcome")


def cut(page) -> str:
    return page.locator("[data-sample=cat] .compare").evaluate(
        "element => element.style.getPropertyValue('--cut')"
    )


def natural_width(image) -> int:
    return 900 if "after" in image.get_attribute("src") else 225
