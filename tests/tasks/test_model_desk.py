"""What admins do with models: by the real commands, on small networks, one deed at a time."""

import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from safetensors.numpy import save

from app.office import models_command
from db import deeds
from db.upkeep import Deed
from inference.errors import InvalidOptions, InvalidWeights, ModelNameTaken, UnknownModel
from inference.installed import ModelFolder
from tasks.errors import DeskBusy, ModelNeeded, Refused
from tasks.model_desk import ModelDesk, Phase, Task, Work
from tasks.service import Service
from tests.db.machine import Machine
from tests.inference.ncnn_writer import compact_state
from tests.tasks.conftest import Submit
from tests.tasks.pictures import FAST

PROGRAM = """
import sys, time
for done in {steps}: print(done, 64, file=sys.stderr, flush=True)
{then}
"""


@pytest.fixture
def folder(service: Service, models_path: Path) -> ModelFolder:
    """The service's own models: one that works."""
    models = service.folders.models
    models.unlink()
    models.mkdir()
    (models / f"{FAST}.safetensors").write_bytes((models_path / f"{FAST}.safetensors").read_bytes())
    return ModelFolder(models)


@pytest.fixture
def desk(service: Service, folder: ModelFolder) -> ModelDesk:
    return ModelDesk(service.store, service.folders, models_command)


Scripted = Callable[..., ModelDesk]


@pytest.fixture
def scripted(service: Service, folder: ModelFolder) -> Scripted:
    """A desk whose commands are a few lines of Python."""

    def scripted(then: str, steps: str = "()") -> ModelDesk:
        program = PROGRAM.format(steps=steps, then=then)
        return ModelDesk(service.store, service.folders, lambda *_: (sys.executable, "-c", program))

    return scripted


def until(desk: ModelDesk, is_so: Callable[[Task], bool]) -> Task:
    deadline = time.monotonic() + 120
    while desk.task is None or not is_so(desk.task):
        assert time.monotonic() < deadline, desk.task
        time.sleep(0.01)
    return desk.task


def ended(desk: ModelDesk) -> Task:
    return until(desk, lambda task: not task.is_open)


def weights() -> bytes:
    return save(compact_state())


def hand_in(desk: ModelDesk, actor: UUID, name: str, data: bytes, ending: str) -> Task:
    incoming = desk.receive(actor, name, ending, len(data))
    incoming.write(data)
    incoming.finish()
    return ended(desk)


