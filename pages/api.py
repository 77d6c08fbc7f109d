"""The named endpoints, for `gradio_client` and plain HTTP. Names and arguments are a contract.

Built with `gr.api`, which takes names, types and defaults from the signatures below, and checks no
type: `pages.arguments` does. Knows nothing of tokens and cookies: `visitor_of` says who asks.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import gradio as gr
from gradio.context import Context
from gradio.data_classes import FileData
from gradio.events import api as add_endpoint
from starlette.concurrency import run_in_threadpool

from app.settings import Settings
from db import batches, history, views
from db.errors import DatabaseBusy, Gone, JobCanceled
from db.views import BatchView, JobView
from db.work import Role, State
from inference import catalog
from inference.installed import ModelFolder
from inference.options import DEFAULT_MODEL, DEFAULT_SCALE, Options
from pages import arguments, shapes
from pages.errors import tell, told
from pages.uploads import own_uploads
from pages.visitor import Visitor, visitor_of
from tasks.deletion import delete_batch
from tasks.service import Service
from tasks.submissions import submit_batch

CALLS_AT_ONCE = 1000
"""Calls that Gradio must let wait side by side: every `/upscale` is one for as long as its picture
waits in our own queue, and Gradio's usual 40 would be taken by one busy user."""

_LOOK_EVERY = 0.5
_LOOK_AT_LEAST_EVERY = 5.0

Json = dict[str, Any]


def add_endpoints(service: Service, settings: Settings) -> None:
    """Add all endpoints to the Blocks whose context this is called in."""
    blocks = Context.root_block
    assert blocks is not None, "endpoints belong to Blocks"
    # Not its `max_threads`: that would allow as many threads as well, and nobody here needs one.
    blocks._queue.max_thread_count = CALLS_AT_ONCE
    api = Endpoints(service, settings)
    named: dict[str, Callable[..., Any]] = {
        "upscale": api.upscale,
        "submit": api.submit,
        "batch": api.batch,
        "history": api.history,
        "cancel": api.cancel,
        "delete": api.delete,
        "models": api.models,
    }
    for name, endpoint in named.items():
        # Limits live in the rows.
        add_endpoint(endpoint, api_name=name, concurrency_limit=None)


