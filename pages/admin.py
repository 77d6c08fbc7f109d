"""The tab Admin: how the service does, what it keeps, and which models it has.

For admins in a browser; every question is asked of the visitor again, and to everybody else there
is nothing here. Tells numbers, and words that the service itself chose: no picture, no name of one,
no person. Knows no SQL, and no process: those are `db.office`'s and the model desk's.
"""

import shutil
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import gradio as gr
from pydantic import BaseModel, StringConstraints

from app.settings import Settings
from db import deeds, holds, office, retention, sweeps
from db.errors import NotFound
from db.upkeep import Metric, SweepKind
from db.work import Role
from inference import catalog
from inference.installed import ModelFolder
from pages import shapes
from pages.asking import Act, Json, answers, part
from pages.visitor import Visitor
from tasks.model_desk import ENDINGS, ModelDesk, Task
from tasks.service import Service

DAYS = 30
"""Over how many days the figures run, today included."""

_ENDED = (Metric.SUCCEEDED, Metric.FAILED, Metric.CANCELED)


class WhichModel(BaseModel):
    """One model."""

    name: Annotated[str, StringConstraints(max_length=120)]


def place_admin(service: Service, settings: Settings, desk: ModelDesk) -> None:
    """Place the tab's part, and let it work. Nothing of the service is in it before it asks."""
    with gr.Column(elem_id="office"):
        admin = part("admin")
    most = round(settings.max_model_megabytes * 1e6)

    def with_name(do: Callable[[Visitor, str], None]) -> Act:
        def act(visitor: Visitor, what: Json) -> Json:
            do(visitor, WhichModel.model_validate(what).name)
            return now(service, desk)

        return act

    acts: dict[str, Act] = {
        "show": lambda visitor, what: show(service, desk, visitor) | {"most": most},
        "now": lambda visitor, what: now(service, desk),
        "pull": with_name(lambda visitor, name: desk.pull(visitor.user_id, name)),
        "check": with_name(lambda visitor, name: desk.check(visitor.user_id, name)),
        "remove": with_name(lambda visitor, name: desk.remove(visitor.user_id, name)),
        "stop": lambda visitor, what: stop(service, desk),
    }
    answers(admin, {name: for_admins(act) for name, act in acts.items()})


def for_admins(act: Act) -> Act:
    """The same, and for everybody else as if it were not there: raises `NotFound`."""

    def guarded(visitor: Visitor, what: Json) -> Json:
        if not visitor.is_in_office:
            raise NotFound
        return act(visitor, what)

    return guarded


