"""The tab Admin, as admins use it, on weeks of history; and that nobody else has it."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from db.people import User
from tests import weeks
from tests.browser.conftest import OpenPage, Shots
from tests.browser.serving import Serving, serving

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, models_path: Path) -> Iterator[Serving]:
    with pytest.MonkeyPatch.context() as patch:
        # A service sends this process's temporary files into its data folder.
        patch.setattr(tempfile, "tempdir", None)
        patch.setenv("TMPDIR", tempfile.gettempdir())
        for name in ("ANALYTICS_ENABLED", "SHARE", "TEMP_DIR"):
            patch.setenv(f"GRADIO_{name}", "")  # to be as before, afterwards
        for name in ("OFFLINE", "DISABLE_TELEMETRY"):
            patch.setenv(f"HF_HUB_{name}", "1")
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


def test_an_admin_looks(visit: Visit, service: Serving, shots: Shots) -> None:
    page = visit()
    expect(page.get_by_text("No picture was handed in yet.")).to_be_visible(timeout=15_000)
    shots(page, "admin-empty")
    weeks.fill(service.service.store)
    for scheme in ("light", "dark"):
        for width in (1280, 390):
            page = visit(color_scheme=scheme, viewport={"width": width, "height": 900})
            expect(page.locator(".plot svg").first).to_be_visible(timeout=15_000)
            page.wait_for_timeout(600)
            height = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": width, "height": min(height, 6000)})
            page.wait_for_timeout(500)
            shots(page, f"admin-{width}-{scheme}")
