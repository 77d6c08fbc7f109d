"""What is ahead of the queue: tries and conversions, done beside a long run."""

import io
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest
from PIL import Image, ImageCms

from db import batches, counts, files, history, jobs, recovery, views, waiting, workers
from db.errors import Gone, NotFound
from db.upkeep import DailyCount, Metric
from db.work import Cause, Kind, Role, State
from inference.engine import Engine
from inference.errors import FormatCannotHold, InvalidOptions
from inference.options import Options
from inference.weights import ModelStore
from tasks.conversion import Room, submit_conversion
from tasks.deletion import delete_batch
from tasks.errors import NothingToTry, SpotTooLarge
from tasks.express import KINDS, Express
from tasks.service import Service
from tasks.submissions import Upload, submit_batch
from tasks.trying import submit_try
from tasks.upscaling import Upscaler
from tests.db.machine import Machine
from tests.tasks.conftest import Submit
from tests.tasks.pictures import FAST, picture

SLOW = "realesrgan-x4plus-anime-6b"
MODELS = [FAST, SLOW]


@pytest.fixture(scope="module")
def engine(models_path) -> Engine:
    return Engine(ModelStore(models_path), "cpu")


class Lanes:
    """Both lanes of a worker, each a step at a time."""

    def __init__(self, service: Service, engine: Engine, room: Room) -> None:
        worker_id = workers.register(service.store, "cpu")
        self.queue = Upscaler(service.store, engine, worker_id, lambda: False)
        self.express = Upscaler(
            service.store, engine, worker_id, lambda: False, KINDS, conversions=room
        )

    def work(self) -> None:
        while self.queue.upscale_next():
            pass

    def serve(self) -> int:
        done = 0
        while self.express.upscale_next():
            done += 1
        return done


@pytest.fixture
def lanes(service: Service, engine: Engine) -> Lanes:
    return Lanes(service, engine, Room())


def jobs_of(service: Service, batch_id: UUID, user_id: UUID) -> tuple[views.JobView, ...]:
    return views.show(service.store, batch_id, user_id).jobs


def result_of(service: Service, batch_id: UUID, user_id: UUID) -> Image.Image:
    (job,) = jobs_of(service, batch_id, user_id)
    assert job.state is State.SUCCEEDED, job.failure
    (result,) = [file for file in job.files if file.role is Role.RESULT]
    with files.open(service.store, files.find(service.store, result.id, user_id)) as stream:
        image = Image.open(io.BytesIO(stream.read()))
    image.load()
    return image


def counted(service: Service, metric: Metric) -> dict[str, int]:
    from sqlalchemy import select

    with service.store.reading() as rows:
        found = rows.execute(
            select(DailyCount.dimension, DailyCount.value).where(DailyCount.metric == metric)
        ).all()
    return {row.dimension: row.value for row in found}


# --- the lane -------------------------------------------------------------------------------


def test_a_try_is_done_while_a_picture_is_being_upscaled(
    service: Service, lanes: Lanes, ada: UUID, submit: Submit, upload: Callable[..., Upload]
) -> None:
    running = submit(ada)
    worker_id = workers.register(service.store, "cpu")
    assert jobs.claim_next(service.store, worker_id) is not None  # and it takes for ever
    tried = submit_try(service, ada, upload(), [FAST])

    assert lanes.serve() == 1

    assert jobs_of(service, tried, ada)[0].state is State.SUCCEEDED
    assert jobs_of(service, running, ada)[0].state is State.RUNNING


def test_the_thread_of_the_express_lane_finds_its_work_by_itself(
    service: Service, lanes: Lanes, ada: UUID, upload: Callable[..., Upload]
) -> None:
    express = Express(service.store, lanes.express.upscale_next)
    express.start()
    try:
        tried = submit_try(service, ada, upload(), [FAST])
        for _ in range(400):
            if jobs_of(service, tried, ada)[0].state is State.SUCCEEDED:
                break
            express._leaving.wait(0.05)
        assert jobs_of(service, tried, ada)[0].state is State.SUCCEEDED
    finally:
        express.leave(20)
    assert not express._thread.is_alive()


