"""What admins do with models: fetch, take in, try and remove them, one at a time.

Each deed is a command of `python -m app models` in a process of its own: reading weights needs
torch, which the web process never imports, and a stranger's file is opened where nothing else is.
How far it is and what came of it is kept in this process's memory, until the next one begins.
Knows the folder of models and who waits for which; nothing of requests.
"""

import logging
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from db import deeds, office
from db.blobs import telling_full_disks
from db.errors import StoreError
from db.store import Store
from db.upkeep import Deed
from inference import catalog
from inference.errors import InvalidOptions, InvalidWeights, ModelNameTaken, UnknownModel
from inference.installed import NAME, ModelFolder
from tasks.errors import DeskBusy, ModelNeeded, Refused
from tasks.inbox import check_room
from tasks.model_command import ModelCommand, Outcome
from tasks.service import Folders

log = logging.getLogger(__name__)

ENDINGS = (".safetensors", ".pth", ".ckpt")
"""What a file of weights may be called. `.pt` is left out: most of them carry programs."""

_KEY = 13  # `models check` aligns its values behind as many letters

Command = Callable[..., tuple[str, ...]]
"""The command line of `python -m app models` with these arguments."""


class Work(StrEnum):
    PULL = "pull"
    ADD = "add"
    REMOVE = "remove"
    CHECK = "check"


class Phase(StrEnum):
    RECEIVING = "receiving"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


_DEEDS = {
    Work.PULL: Deed.MODEL_PULLED,
    Work.ADD: Deed.MODEL_ADDED,
    Work.REMOVE: Deed.MODEL_REMOVED,
    Work.CHECK: Deed.MODEL_CHECKED,
}


@dataclass(frozen=True)
class Task:
    """What is being done, or was done last."""

    work: Work
    name: str
    phase: Phase
    done: int = 0
    """Bytes that have come."""
    total: int | None = None
    """Bytes that will come; None where nobody said."""
    said: tuple[tuple[str, str], ...] = ()
    """What the command said: names and values of a check, else sentences without a name."""
    problem: str = ""
    """Why it failed, in sentences for people."""

    @property
    def is_open(self) -> bool:
        return self.phase in (Phase.RECEIVING, Phase.WORKING)


