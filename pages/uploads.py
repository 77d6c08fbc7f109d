"""Uploads as Gradio hands them over, and whose they are.

Gradio passes on any path that a caller names. Only what lies in the visitor's own inbox, as a plain
file, becomes an upload here; names are data.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pages.errors import NoSuchUpload
from pages.visitor import Visitor
from tasks.service import Service
from tasks.submissions import Upload


def own_uploads(service: Service, visitor: Visitor, files: Any) -> list[Upload]:
    """The uploads that a call names, in its order.

    `files` is one file or a list of files. A file is a path, `{"path": …, "orig_name": …}` as
    `handle_file` and Gradio's components make it, `{"image": {"path": …}, …}` or `(path, caption)`
    as galleries make it; `None` is no file. Raises `NoSuchUpload` for everything else, and for
    every path that is not a file in this visitor's inbox.
    """
    # Resolved, because the data folder itself may lie behind a link.
    inbox = (service.folders.inbox / str(visitor.user_id)).resolve()
    return [_own(inbox, path, name) for path, name in _named(files)]


def _named(files: Any) -> Iterator[tuple[Any, Any]]:
    for file in files if isinstance(files, list) else [files]:
        each = file[0] if isinstance(file, tuple) and file else file
        if isinstance(each, dict) and "image" in each:
            each = each["image"]
        if isinstance(each, dict):
            yield each.get("path"), each.get("orig_name")
        elif each is not None:
            yield each, None


def _own(inbox: Path, path: Any, name: Any) -> Upload:
    if not isinstance(path, str):
        raise _not_there()
    try:
        real = Path(path).resolve()
        is_own = inbox in real.parents and real.is_file() and not Path(path).is_symlink()
    except (OSError, RuntimeError, ValueError):  # no path at all, or links in a circle
        is_own = False
    if not is_own:
        raise _not_there()
    return Upload(real, name if isinstance(name, str) and name else real.name)


def _not_there() -> NoSuchUpload:
    return NoSuchUpload(
        "One of the pictures is not among your uploads.",
        "Upload it (again): what is not handed in within an hour is removed.",
    )