def test_nobody_waits_for_what_is_ahead_of_the_queue(
    service: Service,
    lanes: Lanes,
    ada: UUID,
    bob: UUID,
    submit: Submit,
    upload: Callable[..., Upload],
) -> None:
    submit_try(service, bob, upload(), MODELS)
    mine = submit(ada)

    assert jobs_of(service, mine, ada)[0].position == 1
    assert waiting.queued_jobs(service.store) == 1
    assert waiting.backlog(service.store, ada, 1).jobs == 1
    assert waiting.open_jobs(service.store, bob) == 0
    lanes.serve()
    assert waiting.pace(service.store) == {}


def test_a_try_has_no_place_in_the_queue_and_no_row_in_the_history(
    service: Service, ada: UUID, upload: Callable[..., Upload]
) -> None:
    tried = submit_try(service, ada, upload(), [FAST])

    assert jobs_of(service, tried, ada)[0].position is None
    assert history.page(service.store, ada).items == ()
    (batch,) = history.recent(service.store, ada)
    assert (batch.id, batch.kind) == (tried, Kind.TRY)


def test_what_is_ahead_of_the_queue_is_counted_as_a_feature_only(
    service: Service, lanes: Lanes, ada: UUID, submit: Submit, upload: Callable[..., Upload]
) -> None:
    (job,) = jobs_of(service, submit(ada), ada)
    lanes.work()
    submit_try(service, ada, upload(), MODELS)
    lanes.serve()
    submit_conversion(service, ada, job.id, "jpg", 90)
    submit_try(service, ada, upload(), MODELS)
    submit_try(service, ada, upload(), MODELS)  # which cancels the one before

    lanes.serve()

    assert counted(service, Metric.FEATURE) == {"try": 3, "convert": 1}
    for metric in (Metric.SUBMITTED, Metric.SUCCEEDED):
        assert counts.total(service.store, metric) == 1
    for metric in (Metric.FAILED, Metric.CANCELED):
        assert counts.total(service.store, metric) == 0


def test_a_try_that_lost_its_worker_is_taken_back_and_not_counted(
    service: Service, machine: Machine, ada: UUID, upload: Callable[..., Upload]
) -> None:
    tried = submit_try(service, ada, upload(), [FAST])
    for _ in range(recovery.INTERRUPTIONS):
        worker_id = workers.register(service.store, "cpu")
        assert jobs.claim_next(service.store, worker_id, kinds=KINDS) is not None
        machine.passes(jobs.LEASE + timedelta(seconds=1))
        recovery.recover(service.store)

    (job,) = jobs_of(service, tried, ada)
    assert (job.state, job.failure) == (State.FAILED, recovery.INTERRUPTED)
    assert counts.total(service.store, Metric.FAILED) == 0


# --- tries ----------------------------------------------------------------------------------


def test_a_try_has_a_job_for_every_model_at_its_own_scale_and_a_copy_of_the_spot_for_each(
    service: Service, ada: UUID, upload: Callable[..., Upload]
) -> None:
    spot = upload(picture(160, 110))

    tried = submit_try(service, ada, spot, None, Options(scale=16, output_format="jpg"))

    found = jobs_of(service, tried, ada)
    assert {job.model for job in found} >= set(MODELS)
    assert {job.scale for job in found if "x2" in job.model} == {2}
    assert {job.scale for job in found if "x2" not in job.model and "x3" not in job.model} == {4}
    assert all(job.options["output_format"] == "png" for job in found)
    originals = [file for job in found for file in job.files]
    assert len({file.id for file in originals}) == len(found)
    assert {(file.role, file.width, file.height) for file in originals} == {
        (Role.ORIGINAL, 160, 110)
    }
    assert not spot.path.exists()


def test_a_try_becomes_a_picture_without_previews(
    service: Service, lanes: Lanes, ada: UUID, upload: Callable[..., Upload]
) -> None:
    tried = submit_try(service, ada, upload(), [FAST])
    lanes.serve()

    (job,) = jobs_of(service, tried, ada)
    assert {file.role for file in job.files} == {Role.ORIGINAL, Role.RESULT}
    assert len({file.expires_at for file in job.files}) == 1
    assert result_of(service, tried, ada).size == (96, 64)


