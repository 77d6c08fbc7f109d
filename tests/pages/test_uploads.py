"""Which of the paths that a caller names are uploads of theirs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from pages.errors import NoSuchUpload
from pages.uploads import own_uploads
from pages.visitor import Visitor
from tasks.service import Folders
from tasks.submissions import Upload

ADA = Visitor(uuid4(), "Ada", False, True, "cookie")
BOB = Visitor(uuid4(), "Bob", False, True, "cookie")


@pytest.fixture
def service(tmp_path: Path) -> Any:
    return SimpleNamespace(folders=Folders(tmp_path / "data"))


@pytest.fixture
def path(service: Any) -> Path:
    """An upload of Ada's."""
    return uploaded(service, ADA)


def uploaded(service: Any, visitor: Visitor) -> Path:
    folder = service.folders.inbox / str(visitor.user_id) / "random"
    folder.mkdir(parents=True)
    path = folder / "cat.png"
    path.write_bytes(b"bytes")
    return path


def test_every_shape_in_which_gradio_hands_files_over_is_understood(
    service: Any, path: Path
) -> None:
    file = {"path": str(path), "orig_name": "my cat.png", "meta": {"_type": "gradio.FileData"}}
    named, unnamed = Upload(path, "my cat.png"), Upload(path, "cat.png")

    for files, uploads in (
        (str(path), [unnamed]),
        (file, [named]),
        ([file, str(path)], [named, unnamed]),
        ([{"image": file, "caption": None}], [named]),
        ([(str(path), "a caption")], [unnamed]),
        ({"path": str(path)}, [unnamed]),
        ({"path": str(path), "orig_name": 5}, [unnamed]),
        ({"path": str(path), "orig_name": ""}, [unnamed]),
        ([], []),
        (None, []),
        ([None], []),
    ):
        assert own_uploads(service, ADA, files) == uploads


def test_a_name_is_data_and_never_a_path(service: Any, path: Path) -> None:
    file = {"path": str(path), "orig_name": "../../etc/passwd"}

    assert own_uploads(service, ADA, file) == [Upload(path, "../../etc/passwd")]


def test_one_wrong_path_refuses_all(service: Any, path: Path) -> None:
    with pytest.raises(NoSuchUpload):
        own_uploads(service, ADA, [str(path), "x"])


def test_uploads_of_others_and_what_is_no_file_of_the_inbox_are_not_there(
    service: Any, path: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(b"bytes")
    link = path.with_name("link.png")
    link.symlink_to(outside)
    inner_link = path.with_name("inner.png")
    inner_link.symlink_to(path)
    linked_folder = path.parent / "folder"
    linked_folder.symlink_to(tmp_path)
    circle = path.with_name("circle.png")
    circle.symlink_to(circle)
    neighbour = service.folders.inbox / f"{ADA.user_id}x" / "cat.png"
    neighbour.parent.mkdir()
    neighbour.write_bytes(b"bytes")

    answers = set()
    for wrong in (
        str(uploaded(service, BOB)),
        str(outside),
        str(link),
        str(inner_link),
        str(linked_folder / "outside.png"),
        str(circle),
        str(neighbour),
        str(path.parent),
        str(service.folders.inbox / str(ADA.user_id)),
        str(path.parent / "gone.png"),
        f"{path.parent}/../../{BOB.user_id}/random/cat.png",
        f"{path}\0",
        f"{path}\ud800",
        "/proc/self/environ",
        "/dev/zero",
        "http://127.0.0.1/cat.png",
        f"file://{path}",
        "x" * 5000,
        "",
        5,
        True,
        b"bytes",
        {},
        {"path": None},
        {"path": [str(path)]},
        {"image": {"image": {"path": str(path)}}},
        {"url": str(path)},
        [[str(path)]],
        [()],
    ):
        with pytest.raises(NoSuchUpload) as caught:
            own_uploads(service, ADA, wrong)
        answers.add(str(caught.value))

    assert len(answers) == 1


def test_a_data_folder_behind_a_link_is_followed(service: Any, path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(service.folders.data)
    linked = SimpleNamespace(folders=Folders(link))
    through = link / path.relative_to(service.folders.data)

    assert own_uploads(linked, ADA, str(through)) == [Upload(path, "cat.png")]
