"""Gradio's page on its way out; everything else goes through as it is."""

import pytest
from starlette.testclient import TestClient

from app.first_paint import FirstPaint
from app.gate import LOOK
from app.gate_rules import Look
from tests.pages.test_shell import TEMPLATE

PAGE = TEMPLATE.read_bytes()


def client(look: Look, status: int = 200) -> TestClient:
    async def app(scope, receive, send):
        headers = [(b"content-type", b"text/html"), (b"content-length", b"%d" % len(PAGE))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE[:100], "more_body": True})
        await send({"type": "http.response.body", "body": PAGE[100:]})

    async def gated(scope, receive, send):
        scope["state"] = {LOOK: look}
        await FirstPaint(app)(scope, receive, send)

    return TestClient(gated)


def test_gradios_page_gets_the_shell_with_the_tab_of_its_address() -> None:
    answer = client(Look.GRADIO).get("/?tab=account")

    assert '<span class="chosen">Account</span>' in answer.text.replace("=chosen", '="chosen"')
    assert answer.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in answer.headers["vary"].lower()


def test_who_cannot_read_gzip_gets_it_plain() -> None:
    answer = client(Look.GRADIO).get("/", headers={"accept-encoding": "identity"})

    assert "content-encoding" not in answer.headers
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert 'id="shell"' in answer.text


@pytest.mark.parametrize(
    ("look", "status"), [(Look.PAGE, 200), (Look.FILE, 200), (Look.GRADIO, 500)]
)
def test_everything_else_goes_through_untouched(look: Look, status: int) -> None:
    answer = client(look, status).get("/")

    assert answer.content == PAGE
    assert "content-encoding" not in answer.headers


def test_nothing_that_was_sent_is_in_the_page() -> None:
    """Its size would tell of what it is compressed with."""
    pages = [
        client(Look.GRADIO).get(f"/?tab=upscale&x={word}").content for word in ("aaaa", "zqxj")
    ]

    assert pages[0] == pages[1]
