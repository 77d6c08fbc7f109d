"""Running again: from what lies here encrypted to a new batch, within the old one's time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from db import batches, files, views
from db.errors import Gone, NotFound, TooManyOpenJobs
from db.views import FileView, JobView
from db.work import Cause, Kind, Role, State
from inference.errors import UnknownModel
from inference.options import Options
from tasks import limits
from tasks.again import submit_again
from tasks.deletion import delete_batch
from tasks.errors import TooLateForAll
from tasks.service import Service
from tasks.submissions import Upload, submit_batch
from tests.db.machine import Machine
from tests.tasks.conftest import Submit
from tests.tasks.pictures import FAST, picture
from tests.tasks.test_submissions import kept_bytes, nudges


def original(job: JobView) -> FileView:
    (found,) = [file for file in job.files if file.role is Role.ORIGINAL]
    return found


def plain(service: Service, file: FileView, user_id: UUID) -> bytes:
    with files.open(service.store, files.find(service.store, file.id, user_id)) as stream:
        return stream.read()


def test_pictures_run_again_as_before_from_copies_of_their_own(
    service: Service, ada: UUID, upload: Callable[..., Upload]
) -> None:
    uploads = [upload(name="cat.png"), upload(picture(30, 20, "JPEG"), "صورة 🐈.jpg")]
    ordered = Options(model=FAST, long_side=70, output_format="webp", quality=81, metadata="none")
    first = views.show(service.store, submit_batch(service, ada, uploads, ordered), ada)

    second = views.show(service.store, submit_again(service, ada, first.id), ada)

    assert second.id != first.id
    assert second.state is State.QUEUED
    assert second.options == first.options
    assert [job.name for job in second.jobs] == ["cat.png", "صورة 🐈.jpg"]
    for before, after in zip(first.jobs, second.jobs, strict=True):
        assert (after.model, after.scale, after.target_long_side) == (FAST, None, 70)
        assert after.options == before.options
        old, new = original(before), original(after)
        assert old.id != new.id
        assert (old.format, old.width, old.height) == (new.format, new.width, new.height)
        assert plain(service, old, ada) == plain(service, new, ada)
    assert nudges(service) == 4
    assert list(service.folders.inbox.iterdir()) == []
    lying = b"".join(p.read_bytes() for p in service.folders.blobs.rglob("*") if p.is_file())
    assert b"PNG" not in lying


def test_the_copy_is_readable_without_the_first_batch(
    service: Service, ada: UUID, submit: Submit
) -> None:
    first = submit(ada)
    second = submit_again(service, ada, first)

    delete_batch(service, first, ada)

    (job,) = views.show(service.store, second, ada).jobs
    assert plain(service, original(job), ada) == picture()


def test_the_new_batch_ends_with_the_old_one_however_often_it_is_run_again(
    service: Service, ada: UUID, submit: Submit, machine: Machine
) -> None:
    first = submit(ada)
    ends = views.show(service.store, first, ada).expires_at
    machine.passes(hours=20)
    second = submit_again(service, ada, first)
    machine.passes(hours=20)
    third = submit_again(service, ada, second)

    for batch_id in (second, third):
        batch = views.show(service.store, batch_id, ada)
        assert batch.expires_at == ends
        assert {file.expires_at for job in batch.jobs for file in job.files} == {ends}


def test_pictures_run_again_with_other_settings_and_are_judged_by_them(
    service: Service, ada: UUID, upload: Callable[..., Upload]
) -> None:
    first = submit_batch(
        service, ada, [upload(), upload(picture(60, 40), "large.png")], Options(model=FAST)
    )
    service = replace(service, limits=replace(service.limits, output_pixels=100_000))

    second = submit_again(service, ada, first, options=Options(model=FAST, scale=16))

    small, large = views.show(service.store, second, ada).jobs
    assert (small.state, small.scale) == (State.QUEUED, 16)
    assert large.failure is not None
    assert large.failure.code == "RESOLUTION_TOO_HIGH"
    assert kept_bytes(service) == 3


def test_only_what_is_asked_for_and_can_be_read_runs_again(
    service: Service, ada: UUID, upload: Callable[..., Upload]
) -> None:
    uploads = [upload(name="a.png"), upload(b"no picture", "broken.png"), upload(name="c.png")]
    first = submit_batch(service, ada, uploads, Options(model=FAST))
    a, broken, c = views.show(service.store, first, ada).jobs

    def names(*asked: UUID) -> list[str]:
        batch_id = submit_again(service, ada, first, asked or None)
        return [job.name for job in views.show(service.store, batch_id, ada).jobs]

    assert names() == ["a.png", "c.png"]
    assert names(c.id) == ["c.png"]
    with pytest.raises(Gone):
        names(broken.id)
    with pytest.raises(NotFound):
        names(a.id, uuid4())
    files.erase(service.store, [original(a).id], Cause.USER)
    assert names() == ["c.png"]
    with pytest.raises(Gone):
        names(a.id, c.id)


def test_when_the_originals_are_gone_nothing_runs_again(
    service: Service, ada: UUID, submit: Submit, machine: Machine
) -> None:
    deleted, over = submit(ada), submit(ada)
    delete_batch(service, deleted, ada)
    with pytest.raises(Gone, match="not here any more"):
        submit_again(service, ada, deleted)

    machine.passes(hours=48)
    with pytest.raises(Gone, match="not here any more"):
        submit_again(service, ada, over)


def test_what_would_not_be_done_in_the_time_that_is_left_is_refused_with_both_times(
    service: Service,
    ada: UUID,
    submit: Submit,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = submit(ada)
    machine.passes(hours=47)
    monkeypatch.setattr(limits, "expected_wait", lambda *_: timedelta(minutes=75))

    with pytest.raises(TooLateForAll) as refused:
        submit_again(service, ada, first)

    assert refused.value.message == (
        "This would take about 1 h 15 min, and the originals are readable for 1 h 0 min more."
    )
    assert kept_bytes(service) == 1
    monkeypatch.setattr(limits, "expected_wait", lambda *_: timedelta(minutes=45))
    submit_again(service, ada, first)


def test_a_press_repeated_after_a_lost_answer_runs_nothing_twice(
    service: Service, ada: UUID, submit: Submit
) -> None:
    first = submit(ada)

    second = submit_again(service, ada, first, idempotency_key="press-1")

    assert submit_again(service, ada, first, idempotency_key="press-1") == second
    assert kept_bytes(service) == 2


def test_others_find_nothing_to_run_again_and_tries_are_not_run_again(
    service: Service, ada: UUID, bob: UUID, submit: Submit
) -> None:
    batch_id = submit(ada)
    with pytest.raises(NotFound):
        submit_again(service, bob, batch_id)

    (job,) = views.show(service.store, batch_id, ada).jobs
    with files.open(service.store, files.find(service.store, original(job).id, ada)) as stream:
        kept = files.keep(service.store, stream, Role.ORIGINAL, format="png", width=24, height=16)
    spot = batches.NewJob("spot.png", FAST, kept, scale=4)
    tried = batches.create(service.store, ada, [spot], options={}, kind=Kind.TRY).id
    with pytest.raises(NotFound):
        submit_again(service, ada, tried)


def test_what_is_refused_leaves_nothing_behind(service: Service, ada: UUID, submit: Submit) -> None:
    first = submit(ada, 2)
    with pytest.raises(UnknownModel):
        submit_again(service, ada, first, options=Options(model="nothing-like-it"))
    service = replace(service, limits=replace(service.limits, open_jobs=3))
    with pytest.raises(TooManyOpenJobs):
        submit_again(service, ada, first)

    assert kept_bytes(service) == 2


def test_a_damaged_original_fails_alone(service: Service, ada: UUID, submit: Submit) -> None:
    first = submit(ada, 2)
    stored = files.find(
        service.store, original(views.show(service.store, first, ada).jobs[1]).id, ada
    )
    path = service.store.blobs.path(stored.blob_name)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    whole, damaged = views.show(service.store, submit_again(service, ada, first), ada).jobs

    assert whole.state is State.QUEUED
    assert damaged.failure is not None
    assert damaged.failure.code == "FILE_DAMAGED"
    assert kept_bytes(service) == 3
