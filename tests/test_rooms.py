"""Who may import whom, and what stays out of a light process."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def imported_by(statement: str) -> set[str]:
    """The modules that are loaded after a statement in a fresh interpreter."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_imports_go_in_one_direction_only() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "module", ["catalog", "image_io", "errors", "options", "pyramid", "scaling"]
)
def test_what_limits_and_previews_need_is_imported_without_torch(module: str) -> None:
    assert "torch" not in imported_by(f"import inference.{module}")


def test_the_command_line_answers_without_torch() -> None:
    assert "torch" not in imported_by("import app.__main__")


def test_the_web_process_is_imported_without_torch() -> None:
    loaded = imported_by("import app.server, app.main")

    assert "gradio" in loaded
    assert "torch" not in loaded


def test_worker_and_scheduler_are_imported_without_any_web_library() -> None:
    loaded = imported_by("import app.__main__, tasks.worker, tasks.scheduler, inference.engine")

    assert loaded.isdisjoint({"gradio", "fastapi", "starlette", "authlib", "uvicorn"})


def test_the_engine_is_imported_without_torchvision_and_without_any_web_library() -> None:
    loaded = imported_by("import inference.engine")

    assert "torch" in loaded
    assert loaded.isdisjoint({"torchvision", "gradio", "fastapi", "sqlalchemy", "huey"})


def test_a_network_is_loaded_without_torchs_compiler() -> None:
    """Its import takes longer than torch's own."""
    loading = (
        "import torch; from inference.shelf import Shelf; "
        "from tests.inference.networks import esrgan; "
        "from tests.inference.test_engine import RandomStore; "
        "Shelf(RandomStore(net=esrgan()), 'cpu', 0).network('net', 'auto')"
    )

    assert "torch._dynamo" not in imported_by(loading)


def test_the_stand_in_for_torchvision_does_not_outlive_spandrels_import() -> None:
    statement = (
        "import inference.spandrel_import, importlib.util as u; u.find_spec('torchvision').origin"
    )

    assert "torchvision.transforms.functional" not in imported_by(statement)


def test_networks_that_need_torchvision_find_the_real_one_or_say_what_is_missing() -> None:
    """Where torch and torchvision are builds of one kind this works; elsewhere it must not lie."""
    code = (
        "from inference.spandrel_import import spandrel\n"
        "import spandrel.architectures.RestoreFormer as r, torch\n"
        "try:\n"
        "    print(r.tv_normalize(torch.ones(3, 2, 2), (0.5,) * 3, (0.5,) * 3).mean().item())\n"
        "except RuntimeError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "1.0" or "torchvision::" in done.stdout


def test_no_module_grows_beyond_what_one_idea_needs() -> None:
    """A nudge to look whether a file holds two ideas; raise the number when it does not."""
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for room in ("app", "db", "inference", "pages", "tasks")
        for path in (ROOT / room).rglob("*.py")
        if "versions" not in path.parts  # migrations are written once, by a program
        and path.name != "texts.py"  # one idea, however many words
    }

    assert {name: length for name, length in lengths.items() if length > 350} == {}
