"""The service as real processes in a temporary folder, to be killed at will.

Whatever a test does to it, no process is left when the test ends.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from app.settings import Settings
from db import users
from inference import tether
from inference.options import Options
from tasks.service import Service, prepare
from tasks.submissions import Upload, submit_batch
from tests.faults import launch
from tests.tasks.pictures import FAST

CHILDREN = ("web", "worker", "scheduler")
_ROOT = Path(__file__).parent.parent.parent
_TAIL = 6000
_Any = TypeVar("_Any")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Running:
    """A data folder, this process's end of it, and the processes that serve it when started."""

    def __init__(self, folder: Path, models: Path, data: Path | None = None) -> None:
        self.output = folder / "output.txt"
        self._clock = folder / "clock"
        self._ahead = 0.0
        self.passes(0)
        self.settings = Settings(data_dir=data or folder / "data", device="cpu", port=_free_port())
        prepare(self.settings)
        if not self.settings.models_dir.exists():
            self.settings.models_dir.symlink_to(models)
        self.service = Service.open(self.settings, readers=launch.moved_clock(self._clock))
        self._supervisor: subprocess.Popen[bytes] | None = None

    # Time.

    def passes(self, seconds: float = 0, hours: float = 0) -> None:
        """Time goes by for all processes at once."""
        self._ahead += seconds + hours * 3600
        # Renamed into place: who looks in between must not find an empty file.
        new = self._clock.with_suffix(".new")
        new.write_text(str(self._ahead))
        new.rename(self._clock)

    # Processes.

    def start(self) -> None:
        """Start the supervisor, and with it everything."""
        environment = {
            **os.environ,
            "DATA_DIR": str(self.settings.data_dir),
            "DEVICE": "cpu",
            "PORT": str(self.settings.port),
            launch.VARIABLE: str(self._clock),
            "PYTHONUNBUFFERED": "1",
        }
        with self.output.open("ab") as output:
            # Tied to the tests: should those be killed, nothing is left either.
            self._supervisor = subprocess.Popen(
                tether.tethered(launch.command("serve")),
                cwd=_ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def processes(self) -> Mapping[int, str]:
        """Every process that has this data folder, by its id; the name is its last argument."""
        mark = f"DATA_DIR={self.settings.data_dir}".encode()
        found = {}
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdigit() and mark in (process / "environ").read_bytes().split(
                    b"\0"
                ):
                    words = (process / "cmdline").read_bytes().split(b"\0")
                    found[int(process.name)] = words[-2].decode() if words[1:] else "?"
            except OSError:  # ended while we looked
                continue
        return found

    def pid(self, name: str, within: float = 40) -> int:
        """The process of the supervisor or of one of its children; waits until there is one."""

        def found() -> int:
            if self._supervisor is None:
                return 0
            if name == "supervisor":
                return self._supervisor.pid
            for pid, called in self.processes().items():
                if called == name and _parent(pid) == self._supervisor.pid:
                    return pid
            return 0

        return self.until(found, within, f"there is a process for {name}")

    def kill(self, name: str) -> None:
        """SIGKILL. After the supervisor's, nothing is left within five seconds, and it is gone."""
        os.kill(self.pid(name), signal.SIGKILL)
        if name == "supervisor":
            self._has_ended()
            self.until(lambda: not self.processes(), 5, "all processes have followed")

    def stop(self, within: float = 20) -> int:
        """SIGTERM to the supervisor; its exit status, once nothing is left."""
        assert self._supervisor is not None
        self._supervisor.send_signal(signal.SIGTERM)
        status = self._has_ended(within)
        assert not self.processes(), f"left behind: {self.processes()}"
        return status

    def has_died(self) -> bool:
        """Whether the supervisor has ended by itself."""
        return self._supervisor is not None and self._supervisor.poll() is not None

    def _has_ended(self, within: float = 5) -> int:
        assert self._supervisor is not None
        status = self._supervisor.wait(within)
        self._supervisor = None
        return status

    def close(self) -> None:
        """End everything, whatever state it is in; says so when the supervisor left something."""
        if self._supervisor is not None:
            self._supervisor.kill()
            self._has_ended()
        deadline = time.monotonic() + 5
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.service.close()
        assert not left, f"left behind by the supervisor: {left}"

    # Waiting.

    def until(self, condition: Callable[[], _Any], within: float, what: str) -> _Any:
        """What `condition` returns once it is true; fails with the service's own words."""
        deadline = time.monotonic() + within
        while not (result := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"Not within {within:g} s: {what}.\n{self.told()}")
            time.sleep(0.05)
        return result

    def told(self) -> str:
        """The last of what the processes have written."""
        if not self.output.exists():
            return ""
        return self.output.read_text(errors="replace")[-_TAIL:]

    def has_said(self, event: str, after: int = 0) -> bool:
        """Whether an event was logged, beyond the first `after` bytes of output."""
        return f'"event": "{event}"'.encode() in self.output.read_bytes()[after:]

    # Work.

    def user(self, name: str) -> UUID:
        return users.ensure_user(self.service.store, users.LOCAL, name)

    def hand_in(self, user_id: UUID, pictures: Sequence[bytes], **options: Any) -> UUID:
        """Submit pictures as one batch, with the fastest model."""
        uploads = []
        for number, data in enumerate(pictures):
            path = self.service.folders.inbox / f"upload-{time.monotonic_ns()}-{number}"
            path.write_bytes(data)
            uploads.append(Upload(path, f"picture {number}.png"))
        return submit_batch(self.service, user_id, uploads, Options(**{"model": FAST, **options}))


def _parent(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # The name in parentheses may hold anything.
    return int(stat.rpartition(")")[2].split()[1])