def test_looking_at_a_try_is_no_download(
    service: Service, lanes: Lanes, ada: UUID, upload: Callable[..., Upload]
) -> None:
    tried = submit_try(service, ada, upload(), [FAST])
    lanes.serve()
    (job,) = jobs_of(service, tried, ada)
    (result,) = [file for file in job.files if file.role is Role.RESULT]

    files.note_download(service.store, files.find(service.store, result.id, ada))

    assert counts.total(service.store, Metric.DOWNLOADED) == 0


def test_a_new_try_cancels_the_older_one(
    service: Service, ada: UUID, bob: UUID, upload: Callable[..., Upload]
) -> None:
    older = submit_try(service, ada, upload(), MODELS)
    other = submit_try(service, bob, upload(), [FAST])

    newer = submit_try(service, ada, upload(), [FAST])

    assert {job.state for job in jobs_of(service, older, ada)} == {State.CANCELED}
    assert jobs_of(service, newer, ada)[0].state is State.QUEUED
    assert jobs_of(service, other, bob)[0].state is State.QUEUED


@pytest.mark.parametrize(
    ("spot", "models", "refusal"),
    [
        (picture(161 - 1, 110), ["no-such-model"], NothingToTry),
        (None, [FAST], SpotTooLarge),
    ],
)
def test_what_cannot_be_tried_is_refused_and_nothing_is_kept(
    service: Service,
    ada: UUID,
    upload: Callable[..., Upload],
    spot: bytes | None,
    models: list[str],
    refusal: type[Exception],
) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (161, 20)).save(stream, "PNG")
    laid = upload(spot or stream.getvalue())

    with pytest.raises(refusal):
        submit_try(service, ada, laid, models)

    assert laid.path.exists()
    assert not list(service.store.blobs.finished())
    assert history.recent(service.store, ada) == ()


# --- conversions ----------------------------------------------------------------------------


@pytest.fixture
def finished(
    service: Service, lanes: Lanes, ada: UUID, upload: Callable[..., Upload]
) -> Callable[..., views.JobView]:
    """A picture that was upscaled."""

    def finished(data: bytes | None = None, **options: object) -> views.JobView:
        order = Options(**{"model": FAST, "scale": 2, **options})
        batch_id = submit_batch(service, ada, [upload(data)], order)
        lanes.work()
        (job,) = jobs_of(service, batch_id, ada)
        assert job.state is State.SUCCEEDED, job.failure
        return job

    return finished


Finished = Callable[..., views.JobView]


def batch_of(service: Service, job: views.JobView, user_id: UUID) -> views.BatchView:
    found = history.page(service.store, user_id).items
    return next(batch for batch in found if job.id in [each.id for each in batch.jobs])


def pixels_of_result(service: Service, job: views.JobView, user_id: UUID) -> np.ndarray:
    (result,) = [file for file in job.files if file.role is Role.RESULT]
    with (
        files.open(service.store, files.find(service.store, result.id, user_id)) as stream,
        Image.open(stream) as image,
    ):
        return np.asarray(image.convert("RGB")).astype(int)


def a_wide_gamut_photo() -> bytes:
    """With a profile and a print resolution."""
    stream = io.BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with Image.open(io.BytesIO(picture(48, 32))) as photo:
        photo.save(stream, "PNG", icc_profile=profile, dpi=(300, 300))
    return stream.getvalue()


