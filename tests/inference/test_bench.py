"""The command of `make bench`, on sizes that only prove that it works."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from inference.bench import __main__ as command
from inference.bench import codecs, gpu, memory, networks, peers, phases, seams, ways
from inference.bench.__main__ import PARTS, main
from inference.bench.fresh import MeasurementFailed, in_fresh_process
from inference.bench.place import place
from inference.bench.setup import COMPACT, Result
from tests.inference.pictures import photo


@pytest.fixture
def crop(tmp_path: Path) -> Path:
    path = tmp_path / "crop.png"
    photo(48, 40).save(path)
    return path


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Measures without a process for each figure: torch need not be imported again and again.

    On one thread: two that wait for each other on a busy machine take ten times as long.
    """

    def call(function: Callable[..., Result], **arguments: object) -> Result:
        given = json.loads(json.dumps(arguments, default=str))
        return json.loads(json.dumps(function(**given)))

    for part in (networks, phases, codecs, memory, seams, gpu):
        monkeypatch.setattr(part, "in_fresh_process", call)
    monkeypatch.setattr(ways, "cores", lambda: 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(models: Path, crop: Path, *more: str) -> int:
    """The command with the fastest network and one run."""
    given = ["--models", str(models), "--photo", str(crop), "--networks", COMPACT]
    return main([*given, "--runs", "1", "--tiny", *more])


def test_a_run_leaves_tables_every_figure_and_where_it_was_measured(
    models_path: Path, crop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installed = [way for way in ("onnxruntime", "openvino-fp32") if not peers.missing(way)]
    chosen = ["plain", "fp32", *installed]
    told = tmp_path / "bench.json"

    status = run(
        models_path,
        crop,
        *("--only", "networks,start", "--ways", ",".join(chosen), "--json", str(told)),
    )

    assert status == 0
    kept: dict[str, Any] = json.loads(told.read_text())
    here = place()
    assert kept["place"]["flags"] == here["flags"]
    assert kept["place"]["versions"]["torch"]
    assert kept["parts"]["networks"]["size"] == [48, 40]
    assert kept["parts"]["networks"]["rates"]["bf16"] > 0
    measured = kept["parts"]["networks"]["networks"][COMPACT]
    assert list(measured) == chosen
    for figures in measured.values():
        assert figures["ratio"] == pytest.approx(measured["plain"]["seconds"] / figures["seconds"])
        assert figures["largest"] <= 1
        # What rounding alone gives is 58.9 dB: the same picture from the same weights.
        assert 57 < figures["psnr"] < 61
        assert 30e6 < figures["peak_memory"] < 2e9
    stages = kept["parts"]["start"]["networks"][COMPACT]
    assert stages["total"] == pytest.approx(sum(stages.values()) - stages["total"])
    assert {bar["met"] for bar in kept["bars"]} == {None}  # tiny figures keep no promise
    tables = capsys.readouterr().out
    assert f"flags `{' '.join(here['flags']) or 'unknown'}`" in tables
    assert f"| {COMPACT} | plain (fp32) |" in tables


@pytest.mark.usefixtures("in_this_process")
def test_every_other_part_measures_and_tells_something(
    models_path: Path, crop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "bench.json"

    status = run(
        models_path,
        crop,
        *("--only", "phases,encoders,memory,seams,gpu,large", "--json", str(told)),
    )

    assert status == 0
    parts = json.loads(told.read_text())["parts"]
    assert list(parts) == ["phases", "encoders", "memory", "seams", "gpu", "large"]
    four_times, three_times = parts["phases"]["jobs"]
    assert (four_times["scale"], three_times["scale"]) == (4, 3)
    assert four_times["seconds"]["preview"] > 0
    assert parts["encoders"]["photos"][0]["size"] == [192, 160]
    assert parts["encoders"]["mean"][codecs.BASE]["ratio"] == 1.0
    photo_job, large_job = parts["memory"]["jobs"]
    assert (photo_job["output"], large_job["output"]) == ([192, 160], [240, 160])
    assert parts["large"]["jobs"][0]["budget"] == 2 << 30
    assert [of["against"] for of in parts["seams"]["exact"]] == ["whole", "other tiles"]
    assert all(of["largest"] <= 1 for of in parts["seams"]["exact"])
    assert parts["seams"]["reduced"][0]["psnr_whole"] > 45
    on_gpu = parts["gpu"]
    assert on_gpu["flops_per_pixel"] == pytest.approx(1.238e6, rel=1e-3)
    assert on_gpu["tflops"] == pytest.approx(on_gpu["megapixels"] * 1.238e6 / 1e6, rel=1e-3)
    assert on_gpu["psnr"] > 45
    assert on_gpu["callers"] == 1  # a CPU is no faster with several
    assert on_gpu["megapixels_small"] > 0
    assert on_gpu["megapixels_files"] > 0
    output = capsys.readouterr()
    assert "large: realesr-animevideov3, 60 × 40: about" in output.err
    assert f"## GPU: {COMPACT}" in output.out


@pytest.mark.parametrize("peer", ["onnxruntime", "openvino-bf16"])
def test_a_peer_that_is_not_installed_is_named_with_how_to_install_it(
    peer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, peer.partition("-")[0], None)

    lack = peers.missing(peer)

    assert lack is not None
    assert f"for want of {peer.partition('-')[0]}" in lack
    assert "--group bench" in lack


@pytest.mark.usefixtures("in_this_process")
def test_without_any_peer_the_others_are_measured_all_the_same(
    models_path: Path,
    crop: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("onnx", "onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, name, None)

    assert run(models_path, crop, "--only", "networks", "--ways", "plain,file,openvino-bf16") == 0

    told = capsys.readouterr().out
    assert "openvino-bf16 is left out, for want of openvino and onnx" in told
    assert "| plain (fp32) |" in told
    assert "| file (" in told


def test_a_part_that_fails_is_told_and_fails_the_command_after_the_others_ran(
    crop: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(setup: object, say: object) -> Result:
        raise MeasurementFailed("Killed")

    works = command.Part(lambda setup, say: {"fine": 1}, lambda result: f"{result}")
    monkeypatch.setitem(PARTS, "phases", command.Part(fails, str))
    monkeypatch.setitem(PARTS, "start", works)

    assert run(tmp_path, crop, "--only", "phases,start") == 1

    told = capsys.readouterr().out
    assert "The part phases failed: Killed" in told
    assert "{'fine': 1}" in told


@pytest.mark.usefixtures("in_this_process")
def test_a_way_that_fails_fails_the_command_and_leaves_the_others_their_figures(
    models_path: Path,
    crop: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = networks.in_fresh_process  # type: ignore[attr-defined]

    def killed(function: Callable[..., Result], **arguments: object) -> Result:
        if arguments.get("way") == "auto":
            raise MeasurementFailed("it ended with status -9")
        return call(function, **arguments)

    monkeypatch.setattr(networks, "in_fresh_process", killed)

    assert run(models_path, crop, "--only", "networks", "--ways", "plain,auto") == 1

    told = capsys.readouterr().out
    assert f"{COMPACT}, auto failed: it ended with status -9" in told
    assert "| plain (fp32) |" in told


@pytest.mark.usefixtures("in_this_process")
def test_a_network_that_cannot_be_exported_costs_the_peers_their_rows_and_nobody_else(
    models_path: Path,
    crop: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = networks.in_fresh_process  # type: ignore[attr-defined]

    def without_exporter(function: Callable[..., Result], **arguments: object) -> Result:
        if function is peers.export or arguments.get("way") in peers.PEERS:
            raise MeasurementFailed("an operator is missing")
        return call(function, **arguments)

    monkeypatch.setattr(networks, "in_fresh_process", without_exporter)
    monkeypatch.setattr(peers, "missing", lambda peer: None)

    assert run(models_path, crop, "--only", "networks", "--ways", "plain,onnxruntime") == 1

    told = capsys.readouterr().out
    assert f"{COMPACT} could not be exported: an operator is missing" in told
    assert f"{COMPACT}, onnxruntime failed: " in told
    assert "| plain (fp32) |" in told


def test_what_another_process_finds_arrives_here() -> None:
    assert in_fresh_process(json.loads, s='{"a": [1, "é"]}') == {"a": [1, "é"]}


def test_the_error_of_another_process_arrives_with_its_last_line() -> None:
    with pytest.raises(MeasurementFailed, match=r"JSONDecodeError: Expecting value"):
        in_fresh_process(json.loads, s="nothing of the kind")


@pytest.mark.parametrize("option", ["--only", "--skip"])
def test_parts_are_chosen_by_name_and_unknown_ones_refused(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--models", "folder", option, "networks,colours"])

    assert f"colours unknown; known are {', '.join(PARTS)}" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--models", "folder", "--device", "cuda:99"])

    assert "cuda:99 can't be used here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "ran"),
    [
        ([], ["networks", "phases", "encoders", "start", "memory", "seams", "large"]),
        (["--skip", "large,seams"], ["networks", "phases", "encoders", "start", "memory"]),
        (["--only", "large,start"], ["start", "large"]),
        (["--device", "meta"], ["gpu"]),
    ],
)
def test_an_hour_of_work_comes_last_and_can_be_left_out(
    given: list[str], ran: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    order: list[str] = []
    for name in PARTS:
        noted = command.Part(lambda setup, say, name=name: order.append(name) or {}, str)
        monkeypatch.setitem(PARTS, name, noted)

    main(["--models", str(tmp_path), *given])

    assert order == ran
