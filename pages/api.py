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
from db import batches, views
from db.errors import DatabaseBusy, Gone, JobCanceled
from db.views import JobView
from db.work import Role, State
from inference.options import DEFAULT_MODEL, DEFAULT_SCALE
from pages import arguments, models, own_batches, permits, shapes
from pages.asking import asking_visitor
from pages.errors import tell, told
from pages.uploads import own_uploads
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
    assert named.keys() >= permits.READING


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
            user_id = asking_visitor(request).user_id
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
            limit, cursor = arguments.page_length(limit), arguments.cursor(cursor)
            return own_batches.page(self._service, asking_visitor(request), limit, cursor)

    def cancel(self, batch_id: str, request: gr.Request) -> Json:
        """Stop what is unfinished of a batch; what is finished stays."""
        with told():
            which = arguments.batch_id(batch_id)
            batches.cancel(self._service.store, which, asking_visitor(request).user_id)
            return self._shown(which, request)

    def delete(self, batch_id: str, request: gr.Request) -> Json:
        """Stop a batch and delete all its files now; returns it with the receipts."""
        with told():
            which = arguments.batch_id(batch_id)
            delete_batch(self._service, which, asking_visitor(request).user_id)
            return self._shown(which, request)

    def models(self) -> list[Json]:
        """The models that can be asked for by name, and those that are listed but not installed."""
        with told():
            return models.models(self._service)

    def _submit(
        self, request: gr.Request, images: Any, ordered: arguments.Order, key: str | None = None
    ) -> UUID:
        visitor = asking_visitor(request)
        uploads = own_uploads(self._service, visitor, images)
        options, suffix = ordered
        return submit_batch(self._service, visitor.user_id, uploads, options, key, suffix=suffix)

    def _shown(self, batch_id: UUID, request: gr.Request) -> Json:
        return own_batches.show(self._service, asking_visitor(request), batch_id)

    async def _ended(self, batch_id: UUID, user_id: UUID) -> JobView:
        """The batch's only job, once it has ended. The job goes on when nobody waits any more."""
        progress = gr.Progress()
        pause = _LOOK_EVERY
        store = self._service.store
        while True:
            try:
                (job,) = (await run_in_threadpool(views.show, store, batch_id, user_id)).jobs
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


def _report(progress: gr.Progress, job: JobView) -> None:
    if job.state is State.QUEUED:
        progress((0, None), desc=f"Waiting: number {job.position} in the queue", unit="pictures")
    else:
        progress((job.progress_done, job.progress_total or None), desc="Upscaling", unit="steps")


def _pause(job: JobView) -> float:
    """Who is far behind is looked after less often."""
    return min(_LOOK_EVERY * (job.position or 1), _LOOK_AT_LEAST_EVERY)
