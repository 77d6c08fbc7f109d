"""The service's commands, in this process; the real processes are in tests/faults."""

import json
import logging
import signal
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from app import logs
from app.__main__ import main

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", tempfile.gettempdir())
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    return lambda *arguments: main(arguments)


@pytest.fixture
def quiet_root() -> Iterator[None]:
    """Logging as it was, afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in before:
            root.removeHandler(handler)
            handler.close()
    root.handlers[:], root.level = before, level


def test_a_sweep_of_a_new_data_folder_makes_it_and_finds_nothing(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("retention", "sweep") == 0

    counted = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert set(counted.values()) == {"0"}
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    for private in ("app.db", "keys.db", "queue.db"):
        assert (tmp_path / "data" / private).stat().st_mode & 0o077 == 0


def test_the_exit_status_of_an_audit_says_whether_anything_is_wrong(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("retention", "audit") == 0
    assert capsys.readouterr().out == "nothing is past its time or unexplained\n"
    (tmp_path / "data" / "copy of app.db").write_bytes(b"")

    assert run("retention", "audit") == 1
    assert capsys.readouterr().out == "not ours: copy of app.db\n1 findings\n"


def test_a_setting_that_makes_no_sense_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAX_OPEN_JOBS", "many")

    assert run("retention", "sweep") == 2
    assert capsys.readouterr().err.startswith("error: The setting MAX_OPEN_JOBS is not usable")


def lines(folder: Path) -> list[dict[str, object]]:
    (path,) = folder.glob("*.log")
    assert path.stat().st_mode & 0o777 == 0o600
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.usefixtures("quiet_root")
def test_a_log_line_is_an_event_with_fields_in_a_file_of_its_day(tmp_path: Path) -> None:
    logs.start("worker", tmp_path)

    logging.getLogger("tasks").info("job_claimed", extra={"job": "1234"})

    (line,) = lines(tmp_path)
    assert (line["event"], line["job"], line["level"]) == ("job_claimed", "1234", "INFO")
    (path,) = tmp_path.iterdir()
    assert path.name == f"worker-{date.today().isoformat()}.log"


@pytest.mark.usefixtures("quiet_root")
def test_an_exception_is_logged_without_its_words(tmp_path: Path) -> None:
    logs.start("worker", tmp_path)

    try:
        raise ValueError("/home/ada/my passport.png")
    except ValueError:
        logging.getLogger("tasks").exception("job_failed")

    (line,) = lines(tmp_path)
    assert "passport" not in json.dumps(line)
    assert str(line["exc_info"]).startswith("ValueError at test_cli_service.py:")
