"""Only what is the same for everybody is compressed."""

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from app.compressing import Compressing

WORDS = b"the same for everybody " * 100


def asked(path: str, **headers: str) -> Response:
    async def app(scope, receive, send):
        await Response(WORDS, media_type="text/plain")(scope, receive, send)

    return TestClient(Compressing(app)).get(path, headers=headers)


@pytest.mark.parametrize(
    "path", ["/ui/app.css", "/ui/vendor/x/y.js", "/ui/mark.svg", "/landing", "/privacy", "/api"]
)
def test_what_is_public_and_text_is_compressed(path: str) -> None:
    answer = asked(path)

    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == WORDS


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/login", "/welcome", "/live", "/config", "/apiary", "/batches/a/download"),
        *(
            "/gradio_api/run/predict",
            "/files/a/b.svg",
            "/ui/pictures/cat.webp",
            "/ui/fonts/a.woff2",
        ),
    ],
)
def test_nothing_of_anybodys_is_compressed(path: str) -> None:
    assert "content-encoding" not in asked(path).headers


def test_who_cannot_read_it_gets_it_plain() -> None:
    assert "content-encoding" not in asked("/ui/app.css", **{"accept-encoding": "identity"}).headers


def test_fonts_are_kept_and_everything_else_of_ours_is_asked_for_again() -> None:
    assert asked("/ui/fonts/a.woff2").headers["cache-control"] == "public, max-age=2592000"
    assert asked("/ui/app.css").headers["cache-control"] == "no-cache"
    assert "cache-control" not in asked("/live").headers