class Endpoints:
    """What the endpoints do; their docstrings are what `/info` says about them."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        self._origin = settings.origin

    async def upscale(
        self,
        image: FileData,
        request: gr.Request,
        model: str = DEFAULT_MODEL,
        scale: int = DEFAULT_SCALE,
        output_format: str = "png",
    ) -> FileData:
        """Upscale one picture and wait for it; the call's progress is the picture's."""
        # Not a generator: `gradio_client` downloads a generator's last value twice.
        with told():
            user_id = _visitor(request).user_id
            ordered = arguments.order(model, scale, output_format)
            batch_id = await run_in_threadpool(self._submit, request, [image], ordered)
            return self._handed_over(await self._ended(batch_id, user_id))

    def submit(
        self,
        images: list[FileData],
        request: gr.Request,
        model: str = DEFAULT_MODEL,
        scale: int = DEFAULT_SCALE,
        output_format: str | None = None,
        options: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Json:
        """Hand in pictures and return at once: the batch that they became."""
        with told():
            ordered = arguments.order(model, scale, output_format, options)
            key = arguments.idempotency_key(idempotency_key)
            return self._shown(self._submit(request, images, ordered, key), request)

    def batch(self, batch_id: str, request: gr.Request) -> Json:
        """How a batch is doing, with addresses of its files."""
        with told():
            return self._shown(arguments.batch_id(batch_id), request)

    def history(self, request: gr.Request, limit: int = 20, cursor: str | None = None) -> Json:
        """Your batches, the newest first."""
        with told():
            page = history.page(
                self._service.store,
                _visitor(request).user_id,
                limit=arguments.page_length(limit),
                cursor=arguments.cursor(cursor),
            )
            now = self._service.store.clock.now()
            return {
                "items": [shapes.batch(view, now) for view in page.items],
                "next_cursor": page.next_cursor,
            }

    def cancel(self, batch_id: str, request: gr.Request) -> Json:
        """Stop what is unfinished of a batch; what is finished stays."""
        with told():
            which = arguments.batch_id(batch_id)
            batches.cancel(self._service.store, which, _visitor(request).user_id)
            return self._shown(which, request)

    def delete(self, batch_id: str, request: gr.Request) -> Json:
        """Stop a batch and delete all its files now; returns it with the receipts."""
        with told():
            which = arguments.batch_id(batch_id)
            delete_batch(self._service, which, _visitor(request).user_id)
            return self._shown(which, request)

    def models(self) -> list[Json]:
        """The models that can be asked for by name, and those that are listed but not installed."""
        with told():
            return _models(ModelFolder(self._service.folders.models))

    def _submit(
        self, request: gr.Request, images: Any, ordered: Options, key: str | None = None
    ) -> UUID:
        visitor = _visitor(request)
        uploads = own_uploads(self._service, visitor, images)
        return submit_batch(self._service, visitor.user_id, uploads, ordered, key)

    def _shown(self, batch_id: UUID, request: gr.Request) -> Json:
        user_id = _visitor(request).user_id
        return shapes.batch(self._view(batch_id, user_id), self._service.store.clock.now())

    def _view(self, batch_id: UUID, user_id: UUID) -> BatchView:
        return views.show(self._service.store, batch_id, user_id)

    async def _ended(self, batch_id: UUID, user_id: UUID) -> JobView:
        """The batch's only job, once it has ended. The job goes on when nobody waits any more."""
        progress = gr.Progress()
        pause = _LOOK_EVERY
        while True:
            try:
                (job,) = (await run_in_threadpool(self._view, batch_id, user_id)).jobs
            except DatabaseBusy:
                pass  # the answer is only late
            else:
                if job.state not in (State.QUEUED, State.RUNNING):
                    return job
                _report(progress, job)
                pause = _pause(job)
            await asyncio.sleep(pause)

    def _handed_over(self, job: JobView) -> FileData:
        """Where the result is. Raises what kept it from being made, or `Gone`."""
        if job.failure:
            tell(job.failure)
        if job.state is State.CANCELED:
            raise JobCanceled
        file = next((f for f in job.files if f.role is Role.RESULT and f.readable), None)
        if file is None:
            raise Gone
        name = shapes.result_name(job)
        # With a `url`, Gradio neither looks for the file nor fetches it. Not quoted: the client
        # quotes it, and names the file it writes by what follows the last slash.
        address = f"{self._origin}/files/{file.id}/{name}"
        return FileData(path=address, url=address, orig_name=name, size=file.size)


def _visitor(request: gr.Request) -> Visitor:
    assert request.request is not None, "not called over HTTP"
    return visitor_of(request.request.scope)


def _report(progress: gr.Progress, job: JobView) -> None:
    if job.state is State.QUEUED:
        progress((0, None), desc=f"Waiting: number {job.position} in the queue", unit="pictures")
    else:
        progress((job.progress_done, job.progress_total or None), desc="Upscaling", unit="steps")


def _pause(job: JobView) -> float:
    """Who is far behind is looked after less often."""
    return min(_LOOK_EVERY * (job.position or 1), _LOOK_AT_LEAST_EVERY)


def _models(folder: ModelFolder) -> list[Json]:
    """The listed models in the list's order, then the operator's own."""
    installed = {model.name: model for model in folder.installed()}
    listed = [
        {
            "name": model.name,
            "label": model.label,
            "good_for": model.good_for,
            "scale": model.scale,
            "licence": model.licence,
            "licence_url": model.licence_url,
            "architecture": model.architecture,
            "installed": installed.pop(model.name, None) is not None,
        }
        for model in catalog.CATALOG
    ]
    own = [
        {
            "name": model.name,
            "label": model.name,
            "good_for": "",
            "scale": model.scale,
            "licence": model.licence,
            "licence_url": model.licence_url,
            "architecture": model.architecture,
            "installed": True,
        }
        for model in installed.values()
    ]
    return listed + own
