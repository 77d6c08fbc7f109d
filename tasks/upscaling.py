"""One job, from claim to result.

The life of an attempt: claimed → original decrypted into the engine → result and previews encrypted
as they are made → finished, in one transaction. Whatever ends it early leaves no bytes behind, and
the rows say what becomes of the job.
"""

import logging
from collections.abc import Callable, Collection
from contextlib import ExitStack
from uuid import UUID

import torch

from db import files, jobs, waiting, workers
from db.errors import DamagedFile, Gone, JobCanceled, LeaseLost, StoreError
from db.outcomes import Failure
from db.store import Store
from db.work import Kind, Role
from inference import memory
from inference.allocator import give_back_freed_memory, kept_memory
from inference.company import Company
from inference.engine import Engine
from inference.errors import Canceled, EngineError, ModelUnavailable, OutOfMemory
from inference.pyramid import Previews
from tasks import conversion, orders
from tasks.conversion import Room
from tasks.heartbeat import Heartbeat

log = logging.getLogger(__name__)

_KEPT_AT_REST = 512_000_000
"""Bytes that a process without anything to do may have for its next picture."""

# What another attempt may mend: memory that others took, a model that is being fetched.
_PASSING = (OutOfMemory, ModelUnavailable)

# A spot that is tried is shown as it is.
_PICTURED: dict[Kind, tuple[Role, ...]] = {Kind.UPSCALE: (Role.ORIGINAL, Role.RESULT), Kind.TRY: ()}

_UNEXPECTED = Failure(
    "INTERNAL", "Something went wrong on the server.", "It was tried again. Tell the operator."
)


class Upscaler:
    """What a worker does when it is nudged."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        worker_id: UUID,
        is_leaving: Callable[[], bool],
        kinds: Collection[Kind] = (Kind.UPSCALE,),
        conversions: Room = Room(),  # noqa: B008  frozen
        company: Company | None = None,
    ) -> None:
        """`is_leaving()` says that the worker was asked to go and can wait no longer. Jobs of other
        `kinds` are left to others. `company` are the upscalers of this process that have a job."""
        self._store = store
        self._engine = engine
        self._worker_id = worker_id
        self._is_leaving = is_leaving
        self._kinds = kinds
        self._room = conversions
        self._company = company or Company()

    def upscale_next(self) -> bool:
        """Do the job whose turn it is; false when there is none."""
        claim = jobs.claim_next(self._store, self._worker_id, self._engine.loaded, self._kinds)
        if claim is None:
            return False
        log.info("job_claimed", extra={"job": str(claim.job_id)})
        with self._company.entered(), Heartbeat(self._store, claim) as heartbeat:
            try:
                self._do(claim, heartbeat)
            except (Canceled, JobCanceled, LeaseLost):
                self._stopped(claim, heartbeat)
            except Exception as error:
                self._failed(claim, error)
            else:
                log.info("job_succeeded", extra={"job": str(claim.job_id)})
        workers.seen(self._store, self._worker_id, claim.model)
        self._rest()
        return True

    def _rest(self) -> None:
        """Give memory back where nobody in this process needs it soon."""
        if not self._company.is_empty or kept_memory() <= _KEPT_AT_REST:
            return
        if not waiting.is_any_queued(self._store, tuple(Kind)):
            give_back_freed_memory()

    def _do(self, claim: jobs.Claim, heartbeat: Heartbeat) -> None:
        if claim.kind is not Kind.CONVERT:
            self._upscale(claim, heartbeat)
            return
        conversion.convert(
            self._store,
            claim,
            heartbeat,
            lambda: heartbeat.should_stop or self._is_leaving(),
            max_pixels=self._room.pixels,
            bytes_free=self._room.bytes_free or memory.available(torch.device("cpu")),
        )

    def _upscale(self, claim: jobs.Claim, heartbeat: Heartbeat) -> None:
        """Make the result, its previews where somebody will compare by them, and promise them."""
        store = self._store
        options = orders.options_of(claim)
        original = files.find(store, claim.original_id, claim.user_id)
        output_format = options.output_format or original.format
        with ExitStack() as stack:
            source = stack.enter_context(files.open(store, original))
            result = stack.enter_context(files.Writer(store, Role.RESULT, format=output_format))
            previews = [
                stack.enter_context(
                    files.Writer(store, Role.PREVIEW, format="zip", pictures=pictured)
                )
                for pictured in _PICTURED[claim.kind]
            ]
            report = self._engine.upscale(
                source,
                result,
                options,
                heartbeat.show,
                lambda: heartbeat.should_stop or self._is_leaving(),
                previews=Previews(*previews) if previews else None,
            )
            kept: list[files.Kept] = []
            # From here on the writers keep nothing back: what is not promised is discarded.
            stack.callback(lambda: files.discard(store, kept))
            sizes = {Role.ORIGINAL: report.input, Role.RESULT: report.output}
            shown = (Role.RESULT, *_PICTURED[claim.kind])
            for writer, what in zip((result, *previews), shown, strict=True):
                size = sizes[what]
                kept.append(writer.finish(width=size.width, height=size.height))
            jobs.finish(store, claim, kept, orders.kept_report(report), heartbeat.units)
            kept.clear()

    def _stopped(self, claim: jobs.Claim, heartbeat: Heartbeat) -> None:
        try:
            if self._is_leaving() and not heartbeat.canceled.is_set():
                jobs.hand_back(self._store, claim)
                log.info("job_handed_back", extra={"job": str(claim.job_id)})
            else:
                jobs.end_canceled(self._store, claim)
                log.info("job_canceled", extra={"job": str(claim.job_id)})
        except LeaseLost:
            log.warning("lease_lost", extra={"job": str(claim.job_id)})

    def _failed(self, claim: jobs.Claim, error: Exception) -> None:
        failure, again = _verdict(error)
        try:
            state = jobs.fail(self._store, claim, failure, again=again)
        except LeaseLost:
            log.warning("lease_lost", extra={"job": str(claim.job_id)})
            return
        log.warning(
            "job_failed",
            extra={"job": str(claim.job_id), "code": failure.code, "state": state},
            # Of the unexpected only where it happened: messages may quote names of files.
            exc_info=error if failure is _UNEXPECTED else None,
        )


def _verdict(error: Exception) -> tuple[Failure, bool]:
    """What to tell the owner, and whether another attempt may help."""
    if isinstance(error, EngineError):
        return Failure(error.code, error.message, error.hint), isinstance(error, _PASSING)
    if isinstance(error, StoreError):
        hopeless = isinstance(error, Gone | DamagedFile)
        return Failure(error.code, error.message, error.hint), not hopeless
    return _UNEXPECTED, True