@pytest.mark.parametrize(("output_format", "name"), [("jpg", "JPEG"), ("webp", "WEBP")])
def test_a_conversion_has_the_same_pixels_and_what_belongs_to_them(
    service: Service, lanes: Lanes, ada: UUID, finished: Finished, output_format: str, name: str
) -> None:
    job = finished(a_wide_gamut_photo())

    made = submit_conversion(service, ada, job.id, output_format, 95)
    assert lanes.serve() == 1

    image = result_of(service, made, ada)
    assert (image.format, image.size) == (name, (96, 64))
    difference = np.abs(
        np.asarray(image.convert("RGB")).astype(int) - pixels_of_result(service, job, ada)
    )
    assert difference.mean() < 3
    assert image.info["icc_profile"]
    assert FAST.encode() in image.info["xmp"]  # the mark says which network drew it
    if output_format == "jpg":
        assert image.info["dpi"] == (300, 300)
    view = views.show(service.store, made, ada)
    assert view.kind is Kind.CONVERT
    assert view.expires_at == batch_of(service, job, ada).expires_at
    assert {file.role for file in view.jobs[0].files} == {Role.RESULT}


def test_what_had_no_metadata_gets_none(
    service: Service, lanes: Lanes, ada: UUID, finished: Finished
) -> None:
    job = finished(a_wide_gamut_photo(), metadata="none")
    made = submit_conversion(service, ada, job.id, "webp", 90)
    lanes.serve()
    assert not {"icc_profile", "xmp", "exif"} & set(result_of(service, made, ada).info)


def test_a_jpeg_becomes_a_png_of_the_very_same_pixels(
    service: Service, lanes: Lanes, ada: UUID, finished: Finished
) -> None:
    job = finished(output_format="jpg")
    made = submit_conversion(service, ada, job.id, "png", 1)
    lanes.serve()
    image = result_of(service, made, ada)
    assert (np.asarray(image.convert("RGB")) == pixels_of_result(service, job, ada)).all()


def deep_png() -> bytes:
    import cv2

    ramp = np.linspace(0, 65535, 40 * 30 * 3).astype(np.uint16).reshape(30, 40, 3)
    return bytes(cv2.imencode(".png", ramp)[1])


def test_sixteen_bits_stay_for_png_and_become_eight_elsewhere(
    service: Service, lanes: Lanes, ada: UUID, finished: Finished
) -> None:
    job = finished(deep_png())
    made = {kind: submit_conversion(service, ada, job.id, kind, 95) for kind in ("png", "webp")}
    lanes.serve()
    reports = {kind: jobs_of(service, made[kind], ada)[0].report or {} for kind in made}
    assert {kind: report["bits"] for kind, report in reports.items()} == {"png": 16, "webp": 8}
    assert reports["webp"]["notes"] == ["16 bits per channel were reduced to 8; PNG keeps them."]


def test_the_same_conversion_is_the_same_file_and_one_that_failed_is_made_anew(
    service: Service, lanes: Lanes, ada: UUID, finished: Finished
) -> None:
    job = finished()
    first = submit_conversion(service, ada, job.id, "jpg", 90)
    assert submit_conversion(service, ada, job.id, "jpg", 90) == first
    assert submit_conversion(service, ada, job.id, "jpg", 91) != first
    lanes.serve()
    assert submit_conversion(service, ada, job.id, "jpg", 90) == first

    webp = submit_conversion(service, ada, job.id, "webp", 90)
    batches.cancel(service.store, webp, ada)
    again = submit_conversion(service, ada, job.id, "webp", 90)

    assert again != webp
    assert submit_conversion(service, ada, job.id, "webp", 90) == again


def test_transparency_does_not_go_into_a_jpeg(
    service: Service, lanes: Lanes, ada: UUID, finished: Finished
) -> None:
    stream = io.BytesIO()
    Image.new("RGBA", (24, 16), (200, 30, 30, 90)).save(stream, "PNG")
    job = finished(stream.getvalue())
    made = submit_conversion(service, ada, job.id, "jpg", 90)
    lanes.serve()
    (converted,) = jobs_of(service, made, ada)
    assert converted.state is State.FAILED
    assert converted.failure
    assert "transparent" in converted.failure.message


def test_sides_beyond_a_formats_end_are_refused_at_once(
    service: Service, ada: UUID, finished: Finished
) -> None:
    stream = io.BytesIO()
    Image.new("L", (8200, 2), 90).save(stream, "PNG")
    job = finished(stream.getvalue())
    with pytest.raises(FormatCannotHold, match="16,383"):
        submit_conversion(service, ada, job.id, "webp", 90)
    assert [batch.kind for batch in history.recent(service.store, ada)] == [Kind.UPSCALE]