class ModelDesk:
    """One per web process; safe to share between its threads."""

    def __init__(self, store: Store, folders: Folders, command: Command) -> None:
        self._store = store
        self._folders = folders
        self._command = command
        self._models = ModelFolder(folders.models)
        self._lock = threading.Lock()
        self._task: Task | None = None
        self._running: ModelCommand | None = None
        self._stopped = False

    @property
    def task(self) -> Task | None:
        """None before the first."""
        return self._task

    def pull(self, actor: UUID, name: str) -> None:
        """Begin to fetch a listed model, or to repair it. Raises `UnknownModel` or `DeskBusy`."""
        if catalog.find(name) is None:
            raise UnknownModel(f"No model called {name[:100]!r} is listed.")
        self._begin(Work.PULL, name, Phase.WORKING)
        self._go(actor, "pull", "--progress", "lines", name)

    def check(self, actor: UUID, name: str) -> None:
        """Begin to try an installed model. Raises `UnknownModel` or `DeskBusy`."""
        self._check_installed(name)
        self._begin(Work.CHECK, name, Phase.WORKING)
        self._go(actor, "check", name)

    def remove(self, actor: UUID, name: str) -> None:
        """Begin to remove a model. Raises `UnknownModel`, `DeskBusy`, or `ModelNeeded` for the last
        one that works and for one that pictures wait for."""
        self._check_installed(name)
        if [model.name for model in self._models.installed()] == [name]:
            raise ModelNeeded(
                f"{name} is the last model here; without one nothing can be upscaled.",
                "Fetch or add another one first.",
            )
        if number := office.needed(self._store).get(name, 0):
            waiting = "1 picture waits" if number == 1 else f"{number} pictures wait"
            raise ModelNeeded(f"{waiting} for {name}.", "Remove it when they are done.")
        self._begin(Work.REMOVE, name, Phase.WORKING)
        self._go(actor, "remove", name)

    def receive(self, actor: UUID, name: str, ending: str, announced: int | None) -> "Incoming":
        """The place for a file of weights that comes now, `announced` bytes of it as it says.

        Raises `InvalidOptions`, `InvalidWeights`, `ModelNameTaken`, `DeskBusy` or `StorageFull`.
        """
        if not NAME.fullmatch(name):
            raise InvalidOptions(
                "A model's name is made of letters, digits, dots, dashes and underscores.",
                "It begins with a letter or a digit, and has 80 of them at most.",
            )
        if ending not in ENDINGS:
            raise InvalidWeights(
                f"Weights are taken as {', '.join(ENDINGS)} here.",
                "TorchScript archives (.pt) are programs, and refused.",
            )
        if name in self._models.names():
            raise ModelNameTaken(
                f"A model called {name} is installed already.",
                "Choose another name, or remove that one first.",
            )
        check_room(self._folders, announced or 0)
        self._begin(Work.ADD, name, Phase.RECEIVING)
        try:
            return Incoming(self, actor, self._folders.scratch, f"{name}{ending}", announced)
        except BaseException:
            self.give_up("There was no place for the file.")
            raise

    def stop(self) -> None:
        """End what is under way, if anything is; what it had begun to write is removed."""
        with self._lock:
            if self._task is not None and self._task.is_open:
                self._stopped = True
                if self._running is not None:
                    self._running.kill()

    @property
    def is_stopped(self) -> bool:
        """Whether what is under way is to end."""
        return self._stopped

    def note(self, done: int, total: int | None) -> None:
        """That many bytes have come, of so many."""
        self._change(done=done, total=total)

    def install(self, actor: UUID, path: Path) -> None:
        """All of a file has come: begin to open and install it. It is removed afterwards."""
        self._change(phase=Phase.WORKING, done=0, total=None)
        name = path.name.removesuffix(path.suffix)
        self._go(actor, "add", str(path), "--name", name, file=path)

    def give_up(self, problem: str) -> None:
        """The file will not come."""
        self._end(Phase.FAILED, problem=problem)

    def _check_installed(self, name: str) -> None:
        if name not in self._models.names():
            raise UnknownModel(f"No model called {name[:100]!r} is installed.")

    def _begin(self, work: Work, name: str, phase: Phase) -> None:
        with self._lock:
            if self._task is not None and self._task.is_open:
                raise DeskBusy(
                    "Something else is being done with models.", "Wait until it has ended."
                )
            self._task, self._stopped = Task(work, name, phase), False

    def _change(self, **changes: Any) -> None:
        with self._lock:
            assert self._task is not None
            self._task = replace(self._task, **changes)

    def _end(self, phase: Phase, **changes: Any) -> None:
        if self._stopped and phase is Phase.FAILED:
            changes["problem"] = "It was stopped."
        with self._lock:
            self._running = None  # before anybody can begin the next one
        self._change(phase=phase, **changes)

    def _go(self, actor: UUID, *arguments: str, file: Path | None = None) -> None:
        """Run the command in a thread that lives as long as it does, then remove `file`."""
        task = self._task
        assert task is not None
        command = ModelCommand(self._command("--models", str(self._folders.models), *arguments))
        with self._lock:
            self._running = command
            if self._stopped:
                command.kill()

        def work() -> None:
            try:
                self._finish(actor, task, command.run(lambda done, of: self.note(done, of)))
            except Exception:
                log.exception("model_task_failed")
                self._end(Phase.FAILED, problem="It could not be done, and the reason was noted.")
            finally:
                if file is not None:
                    _remove(file)

        threading.Thread(target=work, name="model desk", daemon=True).start()

    def _finish(self, actor: UUID, task: Task, outcome: Outcome) -> None:
        said = tuple(_fact(line, task.work) for line in outcome.lines)
        if not outcome.succeeded:
            log.warning("model_task_refused", extra={"work": task.work})
            problem = outcome.problem or "It ended unexpectedly."
            self._end(Phase.FAILED, said=said, problem=problem)
            return
        # Before anybody can see that it is done, so that no deed is shown that is not written down.
        try:
            deeds.record(self._store, actor, _DEEDS[task.work], task.name)
        except StoreError as error:
            log.error("deed_not_recorded", extra={"work": task.work, "code": error.code})
        self._end(Phase.DONE, said=said)


class Incoming:
    """A file of weights on its way in. Ends with `finish` or `abandon`."""

    def __init__(
        self, desk: ModelDesk, actor: UUID, scratch: Path, name: str, announced: int | None
    ) -> None:
        self._desk = desk
        self._actor = actor
        self._announced = announced
        self.size = 0
        with telling_full_disks():
            # A folder of its own, because the file's name is what the model will say it came from.
            folder = scratch / f"weights-{secrets.token_hex(16)}"
            folder.mkdir(mode=0o700)
            self._path = folder / name
            self._file: BinaryIO = self._path.open("xb")

    def write(self, data: bytes) -> None:
        """Raises `StorageFull`, or `Refused` once it is to stop."""
        if self._desk.is_stopped:
            raise Refused("It was stopped.")
        with telling_full_disks():
            self._file.write(data)
        self.size += len(data)
        self._desk.note(self.size, self._announced)

    def finish(self) -> None:
        """All of it has come. Raises `StorageFull`."""
        with telling_full_disks():
            self._file.close()
        self._desk.install(self._actor, self._path)

    def abandon(self, problem: str) -> None:
        """Nothing is left of it."""
        with suppress(OSError):
            self._file.close()
        _remove(self._path)
        self._desk.give_up(problem)


def _remove(path: Path) -> None:
    """A file and the folder that was made for it."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
        path.parent.rmdir()


def _fact(line: str, work: Work) -> tuple[str, str]:
    return (line[:_KEY].strip(), line[_KEY + 1 :]) if work is Work.CHECK else ("", line)
