"""Batches as JSON: one shape for the page, `/live` and the API.

Addresses are relative. Times are ISO 8601 in UTC. Knows nothing of who asks: what it is handed is
its owner's to see.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from db.views import BatchView, FileView, JobView
from db.work import Role, State
from pages import names

Json = dict[str, Any]


def batch(view: BatchView, now: datetime) -> Json:
    """`{id, kind, state, created_at, expires_at, options, jobs, download_url}`."""
    jobs = [job(each, now) for each in view.jobs]
    has_result = any(each["files"]["result"] for each in jobs)
    return {
        "id": str(view.id),
        "kind": view.kind.value,
        "state": view.state.value,
        "created_at": _time(view.created_at),
        "expires_at": _time(view.expires_at),
        "options": _options(view),
        "jobs": jobs,
        "download_url": f"/batches/{view.id}/download" if has_result else None,
    }


def job(view: JobView, now: datetime) -> Json:
    """One picture. Beyond the contract of a batch's JSON: `model`, of a try each its own;
    `seconds_left`, of a running job's own work, null until a first piece is done; `canceling`;
    `receipts` of files that were deleted, and `deleted_at`, when each of them was."""
    files = {_slot(file): file for file in view.files}
    return {
        "id": str(view.id),
        "name": view.name,
        "model": view.model,
        "state": view.state.value,
        "canceling": view.cancel_requested and view.state == State.RUNNING,
        "progress": {"done": view.progress_done, "total": view.progress_total},
        "seconds_left": _seconds_left(view, now),
        "position": view.position,
        "created_at": _time(view.created_at),
        "started_at": _time(view.started_at),
        "finished_at": _time(view.finished_at),
        "input": _facts(files.get("original")),
        "output": _facts(files.get("result")),
        "files": {
            "original": _address(files.get("original"), names.original(view)),
            "result": _address(files.get("result"), result_name(view)),
            "original_preview": _address(files.get("original_preview")),
            "preview": _address(files.get("preview")),
        },
        "receipts": {slot: str(file.receipt_id) for slot, file in files.items() if file.receipt_id},
        "deleted_at": {
            slot: iso(file.deleted_at) for slot, file in files.items() if file.deleted_at
        },
        "error": view.failure
        and {
            "code": view.failure.code,
            "message": view.failure.message,
            "hint": view.failure.hint,
        },
        "report": view.report and dict(view.report),
    }


def result_name(view: JobView) -> str:
    """What a result is called when it is downloaded: `photo_4x_realesrgan-x4plus.png`."""
    ending = next((file.format for file in view.files if file.role == Role.RESULT), "png")
    return names.result(view, ending)


def _options(view: BatchView) -> Json:
    """What was ordered, for all pictures of the batch."""
    options = dict(view.options)
    if view.jobs:
        first = view.jobs[0]
        options |= {
            "model": first.model,
            "scale": first.scale,
            "width": first.target_width,
            "height": first.target_height,
            "long_side": first.target_long_side,
        }
    return options


def _slot(file: FileView) -> str:
    if file.role == Role.PREVIEW:
        return "original_preview" if file.pictures == Role.ORIGINAL else "preview"
    return file.role.value


def _facts(file: FileView | None) -> Json:
    return {
        "width": file and file.width,
        "height": file and file.height,
        "bytes": file and file.size,
    }


def _address(file: FileView | None, name: str | None = None) -> str | None:
    if file is None or not file.readable:
        return None
    return f"/files/{file.id}" + (f"/{quote(name, safe='')}" if name else "")


def _seconds_left(view: JobView, now: datetime) -> float | None:
    # Of the first pieces, most of the time went into reading the picture and the network.
    if view.state != State.RUNNING or view.progress_done * 50 < max(view.progress_total, 1):
        return None
    assert view.started_at is not None
    so_far = (now - view.started_at).total_seconds()
    left = view.progress_total - view.progress_done
    return round(max(0.0, so_far / view.progress_done * left), 1)


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond: what a browser's Date keeps."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None
