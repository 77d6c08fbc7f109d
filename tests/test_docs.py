"""What the documents promise is there."""

import re
import subprocess
from pathlib import Path

import pytest

from app.__main__ import main
from app.settings import Settings
from inference import encoders, image_io
from inference.catalog import CATALOG
from inference.options import SCALES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_every_make_target_in_the_documents_exists_and_is_explained() -> None:
    made = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    explained = set(re.findall(r"^  make (\S+)", made.stdout, re.MULTILINE))
    documents = README + (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`?make ([a-z-]+)\b(?=`|$|\s+#)", documents, re.MULTILINE))

    assert {"install", "test", "bench", "help"} <= named <= explained


def test_every_listed_model_is_in_the_readme_with_its_scale_and_licence() -> None:
    for model in CATALOG:
        (row,) = re.findall(rf"^\| `{re.escape(model.name)}` .*$", README, re.MULTILINE)
        assert f"| {model.scale}× |" in row
        assert row.endswith(f"| {model.licence} |")


def test_the_numbers_in_the_readme_are_those_of_the_code() -> None:
    assert f"{image_io.DEFAULT_MAX_INPUT_PIXELS // 10**6} megapixels" in README
    assert f"result {image_io.DEFAULT_MAX_OUTPUT_PIXELS // 10**6};" in README
    assert f"{', '.join(map(str, SCALES[:-1]))} or {SCALES[-1]}" in README
    assert encoders.LONGEST_SIDE["webp"] == 16_383


@pytest.mark.parametrize(
    "line", re.findall(r"^python -m app (.+?)(?:\s+#.*)?$", README, re.MULTILINE)
)
def test_every_command_line_in_the_readme_is_understood(
    line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli_upscale.run", lambda args: 0)
    for name in ("_list", "_pull", "_add", "_remove", "_check"):
        monkeypatch.setattr(f"app.cli_models.{name}", lambda args: 0)
    monkeypatch.setattr("signal.signal", lambda *_: None)

    if "--help" in line:
        with pytest.raises(SystemExit, match="0"):
            main(line.split())
        assert "--scale" in capsys.readouterr().out
    else:
        assert main(line.split()) == 0


@pytest.mark.parametrize(
    "document", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda path: path.name
)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_every_module_that_the_contributing_page_names_exists() -> None:
    named = re.findall(r"`(\w+\.py)`", (ROOT / "CONTRIBUTING.md").read_text())

    assert len(named) > 10
    rooms = ("app", "pages", "inference", "tasks", "db")
    for name in named:
        assert any((ROOT / room / name).exists() for room in rooms), name


def test_every_setting_is_documented_with_its_default() -> None:
    service = (ROOT / "docs" / "service.md").read_text()
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \| `?([^`|]+?)`? \|", service, re.MULTILINE))

    def said(default: object) -> str:
        if default in (None, (), ""):
            return "none"
        return f"{default:g}" if isinstance(default, float) else str(default)

    assert documented == {
        name.upper(): said(field.default) for name, field in Settings.model_fields.items()
    }
