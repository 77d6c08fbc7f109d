"""One picture from its upload to its receipt, told with the calls that tasks will make."""

import io

import pytest

from db import batches, files, jobs, receipts, retention, views
from db.audit import audit
from db.errors import Gone, NotFound
from db.reconcile import Reconciled, reconcile
from db.work import Cause, Role, State
from tests.db.situations import a_user, a_worker, file_of, kept


def test_a_picture_is_kept_upscaled_downloaded_and_forgotten(store, machine, places):
    ada, eve = a_user(store, "ada"), a_user(store, "eve")
    original = files.keep(
        store, io.BytesIO(b"canary of the original"), Role.ORIGINAL, format="png", width=4, height=4
    )
    new = batches.NewJob(name="cat.png", model="realesrgan-x4plus", original=original, scale=4)
    batch = batches.create(store, ada, [new], options={"scale": 4}, idempotency_key="once")
    assert batch.new
    assert views.show(store, batch.id, ada).jobs[0].position == 1

    worker = a_worker(store)
    claim = jobs.claim_next(store, worker)
    assert jobs.claim_next(store, worker) is None
    with files.open(store, files.find(store, claim.original_id, claim.user_id)) as source:
        assert source.read() == b"canary of the original"
    assert jobs.progress(store, claim, 1, 2) is False
    with files.Writer(store, Role.RESULT, format="png") as sink:
        sink.write(b"canary of ")
        sink.write(b"the result")
        result = sink.finish(width=16, height=16)
    preview = kept(store, b"canary of the preview", Role.PREVIEW)
    jobs.finish(store, claim, [result, preview], {"device": "cpu"}, 9)

    view = views.show(store, batch.id, ada)
    assert view.state is State.SUCCEEDED
    assert {file.role for file in view.jobs[0].files} == {
        Role.ORIGINAL,
        Role.RESULT,
        Role.PREVIEW,
    }
    result_id = file_of(store, claim.job_id, Role.RESULT)
    with files.open(store, files.find(store, result_id, ada)) as stream:
        stream.seek(-10, io.SEEK_END)
        assert stream.read() == b"the result"
    with pytest.raises(NotFound):
        files.find(store, result_id, eve)
    assert b"canary" not in places.everything()

    machine.passes(hours=47, minutes=59, seconds=59)
    stored = files.find(store, result_id, ada)
    machine.passes(seconds=1)
    with pytest.raises(Gone):
        files.find(store, result_id, ada)
    with pytest.raises(Gone):
        files.open(store, stored)

    assert retention.delete_due(store) == 3
    assert receipts.count(store) == {Cause.EXPIRED: 3}
    assert reconcile(store) == Reconciled(0, 0, 0, 0)
    assert audit(store) == []
    assert [path for path in places.blobs.rglob("*") if path.is_file()] == []
    view = views.show(store, batch.id, ada)
    assert view.state is State.SUCCEEDED
    assert all(file.receipt_id and not file.readable for file in view.jobs[0].files)
