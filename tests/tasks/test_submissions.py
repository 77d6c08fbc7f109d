"""Handing in: what is promised, what is refused, and that nothing is left of what is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from db import files, users, views, waiting
from db.batches import find_by_key
from db.errors import StorageFull, TooManyOpenJobs
from db.work import Role, State
from inference.errors import UnknownModel
from inference.options import Options
from tasks import limits, submissions
from tasks.errors import NothingToDo, QueueTooLong, TooManyFiles, UploadsClosed
from tasks.inbox import NewUpload
from tasks.service import Service
from tasks.submissions import Upload, submit_batch
from tests.db.machine import Machine
from tests.tasks.conftest import Submit
from tests.tasks.pictures import FAST, picture

FASTEST = Options(model=FAST)


def kept_bytes(service: Service) -> int:
    """Blobs that are there, whatever the rows say."""
    return len(list(service.store.blobs.finished())) + len(service.store.blobs.abandoned())


def nudges(service: Service) -> int:
    return int(service.queue._huey.storage.queue_size())


def test_a_batch_is_promised_with_its_files_hours_and_one_nudge_per_job(
    service: Service, ada: UUID, upload: Callable[..., Upload]
) -> None:
    uploads = [upload(name="cat.png"), upload(picture(30, 20, "JPEG"), "hund ü.jpg")]

    batch_id = submit_batch(service, ada, uploads, Options(model=FAST, scale=2, quality=80))

    batch = views.show(service.store, batch_id, ada)
    assert batch.state is State.QUEUED
    assert batch.expires_at - batch.created_at == timedelta(hours=48)
    assert [job.name for job in batch.jobs] == ["cat.png", "hund ü.jpg"]
    assert [job.scale for job in batch.jobs] == [2, 2]
    assert [job.options["quality"] for job in batch.jobs] == [80, 80]
    originals = [job.files[0] for job in batch.jobs]
    assert [(o.role, o.format, o.width, o.height) for o in originals] == [
        (Role.ORIGINAL, "png", 24, 16),
        (Role.ORIGINAL, "jpg", 30, 20),
    ]
    assert nudges(service) == 2
    assert not any(one.path.exists() for one in uploads)


def test_what_is_kept_is_what_was_handed_in_and_lies_encrypted(
    service: Service, ada: UUID, submit: Submit
) -> None:
    batch = views.show(service.store, submit(ada), ada)

    stored = files.find(service.store, batch.jobs[0].files[0].id, ada)
    with files.open(service.store, stored) as stream:
        assert stream.read() == picture()
    lying = b"".join(p.read_bytes() for p in service.folders.blobs.rglob("*") if p.is_file())
    assert b"PNG" not in lying


def test_one_bad_file_of_five_fails_alone_with_its_reason(
    service: Service, ada: UUID, upload: Callable[..., Upload]
) -> None:
    service = replace(service, limits=replace(service.limits, input_pixels=1000, file_bytes=30_000))
    uploads = [
        upload(),
        upload(b"no picture", "lie.png"),
        upload(picture(60, 40), "large.png"),
        upload(picture() + b"\0" * 40_000, "heavy.png"),
        upload(picture(20, 10, "WEBP"), "fine.txt"),
    ]

    batch = views.show(service.store, submit_batch(service, ada, uploads, FASTEST), ada)

    assert [job.failure and job.failure.code for job in batch.jobs] == [
        None,
        "INVALID_FILE_TYPE",
        "RESOLUTION_TOO_HIGH",
        "FILE_SIZE_EXCEEDED",
        None,
    ]
    assert [job.state for job in batch.jobs].count(State.QUEUED) == 2
    assert all(job.failure.message and job.failure.hint for job in batch.jobs if job.failure)
    assert kept_bytes(service) == 2
    assert nudges(service) == 2
    assert list(service.folders.inbox.iterdir()) == []


def test_the_same_idempotency_key_is_the_same_batch_for_the_same_user_only(
    service: Service, ada: UUID, bob: UUID, submit: Submit
) -> None:
    first = submit(ada, 2, key="press-1")
    again = submit(ada, 2, key="press-1")
    of_bob = submit(bob, 2, key="press-1")

    assert again == first
    assert of_bob != first
    assert kept_bytes(service) == 4
    assert nudges(service) == 4


@pytest.mark.parametrize(
    ("pictures", "refusal"), [(0, NothingToDo), (21, TooManyFiles)], ids=["none", "too many"]
)
def test_a_batch_has_one_to_twenty_pictures(
    service: Service, ada: UUID, submit: Submit, pictures: int, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        submit(ada, pictures)

    assert kept_bytes(service) == 0


def test_an_unknown_model_is_refused_before_anything_is_kept(
    service: Service, ada: UUID, submit: Submit
) -> None:
    with pytest.raises(UnknownModel, match="Did you mean"):
        submit(ada, model="realesr-animevideov4")

    assert kept_bytes(service) == 0


def test_bits_that_the_format_of_a_picture_cannot_hold_fail_at_once_and_are_not_kept(
    service: Service, ada: UUID, upload: Callable[..., Upload]
) -> None:
    uploads = [upload(), upload(picture(30, 20, "JPEG"), "photo.jpg")]

    batch_id = submit_batch(service, ada, uploads, Options(model=FAST, bits=16))

    held, refused = views.show(service.store, batch_id, ada).jobs
    assert (held.state, refused.state) == (State.QUEUED, State.FAILED)
    assert refused.failure
    assert refused.failure.code == "FORMAT_CANNOT_HOLD"
    assert kept_bytes(service) == 1


def test_a_user_with_too_many_open_jobs_is_refused_and_nothing_is_kept(
    service: Service, ada: UUID, bob: UUID, upload: Callable[..., Upload]
) -> None:
    service = replace(service, limits=replace(service.limits, open_jobs=3))
    submit_batch(service, ada, [upload(), upload()], FASTEST, "a")

    more = [upload(), upload()]
    with pytest.raises(TooManyOpenJobs):
        submit_batch(service, ada, more, FASTEST, "b")

    assert kept_bytes(service) == 2
    assert find_by_key(service.store, ada, "b") is None
    assert all(one.path.exists() for one in more)
    assert submit_batch(service, bob, more, FASTEST)


def test_nothing_is_accepted_while_bytes_older_than_sixty_hours_exist(
    service: Service, ada: UUID, bob: UUID, submit: Submit, machine: Machine
) -> None:
    submit(ada)
    machine.passes(hours=60, seconds=1)

    with pytest.raises(UploadsClosed, match="not working"):
        submit(bob)


def test_a_batch_that_would_start_after_eighteen_hours_is_refused_with_the_estimate(
    service: Service, ada: UUID, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 24 × 16 pixels at this pace are 3,840 s a picture.
    monkeypatch.setattr(limits, "_UNKNOWN_PACE", 0.1)
    submit(ada, 17)

    with pytest.raises(QueueTooLong, match="about 19 hours; 18 is the most"):
        submit(ada, 2)

    assert waiting.open_jobs(service.store, ada) == 17


def test_a_full_disk_keeps_nothing_and_leaves_the_uploads(
    service: Service, ada: UUID, upload: Callable[..., Upload], monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = [upload(), upload(name="second.png")]
    really = files.keep
    kept = []

    def full(*arguments: object, **more: object) -> files.Kept:
        if kept:
            raise StorageFull
        kept.append(really(*arguments, **more))
        return kept[0]

    monkeypatch.setattr(submissions.files, "keep", full)
    with pytest.raises(StorageFull):
        submit_batch(service, ada, uploads, FASTEST)

    assert kept_bytes(service) == 0
    assert all(one.path.exists() for one in uploads)
    assert waiting.open_jobs(service.store, ada) == 0


def test_a_single_job_of_another_user_is_next_behind_two_hundred(
    service: Service, submit: Submit
) -> None:
    from db import jobs, workers

    busy = users.ensure_user(service.store, users.LOCAL, "busy")
    for _ in range(10):
        submit(busy, 20)
    worker = workers.register(service.store, "cpu")
    first = jobs.claim_next(service.store, worker)
    late = users.ensure_user(service.store, users.LOCAL, "late")
    single = submit(late)

    second = jobs.claim_next(service.store, worker)

    assert first is not None
    assert first.user_id == busy
    assert second is not None
    assert second.batch_id == single


def test_the_folder_of_an_upload_goes_with_it_and_the_inbox_stays(
    service: Service, ada: UUID
) -> None:
    new = NewUpload(service.folders, ada, "cat.png")
    new.write(picture())
    path = new.finish(service.store.clock.now())

    submit_batch(service, ada, [Upload(path, "cat.png")], FASTEST)

    assert [found.name for found in service.folders.inbox.rglob("*")] == [str(ada)]