def show(service: Service, desk: ModelDesk, visitor: Visitor) -> Json:
    """Everything, with what `now` gives."""
    store = service.store
    at = store.clock.now()
    return now(service, desk) | {
        "today": at.date().isoformat(),
        "days": [day.isoformat() for day in office.days_ending(at.date(), DAYS)],
        "jobs": _by_day(service, (Metric.SUBMITTED, *_ENDED)),
        "signed_in": _by_day(service, (Metric.SIGNED_IN,))[Metric.SIGNED_IN],
        "deletions": _deletions(service),
        "failures": [
            {"code": code, "count": count} for code, count in office.failures(store, DAYS).items()
        ],
        "speeds": [asdict(speed) for speed in office.speeds(store)],
        "sizes": [pixels // 1_000_000 for pixels in office.SIZES],
        "storage": _storage(service),
        "sweeps": _sweeps(service),
        "models": models(service),
        "endings": ENDINGS,
        "deeds": [
            {
                "at": shapes.iso(done.at),
                "deed": done.deed,
                "concerned": done.concerned,
                "who": _who(done.actor_id, visitor),
            }
            for done in deeds.latest(store)
        ],
    }


def now(service: Service, desk: ModelDesk) -> Json:
    """What changes by the second: what waits, who works, the disk, and what is done with models."""
    found = office.now(service.store)
    disk = shutil.disk_usage(service.folders.data)
    return {
        "now": shapes.iso(service.store.clock.now()),
        "waiting": found.waiting,
        "oldest_waiting_s": found.oldest_waiting and found.oldest_waiting.total_seconds(),
        "running": [
            {
                "kind": job.kind,
                "model": job.model,
                "done": job.done,
                "total": job.total,
                "since_s": job.since.total_seconds(),
            }
            for job in found.running
        ],
        "workers": [
            {"device": each.device, "model": each.model, "since_s": each.since.total_seconds()}
            for each in found.workers
        ],
        "disk": {"free": disk.free, "total": disk.total},
        "task": task_shape(desk.task),
    }


def stop(service: Service, desk: ModelDesk) -> Json:
    """What `now` gives, once what was under way is told to end."""
    desk.stop()
    return now(service, desk)


def task_shape(task: Task | None) -> Json | None:
    """What is being done with models, or was done last."""
    return None if task is None else asdict(task) | {"open": task.is_open}


def models(service: Service) -> list[Json]:
    """The installed ones by name, damaged ones among them, then the listed ones that are not here.

    Each is `{name, label, state, listed, architecture, scale, licence, licence_url, source, size,
    checksum, needed}`, without what is not known.
    """
    folder = ModelFolder(service.folders.models)
    whole = {model.name: model for model in folder.installed()}
    needed = office.needed(service.store)
    found: list[Json] = []
    for name in folder.names():
        model, listed = whole.get(name), catalog.find(name)
        found.append(
            {
                "name": name,
                "label": listed.label if listed else None,
                "listed": listed is not None,
                "state": "installed" if model else "damaged",
                "needed": needed.get(name, 0),
            }
        )
        if model is not None:
            found[-1] |= {
                "architecture": model.architecture,
                "scale": model.scale,
                "licence": model.licence,
                "licence_url": model.licence_url,
                "source": model.source.rpartition("/")[2],
                "size": model.size,
                "checksum": model.weights_sha256[:12],
            }
    for listed in catalog.CATALOG:
        if listed.name not in folder.names():
            found.append(
                {
                    "name": listed.name,
                    "label": listed.label,
                    "listed": True,
                    "state": "missing",
                    "needed": needed.get(listed.name, 0),
                    "architecture": listed.architecture,
                    "scale": listed.scale,
                    "licence": listed.licence,
                    "licence_url": listed.licence_url,
                }
            )
    return found


def _by_day(service: Service, metrics: tuple[Metric, ...]) -> dict[str, list[int]]:
    """Over all dimensions."""
    counted = office.by_day(service.store, DAYS, metrics)
    sums = {metric.value: [0] * DAYS for metric in metrics}
    for (metric, _), values in counted.items():
        sums[metric] = [sum(pair) for pair in zip(sums[metric], values, strict=True)]
    return sums


def _deletions(service: Service) -> dict[str, list[int]]:
    counted = office.by_day(service.store, DAYS, (Metric.DELETED,))
    return {role.value: list(counted.get((Metric.DELETED, role), [0] * DAYS)) for role in Role}


def _storage(service: Service) -> Json:
    age = retention.oldest_live_age(service.store)
    return {
        "ages": office.AGES,
        "stored": [asdict(stored) for stored in office.storage(service.store)],
        "oldest_s": age and age.total_seconds(),
        "holds": holds.count_open(service.store),
    }


def _sweeps(service: Service) -> list[Json]:
    past = {kind: sweeps.last(service.store, kind) for kind in SweepKind}
    return [
        {
            "kind": kind,
            "at": run and shapes.iso(run.finished_at or run.started_at),
            "deleted": run and run.deleted,
            "error": run and run.error_code,
        }
        for kind, run in past.items()
    ]


def _who(actor_id: UUID | None, visitor: Visitor) -> str:
    """As much as one admin is told of another."""
    if actor_id is None:
        return "gone"
    return "you" if actor_id == visitor.user_id else "other"
