"""What the server writes around Gradio's page, as the installed Gradio makes it."""

import re
from pathlib import Path

import gradio
import pytest

from pages.shell import furnish
from pages.tabs import Tab
from pages.theme import SHEETS
from tests.pages.documents import Document

STATIC = Path(__file__).parents[2] / "pages" / "static"
TEMPLATE = Path(gradio.__file__).parent / "templates" / "frontend" / "index.html"


@pytest.fixture
def page() -> str:
    return TEMPLATE.read_text(encoding="utf-8")


def test_the_page_has_our_name_and_nothing_of_gradios(page: str) -> None:
    made = furnish(page, Tab.UPSCALE)
    document = Document(made)

    assert document.text_of("title") == "ImagesUpscaler"
    assert document.meta("description")
    assert "og:" not in made
    assert "twitter:" not in made
    assert "gradio-app/gradio" not in made
    assert "iframeResizer.contentWindow" not in made
    manifests = [link["href"] for link in document.all("link") if link["rel"] == "manifest"]
    assert manifests == ["/manifest.json"]


def test_what_gradio_needs_is_left_as_it_was(page: str) -> None:
    made = furnish(page, Tab.UPSCALE)

    for needed in (
        "window.gradio_config = ",
        "window.gradio_api_info = ",
        '__gradio_mode__ = "app"',
        re.search(r"\./assets/index-[\w-]+\.js", page)[0],
        "<gradio-app",
    ):
        assert made.count(needed) == page.count(needed) == 1, needed


def test_the_shell_shows_the_tab_that_was_asked_for(page: str) -> None:
    made = furnish(page, Tab.HISTORY)

    assert re.findall(r'<span class="?chosen"?>(\w+)</span>', made) == ["History"]
    assert made.index('id="shell"') < made.index("<gradio-app")


def test_nobody_sees_the_tab_of_admins_but_who_asks_for_it(page: str) -> None:
    assert Tab.ADMIN.label not in furnish(page, Tab.UPSCALE)
    assert Tab.ADMIN.label in furnish(page, Tab.ADMIN)


def test_all_style_sheets_are_asked_for_at_once(page: str) -> None:
    links = Document(furnish(page, Tab.UPSCALE)).all("link")
    asked = {link["href"].removeprefix("/ui/") for link in links if link["href"].endswith(".css")}

    assert {f"{sheet}.css" for sheet in SHEETS} <= asked
    assert all((STATIC / sheet).is_file() for sheet in asked if not sheet.startswith("./"))


@pytest.mark.parametrize(
    "lost", ["<gradio-app", "<style>", 'rel="manifest"', "<meta", "const root"]
)
def test_a_gradio_whose_page_is_another_one_is_noticed(page: str, lost: str) -> None:
    with pytest.raises(ValueError, match="has changed"):
        furnish(page.replace(lost, ""), Tab.UPSCALE)