@pytest.mark.parametrize(
    ("room", "sentence"),
    [(10_000, "Reading 48 × 32 pixels can take"), (4_000_000, "A WebP file is made in one piece")],
)
def test_what_would_not_fit_into_memory_is_refused_with_a_sentence(
    service: Service, engine: Engine, ada: UUID, finished: Finished, room: int, sentence: str
) -> None:
    job = finished()
    made = submit_conversion(service, ada, job.id, "webp", 90)
    Lanes(service, engine, Room(bytes_free=room)).serve()
    (converted,) = jobs_of(service, made, ada)
    assert converted.failure
    assert converted.failure.code == "FORMAT_CANNOT_HOLD"
    assert sentence in converted.failure.message


def test_only_the_owner_of_a_result_that_can_be_read_has_it_converted(
    service: Service, machine: Machine, ada: UUID, bob: UUID, finished: Finished, submit: Submit
) -> None:
    job = finished()
    (unfinished,) = jobs_of(service, submit(ada), ada)
    for user_id, job_id in ((bob, job.id), (ada, unfinished.id), (ada, ada)):
        with pytest.raises(NotFound):
            submit_conversion(service, user_id, job_id, "jpg", 90)
    with pytest.raises(InvalidOptions):
        submit_conversion(service, ada, job.id, "jpg", 0)
    machine.passes(hours=48)
    with pytest.raises(Gone):
        submit_conversion(service, ada, job.id, "jpg", 90)


def test_a_conversion_of_an_old_result_goes_when_that_does(
    service: Service, machine: Machine, lanes: Lanes, ada: UUID, finished: Finished
) -> None:
    job = finished()
    machine.passes(hours=47)
    made = submit_conversion(service, ada, job.id, "jpg", 90)
    lanes.serve()
    (converted,) = jobs_of(service, made, ada)
    assert converted.files[0].readable
    machine.passes(hours=1)
    with pytest.raises(Gone):
        files.find(service.store, converted.files[0].id, ada)


def test_deleting_a_batch_deletes_what_was_converted_from_it(
    service: Service, lanes: Lanes, ada: UUID, finished: Finished
) -> None:
    job = finished()
    done = submit_conversion(service, ada, job.id, "jpg", 90)
    lanes.serve()
    waits = submit_conversion(service, ada, job.id, "webp", 90)

    erased = delete_batch(service, batch_of(service, job, ada).id, ada)

    assert erased == len(job.files) + 1
    assert not list(service.store.blobs.finished())
    assert jobs_of(service, waits, ada)[0].state is State.CANCELED
    assert causes(service) == {Cause.USER: len(job.files) + 1}
    assert jobs_of(service, done, ada)[0].files[0].receipt_id
    assert lanes.serve() == 0


def causes(service: Service) -> dict[Cause, int]:
    from sqlalchemy import func, select

    from db.upkeep import Receipt

    with service.store.reading() as rows:
        found = rows.execute(select(Receipt.cause, func.count()).group_by(Receipt.cause)).all()
    return {Cause(cause): number for cause, number in found}


def test_a_conversion_does_not_outlive_a_result_that_is_deleted_meanwhile(
    service: Service, lanes: Lanes, ada: UUID, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = finished()
    made = submit_conversion(service, ada, job.id, "jpg", 90)
    (result,) = [file for file in job.files if file.role is Role.RESULT]
    really = files.Writer.finish

    def finish(writer: files.Writer, **size: int) -> files.Kept:
        files.erase(service.store, [result.id], Cause.USER)
        return really(writer, **size)

    monkeypatch.setattr(files.Writer, "finish", finish)
    lanes.serve()

    (converted,) = jobs_of(service, made, ada)
    assert (converted.state, converted.failure and converted.failure.code) == (
        State.FAILED,
        Gone.code,
    )
    assert converted.files == ()
