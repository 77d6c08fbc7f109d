"""Situations that tests begin in, named as what they are."""

import io
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select, update

from db import batches, files, jobs, users, workers
from db.store import Store
from db.work import File, Job, Role

MODEL = "realesrgan-x4plus"


def a_user(store: Store, name: str = "ada") -> UUID:
    return users.ensure_user(store, users.LOCAL, name, email=f"{name}@example.org")


def kept(store: Store, data: bytes = b"picture", role: Role = Role.ORIGINAL) -> files.Kept:
    pictures = Role.RESULT if role is Role.PREVIEW else None
    return files.keep(
        store, io.BytesIO(data), role, format="png", width=40, height=30, pictures=pictures
    )


def new_job(store: Store, data: bytes = b"picture", model: str = MODEL) -> batches.NewJob:
    return batches.NewJob(name="cat.png", model=model, original=kept(store, data), scale=4)


def a_batch(
    store: Store,
    user_id: UUID | None = None,
    *,
    pictures: int = 1,
    models: Sequence[str] = (),
    data: bytes = b"picture",
) -> UUID:
    user_id = user_id or a_user(store)
    names = models or [MODEL] * pictures
    new = [new_job(store, data, name) for name in names]
    return batches.create(store, user_id, new, options={}).id


def a_worker(store: Store) -> UUID:
    return workers.register(store, "cpu")


def a_claim(store: Store) -> jobs.Claim:
    claim = jobs.claim_next(store, a_worker(store))
    assert claim is not None
    return claim


def a_finished_job(store: Store, data: bytes = b"bigger picture") -> jobs.Claim:
    claim = a_claim(store)
    results = [kept(store, data, Role.RESULT), kept(store, b"tiles", Role.PREVIEW)]
    jobs.finish(store, claim, results, {"device": "cpu"}, 9)
    return claim


def job_row(store: Store, job_id: UUID):
    with store.reading() as rows:
        return rows.execute(select(Job.__table__).where(Job.id == job_id)).one()


def file_rows(store: Store):
    with store.reading() as rows:
        return rows.execute(select(File.__table__).order_by(File.created_at)).all()


def file_of(store: Store, job_id: UUID, role: Role) -> UUID:
    with store.reading() as rows:
        return rows.execute(
            select(File.id).where(File.job_id == job_id, File.role == role)
        ).scalar_one()


def count(store: Store, entity) -> int:
    with store.reading() as rows:
        return rows.scalar(select(func.count()).select_from(entity))


def set_columns(store: Store, entity, **values) -> None:
    with store.writing() as rows:
        rows.execute(update(entity).values(**values))
