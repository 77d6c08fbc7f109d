"""The page about the API: its examples are run as they stand, and what it lists is there."""

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from app.settings import Settings
from db import errors as store_errors
from inference import errors as engine_errors
from pages import errors as page_errors
from pages import prose
from tasks import errors as task_errors
from tests.pages.conftest import api
from tests.pages.server import Serving
from tests.tasks.pictures import picture

__all__ = ["api"]

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "api.md"


def filled_in(settings: Settings) -> str:
    """The page's source with the service's own address and numbers, before it becomes HTML."""
    values = prose.values(settings)
    return re.sub(r"\{\{ (\w+) \}\}", lambda slot: str(values[slot[1]]), prose.source("api"))


def renew() -> None:
    DOCUMENT.write_text(filled_in(Settings()))


def examples(settings: Settings, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", filled_in(settings), re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where somebody tries the examples."""
    (tmp_path / "photo.jpg").write_bytes(picture(output_format="JPEG"))
    return tmp_path


@pytest.fixture
def environment(api: Serving, folder: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    return {
        "TOKEN": api.token(request.node.name),
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),
        "HF_HUB_OFFLINE": "1",
    }


def test_the_python_examples_work_one_after_the_other(
    api: Serving, folder: Path, environment: dict[str, str]
) -> None:
    blocks = examples(api.settings, "python")
    assert len(blocks) == 5

    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    said = iter(done.stdout.splitlines())
    assert any(line.endswith("/photo_4x_realesrgan-x4plus.png") for line in said)
    assert any(line.endswith("/photo_2x_realesr-animevideov3.webp") for line in said)
    assert next(said).startswith("photo.jpg succeeded /files/")
    assert "INVALID_OPTIONS | A scale of 5 is not offered." in done.stdout
    with zipfile.ZipFile(folder / "upscaled.zip") as archive:
        assert len(archive.namelist()) == 2


@pytest.fixture
def shell_examples(api: Serving) -> Iterator[str]:
    blocks = examples(api.settings, "sh")
    assert len(blocks) == 2
    return iter(blocks)


def test_the_curl_examples_work(
    shell_examples: Iterator[str], folder: Path, environment: dict[str, str]
) -> None:
    for block in shell_examples:
        done = subprocess.run(
            ["sh", "-euc", block],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "event: complete" in done.stdout
        assert "event: error" not in done.stdout

    with Image.open(folder / "photo_4x_realesr-animevideov3.png") as image:
        assert (image.format, image.size) == ("PNG", (96, 64))


def test_the_document_is_the_page_of_a_service_with_default_settings() -> None:
    """Two files, because one of them is read where nothing fills it in. To renew that one:
    `python -c 'import tests.app.test_api_docs as t; t.renew()'`
    """
    assert DOCUMENT.read_text() == filled_in(Settings())


def test_every_code_on_the_page_exists() -> None:
    table = prose.source("api").partition("## Errors")[2]
    named = set(re.findall(r"`([A-Z_]+)`", table))
    kinds = (
        kind
        for module in (store_errors, engine_errors, task_errors, page_errors)
        for kind in vars(module).values()
    )
    known = {getattr(kind, "code", None) for kind in kinds}

    assert len(named) > 15
    # Not types: a limit's own error, and the answer to what nobody thought of.
    assert named - known == {"FILE_SIZE_EXCEEDED", "INTERNAL_ERROR"}
