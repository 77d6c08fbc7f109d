"""Rows as a service has them after some weeks: what an admin looks at.

No bytes lie behind the files, and nobody is behind the jobs but one owner with telling names, which
no admin may ever read. The numbers come from a seed, so they are the same each time.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert

from db import counts, deeds, users, workers
from db.store import Store
from db.upkeep import Deed, Metric, Receipt, Sweep, SweepKind, Worker
from db.work import Batch, File, Job, Role, State

NAME = "Canary in the coal mine.png"
ADDRESS = "canary@example.org"
CODES = ("MALFORMED_IMAGE", "OUT_OF_MEMORY", "NOT_STARTED_IN_TIME", "MODEL_UNAVAILABLE")
PACE = {"realesrgan-x4plus": 34.0, "realesrgan-x4plus-anime-6b": 11.0, "realesr-animevideov3": 0.9}


def fill(store: Store, days: int = 34, a_day: int = 24, seed: int = 7) -> UUID:
    """Weeks of jobs, the files of the last three days, counts, sweeps, workers and deeds. Returns
    the owner of it all."""
    chance = random.Random(seed)
    now = store.clock.now()
    owner = users.ensure_user(store, "https://id.example.org", "canary", email=ADDRESS)
    with store.writing() as rows:
        for ago in range(days - 1, -1, -1):
            at = now - timedelta(days=ago)
            midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
            number = round(a_day * (0.35 if at.weekday() > 4 else 1) * chance.uniform(0.5, 1.4))
            counts.add(rows, at, Metric.SIGNED_IN, number=round(number * chance.uniform(0.2, 0.5)))
            for _ in range(number):
                moment = midnight + timedelta(hours=chance.uniform(0, 23.5))
                if moment < now - timedelta(minutes=15):
                    _job(rows, chance, owner, moment, now)
        for kind, minutes in (("retention", 4), ("recovery", 1), ("reconcile", 41)):
            begun = now - timedelta(minutes=minutes)
            rows.execute(
                insert(Sweep).values(
                    kind=SweepKind(kind), started_at=begun, finished_at=begun, scanned=9, deleted=3
                )
            )
    store_worker(store, "cuda:0", "realesrgan-x4plus")
    _unfinished(store, owner, now)
    for deed, model in (
        (Deed.MODEL_PULLED, "realesr-animevideov3"),
        (Deed.MODEL_ADDED, "our-own"),
        (Deed.MODEL_CHECKED, "our-own"),
    ):
        deeds.record(store, owner, deed, model)
    return owner


def store_worker(store: Store, device: str, model: str) -> UUID:
    worker = workers.register(store, device)
    workers.seen(store, worker, model)
    return worker


def _job(rows: Any, chance: random.Random, owner: UUID, at: datetime, now: datetime) -> None:
    counts.add(rows, at, Metric.SUBMITTED)
    model = chance.choices(list(PACE), (5, 3, 4))[0]
    width, height = chance.choice(
        ((640, 427), (1200, 900), (2400, 1600), (3000, 2000), (4000, 3000), (6000, 4000))
    )
    state = chance.choices((State.SUCCEEDED, State.FAILED, State.CANCELED), (88, 6, 6))[0]
    took = PACE[model] * width * height / 1e6 * chance.lognormvariate(0, 0.35) + 0.6
    done = at + timedelta(seconds=took)
    counts.add(rows, at, Metric(state))
    batch, job = uuid4(), uuid4()
    rows.execute(
        insert(Batch).values(
            id=batch, user_id=owner, options={}, created_at=at, expires_at=at + timedelta(hours=48)
        )
    )
    failed = {
        "error_code": chance.choices(CODES, (9, 4, 2, 1))[0],
        "error_message": f"{NAME} is damaged.",
    }
    rows.execute(
        insert(Job).values(
            id=job,
            batch_id=batch,
            user_id=owner,
            number=0,
            name=NAME,
            model=model,
            scale=4,
            options={},
            state=state,
            created_at=at,
            started_at=at,
            finished_at=done,
            **(failed if state is State.FAILED else {}),
        )
    )
    for values in _files(chance, state, width, height, at):
        gone = None
        if (age := now - at) > timedelta(hours=48.2):
            gone = uuid4()
            deleted = at + timedelta(hours=48.1)
            seconds = round((deleted - at).total_seconds())
            role = values["role"]
            rows.execute(
                insert(Receipt).values(
                    id=gone, role=role, cause="expired", age_s=seconds, at=deleted
                )
            )
            counts.add(rows, deleted, Metric.DELETED, role)
        rows.execute(
            insert(File).values(
                id=uuid4(),
                user_id=owner,
                job_id=job,
                created_at=at,
                expires_at=at + timedelta(hours=48),
                blob_name=None if gone else uuid4().hex,
                hidden_at=at + timedelta(hours=48) if gone else None,
                hidden_cause="expired" if gone else None,
                deleted_at=at + timedelta(hours=48.1) if gone else None,
                receipt_id=gone,
                **values,
            )
        )
        assert age >= timedelta()


def _files(
    chance: random.Random, state: State, width: int, height: int, at: datetime
) -> Iterator[dict[str, Any]]:
    weight = width * height * chance.uniform(0.25, 0.6)
    yield {
        "role": Role.ORIGINAL,
        "format": "jpg",
        "width": width,
        "height": height,
        "size": round(weight),
    }
    if state is State.SUCCEEDED:
        common = {"format": "png", "width": width * 4, "height": height * 4}
        yield {"role": Role.RESULT, "size": round(weight * 9), **common}
        yield {"role": Role.PREVIEW, "pictures": "result", "size": round(weight * 2.4), **common}


def _unfinished(store: Store, owner: UUID, now: datetime) -> None:
    """One that runs, and three that wait."""
    with store.writing() as rows:
        batch, worker = uuid4(), uuid4()
        rows.execute(
            insert(Batch).values(
                id=batch,
                user_id=owner,
                options={},
                created_at=now - timedelta(minutes=9),
                expires_at=now + timedelta(hours=47),
            )
        )
        rows.execute(
            insert(Worker).values(
                id=worker,
                device="cpu",
                model="realesrgan-x4plus",
                started_at=now - timedelta(hours=30),
                seen_at=now,
            )
        )
        for number in range(4):
            runs = number == 0
            lease = {
                "started_at": now - timedelta(seconds=95),
                "lease_owner": worker,
                "lease_until": now + timedelta(seconds=25),
                "progress_done": 27,
                "progress_total": 64,
            }
            rows.execute(
                insert(Job).values(
                    batch_id=batch,
                    user_id=owner,
                    number=number,
                    name=NAME,
                    model="realesrgan-x4plus",
                    scale=4,
                    options={},
                    state=State.RUNNING if runs else State.QUEUED,
                    created_at=now - timedelta(minutes=9),
                    **(lease if runs else {}),
                )
            )
