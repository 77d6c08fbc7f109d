"""Uploads as Gradio hands them over, and whose they are.

Gradio passes on any path that a caller names. Only what lies in the visitor's own inbox, as a plain
file, becomes an upload here; names are data.
"""

from collections.abc import Iterator
from typing import Any

from pages.errors import NoSuchUpload
from pages.visitor import Visitor
from tasks import inbox
from tasks.service import Service
from tasks.submissions import Upload


def own_uploads(service: Service, visitor: Visitor, files: Any) -> list[Upload]:
    """The uploads that a call names, in its order.

    `files` is one file or a list of files. A file is a path, `{"path": …, "orig_name": …}` as
    `handle_file` and Gradio's components make it, `{"image": {"path": …}, …}` or `(path, caption)`
    as galleries make it; `None` is no file. Raises `NoSuchUpload` for everything else, and for
    every path that is not a file in this visitor's inbox.
    """
    return [_own(service, visitor, path, name) for path, name in _named(files)]


def _named(files: Any) -> Iterator[tuple[Any, Any]]:
    for file in files if isinstance(files, list) else [files]:
        each = file[0] if isinstance(file, tuple) and file else file
        if isinstance(each, dict) and "image" in each:
            each = each["image"]
        if isinstance(each, dict):
            yield each.get("path"), each.get("orig_name")
        elif each is not None:
            yield each, None


def _own(service: Service, visitor: Visitor, path: Any, name: Any) -> Upload:
    is_text = isinstance(path, str)
    upload = inbox.find(service.folders, visitor.user_id, path) if is_text else None
    if upload is None:
        raise NoSuchUpload(
            "One of the pictures is not among your uploads.",
            "Upload it (again): what is not handed in within an hour is removed.",
        )
    return Upload(upload, name if isinstance(name, str) and name else upload.name)
