"""axe-core finds nothing wrong with any page in any state, light and dark, signed out and in.

The states are those of `states.py`. axe's rules for good practice count as well.
"""

from importlib.resources import files

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage
from tests.browser.serving import Serving
from tests.browser.states import STORIES, Story, in_scheme

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
LOOK = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`));
}"""


def faults(page: Page, state: str) -> list[str]:
    """What axe says of the page in both schemes."""
    found: list[str] = []
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    for scheme in ("light", "dark"):
        in_scheme(page, scheme)
        found += [f"{state}, {scheme}: {each}" for each in page.evaluate(LOOK)]
    return found


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_axe_finds_nothing(
    story: Story, service: Serving, open_page: OpenPage, expected_errors: list[str]
) -> None:
    expected_errors.append("status of 404 .*/nothing-here")
    page = open_page(base_url=service.settings.origin, reduced_motion="reduce")
    found = [fault for state in story(page, service) for fault in faults(page, state)]

    assert not found, "\n".join(found)
