"""Verdicts of self-tests on disk: kept, shared, and never worth an error."""

import json
import threading
from pathlib import Path

import pytest

from inference import verdicts
from inference.verdicts import FILE, Verdicts


def test_a_verdict_is_there_for_the_next_process(tmp_path: Path) -> None:
    Verdicts(tmp_path).put("here", "good", True)
    Verdicts(tmp_path).put("here", "bad", False)

    later = Verdicts(tmp_path)

    assert later.get("here", "good") is True
    assert later.get("here", "bad") is False
    assert later.get("here", "never tested") is None
    assert later.get("elsewhere", "good") is None


def test_a_verdict_of_several_fields_comes_back_as_it_was(tmp_path: Path) -> None:
    measured = {"halo": 32, "whole": False, "error": 0.25, "none": None}

    Verdicts(tmp_path).put("here", "a", measured)

    assert Verdicts(tmp_path).get("here", "a") == measured


def test_what_another_process_found_meanwhile_is_seen_and_kept(tmp_path: Path) -> None:
    ours, theirs = Verdicts(tmp_path), Verdicts(tmp_path)
    assert ours.get("here", "a") is None

    theirs.put("here", "a", True)
    ours.put("here", "b", False)

    assert ours.get("here", "a") is True
    assert json.loads((tmp_path / FILE).read_text()) == {"here": {"a": True, "b": False}}


def test_without_a_folder_verdicts_last_as_long_as_the_process() -> None:
    memory = Verdicts(None)

    memory.put("here", "a", True)

    assert memory.get("here", "a") is True
    assert Verdicts(None).get("here", "a") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"here": 3}', b'{"here": {"a": "yes"}}'],
    ids=repr,
)
def test_a_damaged_file_counts_as_none_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)

    found = Verdicts(tmp_path)
    assert found.get("here", "a") is None
    found.put("here", "a", True)

    assert Verdicts(tmp_path).get("here", "a") is True


def test_a_folder_that_cannot_be_written_to_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, data: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(verdicts, "write_whole", refuse)
    for folder in (tmp_path, tmp_path / "missing"):
        kept = Verdicts(folder)

        kept.put("here", "a", True)

        assert kept.get("here", "a") is True
        assert list(tmp_path.iterdir()) == []


def test_many_writers_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for turn in range(5):
            Verdicts(tmp_path).put("here", f"{number}-{turn}", True)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    stored = json.loads((tmp_path / FILE).read_text())["here"]
    assert set(stored) <= {f"{number}-{turn}" for number in range(6) for turn in range(5)}
    assert stored
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
