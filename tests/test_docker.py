"""The Dockerfile's own commands, in a clean virtual environment and folder.

No container engine is asked for. The commands are read out of the Dockerfile, so they cannot differ
from it; the folder holds exactly the files that would be copied.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import venv
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def stages() -> dict[str, list[tuple[str, str]]]:
    """Instructions by stage, those of the stages it is built from first."""
    lines = re.sub(r"\\\n", "", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
    found: dict[str, list[tuple[str, str]]] = {"": []}
    name = ""
    for line in filter(None, map(str.strip, lines.splitlines())):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            base, _, name = rest.partition(" AS ")
            found[name] = list(found.get(base, []))
        else:
            found[name].append((instruction, rest))
    return found


def copied(destination: Path) -> None:
    """Copy what .dockerignore lets through: it ignores everything and names what is wanted."""
    wanted = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    for name in wanted:
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, destination / name, ignore=ignore)
        else:
            shutil.copy(source, destination / name)


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_a_target_runs_as_user_1000_with_its_data_in_a_volume(target: str) -> None:
    instructions = stages()[target]

    assert ("USER", "user") in instructions
    assert any("useradd" in rest and "--uid 1000" in rest for _, rest in instructions)
    assert ("ENV", "DATA_DIR=/data") in instructions
    assert any(
        rest.startswith("TORCH_INDEX=https://") for kind, rest in instructions if kind == "ARG"
    )


def test_a_build_without_a_target_is_the_one_for_the_cpu() -> None:
    assert list(stages())[-1] == "cpu"


def test_everything_that_a_target_copies_exists_and_is_not_ignored(tmp_path: Path) -> None:
    copied(tmp_path)

    for kind, rest in stages()["cpu"]:
        if kind == "COPY":
            for name in [word for word in rest.split() if not word.startswith("--")][:-1]:
                assert (tmp_path / name).exists()
    assert not (tmp_path / "tests").exists()
    assert not (tmp_path / ".git").exists()


def test_the_readme_carries_the_front_matter_of_a_space() -> None:
    front = (ROOT / "README.md").read_text().split("---\n")[1]

    assert "\nsdk: docker\n" in front
    assert "\napp_port: 7860\n" in front
    assert "\nhf_oauth: true\n" in front


@pytest.mark.registry
def test_the_commands_of_the_cpu_target_give_a_program_that_upscales(
    tmp_path: Path, models_path: Path
) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    copied(folder)
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    clean = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))},
        "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
        "DATA_DIR": str(tmp_path / "data"),
    }

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", command],
            cwd=folder,
            env=clean,
            capture_output=True,
            text=True,
            check=False,
        )

    probe = run("python -m pip download --quiet --no-deps --dest ../probe tqdm")
    if probe.returncode != 0:
        pytest.skip("THE PACKAGE INDEX CANNOT BE REACHED: the container's commands were not tried")
    for kind, rest in stages()["cpu"]:
        if kind == "RUN" and "useradd" not in rest:
            # PyTorch's own index is the one thing that is not the same here: the index that this
            # machine installs from serves the CPU build.
            command = rest.replace('--index-url "$TORCH_INDEX" ', "")
            done = run(f"{command} --quiet")
            assert done.returncode == 0, done.stderr
    entry = json.loads(next(rest for kind, rest in stages()["cpu"] if kind == "ENTRYPOINT"))
    shutil.copytree(models_path, tmp_path / "data" / "models")
    photo = tmp_path / "photo.png"
    Image.new("RGB", (20, 10), "teal").save(photo)
    arguments = f"upscale {photo} {tmp_path / 'out.png'} --model realesr-animevideov3"

    done = run(f"{shlex.join(entry)} {arguments}")

    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (80, 40)