def left(service: Service) -> list[Path]:
    deadline = time.monotonic() + 20
    while (found := list(service.folders.scratch.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.01)  # the file goes right after the task has ended
    return found


def test_own_weights_are_added_checked_and_removed_and_every_deed_is_written_down(
    desk: ModelDesk, folder: ModelFolder, service: Service, ada: UUID, machine: Machine
) -> None:
    added = hand_in(desk, ada, "mine", weights(), ".safetensors")

    assert (added.phase, added.problem) == (Phase.DONE, "")
    assert added.said[0][1].startswith("mine: installed, Compact 4x from mine.safetensors")
    assert folder.describe("mine").architecture == "Compact"
    assert left(service) == []
    with pytest.raises(ModelNameTaken):
        desk.receive(ada, "mine", ".pth", 10)

    machine.passes(seconds=1)
    desk.check(ada, "mine")
    facts = dict(ended(desk).said)
    assert facts["scale"] == "4x"
    assert facts["sample"].startswith("48 × 48 became 192 × 192 in ")

    machine.passes(seconds=1)
    desk.remove(ada, "mine")
    assert ended(desk).phase is Phase.DONE
    assert folder.names() == [FAST]

    assert [(done.deed, done.concerned, done.actor_id) for done in deeds.latest(service.store)] == [
        (Deed.MODEL_REMOVED, "mine", ada),
        (Deed.MODEL_CHECKED, "mine", ada),
        (Deed.MODEL_ADDED, "mine", ada),
    ]


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_file_that_carries_a_program_is_refused_and_gone(
    desk: ModelDesk, folder: ModelFolder, service: Service, ada: UUID, tmp_path: Path
) -> None:
    canary = tmp_path / "ran"
    task = hand_in(desk, ada, "evil", pickle.dumps({"weight": Evil(canary)}), ".pth")

    assert task.phase is Phase.FAILED
    assert "evil.pth" in task.problem
    assert str(service.folders.data) not in task.problem
    assert not canary.exists()
    assert folder.names() == [FAST]
    assert left(service) == []
    assert deeds.latest(service.store) == []


def test_what_cannot_be_a_model_is_refused_before_it_comes(desk: ModelDesk, ada: UUID) -> None:
    for name in ("", "../up", ".hidden", "a b", "x" * 81, "ä"):
        with pytest.raises(InvalidOptions):
            desk.receive(ada, name, ".pth", 1)
    for ending in (".pt", "", ".bin", ".zip", "/../x.pth"):
        with pytest.raises(InvalidWeights):
            desk.receive(ada, "mine", ending, 1)
    for act in (desk.check, desk.remove, desk.pull):
        with pytest.raises(UnknownModel):
            act(ada, "nothing")
    assert desk.task is None


def test_the_last_model_stays_and_so_does_one_that_pictures_wait_for(
    scripted: Scripted, folder: ModelFolder, ada: UUID, submit: Submit
) -> None:
    desk = scripted("")
    with pytest.raises(ModelNeeded, match="the last model"):
        desk.remove(ada, FAST)
    damaged = folder.path / "broken.safetensors"
    damaged.write_bytes(b"")
    with pytest.raises(ModelNeeded, match="the last model"):
        desk.remove(ada, FAST)
    damaged.write_bytes((folder.path / f"{FAST}.safetensors").read_bytes())

    submit(ada, 2)
    with pytest.raises(ModelNeeded, match="2 pictures wait for"):
        desk.remove(ada, FAST)
    desk.remove(ada, "broken")
    assert ended(desk).phase is Phase.DONE


def test_one_thing_at_a_time_with_its_progress_until_it_is_stopped(
    scripted: Scripted, ada: UUID, service: Service
) -> None:
    desk = scripted("time.sleep(600)", steps="(8, 24)")
    desk.pull(ada, "dat-light-x2")

    task = until(desk, lambda task: task.done == 24)
    assert (task.work, task.phase, task.total) == (Work.PULL, Phase.WORKING, 64)
    with pytest.raises(DeskBusy):
        desk.check(ada, FAST)
    with pytest.raises(DeskBusy):
        desk.receive(ada, "mine", ".pth", 1)

    desk.stop()
    assert ended(desk).problem == "It was stopped."
    assert deeds.latest(service.store) == []
    desk.stop()
    assert ended(desk).problem == "It was stopped."


def test_what_the_command_complains_of_is_told(scripted: Scripted, ada: UUID) -> None:
    desk = scripted("print('warning: x', file=sys.stderr); sys.exit('error: No way.\\x1b Try it.')")
    desk.pull(ada, "dat-light-x2")
    assert ended(desk).problem == "No way. Try it."

    desk = scripted("sys.exit(3)")
    desk.check(ada, FAST)
    assert ended(desk).problem == "It ended unexpectedly."


def test_a_command_does_not_get_the_secrets_of_the_service(
    scripted: Scripted, ada: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_PASSPHRASE", "open sesame")
    desk = scripted("import os; print('pass' * ('LOCAL_PASSPHRASE' in os.environ) or 'none')")
    desk.pull(ada, "dat-light-x2")
    assert ended(desk).said == (("", "none"),)


def test_a_file_that_does_not_come_whole_leaves_nothing(
    desk: ModelDesk, ada: UUID, service: Service
) -> None:
    incoming = desk.receive(ada, "mine", ".pth", 100)
    incoming.write(b"x" * 40)
    task = desk.task
    assert task is not None
    assert (task.phase, task.done, task.total) == (Phase.RECEIVING, 40, 100)
    incoming.abandon("It did not come.")
    assert ended(desk).problem == "It did not come."
    assert left(service) == []

    incoming = desk.receive(ada, "mine", ".pth", 100)
    desk.stop()
    with pytest.raises(Refused, match="stopped"):
        incoming.write(b"x")
    incoming.abandon("It did not come.")
    assert ended(desk).problem == "It was stopped."
    assert left(service) == []
