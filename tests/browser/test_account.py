"""The account, used as people use it: by mouse, by keyboard, on a phone."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from db import sessions, tokens
from tests.browser.conftest import OpenPage, Shots
from tests.browser.serving import Serving
from tests.browser.test_tabs import HOSTILE, Visit, visit

__all__ = ["visit"]

SECRET = re.compile("^iu_[0-9A-Za-z]{36}$")

Account = Callable[..., Page]


@pytest.fixture
def account(visit: Visit) -> Account:
    def account(name: str | None = None, **options: object) -> Page:
        page = visit("?tab=account", name, **options)
        expect(page.locator("#account .leaves")).to_be_visible()
        return page

    return account


def leaf(page: Page, title: str) -> Locator:
    return page.locator("#account .leaf", has=page.get_by_role("heading", name=title, exact=True))


def test_a_token_is_made_shown_once_and_revoked_by_keyboard_alone(
    account: Account, shots: Shots
) -> None:
    page = account()
    part = leaf(page, "Tokens")
    expect(part).to_contain_text("No program has a token yet.")
    part.get_by_label("Name").focus()
    page.keyboard.type("backup <b>script</b>")
    part.get_by_label("It may").select_option("only read")
    part.get_by_label("It works for").select_option("30 days")
    part.get_by_label("Name").press("Enter")

    secret = page.get_by_label("The new token")
    expect(secret).to_be_focused()
    expect(secret).to_have_value(SECRET)
    row = part.locator("li", has_text="backup <b>script</b>")
    expect(row).to_contain_text(re.compile(r"may only read · made today .* · never used · works"))
    assert secret.input_value() not in leaf(page, "How a program uses it").inner_text()
    shots(page, "account-token")
    page.get_by_role("button", name="Done").press("Enter")
    expect(secret).to_have_count(0)
    expect(part.get_by_label("Name")).to_be_focused()

    row.get_by_role("button", name="Revoke").press("Enter")
    now = row.get_by_role("button", name="Revoke now")
    expect(now).to_be_focused()
    row.get_by_role("button", name="Keep").press("Enter")
    expect(row.get_by_role("button", name="Revoke")).to_be_focused()
    page.keyboard.press("Enter")
    now.press("Enter")

    expect(row).to_have_count(0)
    expect(part.get_by_role("heading")).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="The token is revoked.")).to_have_count(1)


def test_what_is_copied_is_said_and_the_token_goes_where_it_is_wanted(
    account: Account, service: Serving
) -> None:
    page = account(permissions=["clipboard-read", "clipboard-write"])

    def copied(button: Locator, text: str) -> str:
        """What is in the clipboard once the button was pressed, and `text` is in that."""
        button.click()
        page.wait_for_function(
            "(text) => navigator.clipboard.readText().then((all) => all.includes(text))", arg=text
        )
        expect(button).to_have_text("Copied")
        expect(page.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
        return page.evaluate("navigator.clipboard.readText()")

    leaf(page, "Tokens").get_by_role("button", name="Make a token").click()
    value = page.get_by_label("The new token").input_value()
    copy = leaf(page, "Tokens").locator(".secret button")
    assert copied(copy.nth(0), value) == value
    assert copied(copy.nth(1), "export") == f"export TOKEN={value}"
    expect(copy.nth(0)).to_have_text("Copy")

    examples = leaf(page, "How a program uses it")
    examples.get_by_text("curl", exact=True).click()
    curl = copied(examples.get_by_role("button", name="Copy curl"), "curl")
    assert f"{service.settings.origin}/gradio_api/upload" in curl
    assert value not in curl


def test_a_token_that_is_over_says_so_and_can_be_removed(
    account: Account, service: Serving
) -> None:
    ada = service.person("over")
    tokens.create(service.service.store, ada, "last year's", lasts=timedelta(days=-1))
    page = account("over")

    row = leaf(page, "Tokens").locator("li", has_text="last year's")
    expect(row).to_contain_text("over since")
    row.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


def test_the_name_is_changed_everywhere_and_is_only_a_name(account: Account) -> None:
    page = account("Ada")
    page.on("dialog", lambda dialog: pytest.fail(f"it ran: {dialog.message}"))
    part = leaf(page, "You")
    name, save = part.get_by_label("Name"), part.get_by_role("button", name="Save")
    expect(name).to_have_value("Ada")
    expect(save).to_be_disabled()

    name.fill(HOSTILE)
    name.press("Enter")

    expect(page.locator(".bar .who")).to_have_text(HOSTILE)
    expect(page.get_by_role("status").filter(has_text="The name is saved.")).to_have_count(1)
    expect(save).to_be_disabled()
    page.reload()
    expect(page.locator(".bar .who")).to_have_text(HOSTILE)
    expect(part.get_by_label("Name")).to_have_value(HOSTILE)
    expect(part).to_contain_text("This server itself")


def test_another_browser_is_signed_out_and_this_one_stays(
    account: Account, service: Serving
) -> None:
    store = service.service.store
    device = sessions.Device("198.51.100.0/24", "firefox", "macos")
    other = sessions.begin(store, service.person("two"), device)
    page = account("two")
    part = leaf(page, "Signed in")
    expect(part.locator("li", has_text="this one")).to_contain_text("Chrome on Linux")
    row = part.locator("li", has_text="Firefox on macOS")
    expect(row).to_contain_text("from 198.51.100.0/24")

    row.get_by_role("button", name="Sign out").click()

    expect(row).to_have_count(0)
    expect(part.get_by_role("heading")).to_be_focused()
    assert sessions.find(store, other) is None
    expect(part.locator("li")).to_have_count(1)


def test_what_is_held_is_said_in_plain_words(account: Account, service: Serving) -> None:
    service.submit("held", "cat.png")
    page = account("held")

    part = leaf(page, "What is held about you")
    expect(part).to_contain_text("1 original, ")
    expect(part).to_contain_text("The oldest can be read for 47 h 59 min more.")
    expect(part).to_contain_text("1 batch, 1 picture")
    expect(part.get_by_role("link", name="privacy policy")).to_have_attribute(
        "href", "/privacy#section-7"
    )
    expect(leaf(page, "In use")).to_contain_text("1 of 200 unfinished pictures")
    expect(page.get_by_role("meter")).to_have_attribute("aria-valuenow", "1")


def test_without_an_answer_it_says_why_and_can_be_asked_again(
    service: Serving, open_page: OpenPage, expected_errors: list[str], shots: Shots
) -> None:
    expected_errors.append("net::ERR_FAILED .*/gradio_api/run/predict")
    page = open_page(base_url=service.settings.origin)
    service.sign_in(page, "offline")
    page.route("**/gradio_api/run/predict", lambda route: route.abort())
    page.goto("/?tab=account")
    alert = page.locator("#account").get_by_role("alert")
    expect(alert).to_contain_text("No connection to the server.")
    expect(page.locator("#account .leaves")).to_be_hidden()
    shots(page, "account-trouble")
    page.unroute("**/gradio_api/run/predict")

    alert.get_by_role("button", name="Try again").click()

    expect(leaf(page, "You")).to_be_visible()
    expect(alert).to_be_hidden()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_everything_fits_the_window(
    account: Account, service: Serving, shots: Shots, width: int, scheme: str
) -> None:
    name = f"wide-{width}-{scheme}"
    store, ada = service.service.store, service.person(name)
    tokens.create(store, ada, "n" * 80)
    tokens.create(store, ada, "over", lasts=timedelta(days=-1))
    sessions.begin(store, ada, sessions.Device("2001:db8:1::/48", "safari", "ios"))
    service.submit(name, "cat.png")
    phone = width < 500
    view = {"width": width, "height": 800}
    page = account(name, viewport=view, color_scheme=scheme, has_touch=phone)
    for summary in page.locator("#account summary").all():
        summary.click()
    leaf(page, "Tokens").get_by_role("button", name="Make a token").click()
    expect(page.get_by_label("The new token")).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = page.evaluate(
        """(least) => [...document.querySelectorAll("#account button, #account input, select")]
          .filter((each) => each.getClientRects().length && !each.closest(".snippet"))
          .map((each) => [each.textContent, each.getBoundingClientRect().height])
          .filter(([, height]) => height < least)""",
        40,
    )
    assert small == []
    shots(page.locator("#account"), f"account-{width}-{scheme}")
