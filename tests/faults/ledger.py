"""What must be true whatever was done to a service: nothing lost, nothing twice, no scraps."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from PIL import Image
from sqlalchemy import func, select

from db import counts, files, keys, receipts
from db.upkeep import Metric, Receipt
from db.work import File, Job, Role, State
from tasks import audit
from tasks.service import Service

FINAL = {State.SUCCEEDED, State.FAILED, State.CANCELED}


@dataclass(frozen=True)
class Ended:
    """How many jobs ended how."""

    states: Mapping[str, int]
    reasons: Mapping[str, int]
    interruptions: int

    @property
    def jobs(self) -> int:
        return sum(self.states.values())

    @property
    def share(self) -> float:
        return self.states.get(State.SUCCEEDED, 0) / max(1, self.jobs)

    def __str__(self) -> str:
        ends = ", ".join(f"{number} {state}" for state, number in sorted(self.states.items()))
        return f"{self.jobs} jobs: {ends}; reasons {dict(self.reasons)}; " + (
            f"{self.interruptions} interruptions"
        )


def jobs(service: Service) -> list[Any]:
    with service.store.reading() as rows:
        return list(rows.execute(select(Job.__table__)).all())


def stored(service: Service) -> list[Any]:
    with service.store.reading() as rows:
        return list(rows.execute(select(File.__table__)).all())


def all_ended(service: Service) -> bool:
    with service.store.reading() as rows:
        return not rows.scalar(select(func.count()).where(Job.state.not_in(FINAL)))


def running(service: Service) -> int:
    with service.store.reading() as rows:
        return rows.scalar(select(func.count()).where(Job.state == State.RUNNING)) or 0


def check_jobs(service: Service, handed_in: int) -> Ended:
    """Every job that was handed in has one end, told honestly, and its files once and whole."""
    found = jobs(service)
    assert len(found) == handed_in
    assert {job.state for job in found} <= FINAL
    for job in found:
        failed = job.state == State.FAILED
        assert bool(job.error_code) is bool(job.error_message) is failed
        if failed:
            assert job.error_hint
    states = Counter(job.state for job in found)
    for metric in (Metric.SUCCEEDED, Metric.FAILED, Metric.CANCELED):
        assert counts.total(service.store, metric) == states.get(metric, 0), metric
    assert counts.total(service.store, Metric.SUBMITTED) == handed_in
    by_job = {job.id: list[Any]() for job in found}
    for file in stored(service):
        by_job[file.job_id].append(file)
    for job in found:
        made = Counter((file.role, file.pictures) for file in by_job[job.id])
        assert set(made.values()) <= {1}, "a file twice"
        if job.state == State.SUCCEEDED:
            assert set(made) == {
                (Role.ORIGINAL, None),
                (Role.RESULT, None),
                (Role.PREVIEW, Role.ORIGINAL),
                (Role.PREVIEW, Role.RESULT),
            }
            _check_whole(service, job.user_id, by_job[job.id])
        else:
            assert set(made) <= {(Role.ORIGINAL, None)}
    return Ended(
        states,
        Counter(job.error_code for job in found if job.error_code),
        sum(job.interruptions for job in found),
    )


def _check_whole(service: Service, user_id: UUID, its_files: list[Any]) -> None:
    for file in its_files:
        if file.hidden_at is not None:
            continue
        with files.open(service.store, files.find(service.store, file.id, user_id)) as stream:
            if file.role == Role.PREVIEW:
                assert len(stream.read()) == file.size
            else:
                with Image.open(stream) as picture:
                    picture.load()
                    assert picture.size == (file.width, file.height)


def check_no_scraps(service: Service) -> None:
    """Rows, keys and blobs explain each other, and nothing else lies about."""
    store = service.store
    live = {file.id: file.blob_name for file in stored(service) if file.deleted_at is None}
    assert {name for name, _ in store.blobs.finished()} == set(live.values())
    assert set(keys.known(store.keys)) == set(live)
    assert not list((store.blobs.root / "new").iterdir())
    # Files: Gradio makes an empty folder for a feature that is shut here.
    assert not [path for path in service.folders.inbox.rglob("*") if path.is_file()]
    assert not list(service.folders.scratch.rglob("*"))
    assert audit.findings(service) == []


def check_receipts(service: Service) -> int:
    """One receipt for each deleted file, no other, and the counters say the same; how many."""
    deleted = [file.receipt_id for file in stored(service) if file.deleted_at is not None]
    with service.store.reading() as rows:
        written = set(rows.scalars(select(Receipt.id)))
    assert len(deleted) == len(set(deleted))
    assert set(deleted) == written
    assert sum(receipts.count(service.store).values()) == len(written)
    assert counts.total(service.store, Metric.DELETED) == len(written)
    return len(written)
