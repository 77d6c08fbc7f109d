"""One command of `python -m app models`, run to its end in a process of its own.

Knows how the command tells of its progress, its results and its complaints. Knows no model.
"""

import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inference.tether import tethered

PATIENCE = 3600.0
"""Seconds after which a command is given up."""

_MOST_SAID = 64 * 1024
_SECRET = ("LOCAL_PASSPHRASE", "GOOGLE_CLIENT_SECRET", "OIDC_PROVIDERS", "OAUTH_CLIENT_SECRET")


@dataclass(frozen=True)
class Outcome:
    succeeded: bool
    lines: tuple[str, ...]
    """What it printed."""
    problem: str
    """What it complained of at last, in sentences for people; often empty where it succeeded."""


class ModelCommand:
    """Run it once."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tethered(command)
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._killed = False

    def run(self, on_progress: Callable[[int, int | None], None]) -> Outcome:
        """To be called in a thread that lives until it returns: the process is tied to it."""
        # A stranger's file is opened there, and has no use for what the service must keep secret.
        environment = {name: value for name, value in os.environ.items() if name not in _SECRET}
        # A file and not a pipe: it is read at the end, and a full pipe would stop the command.
        with tempfile.TemporaryFile() as output:
            with self._lock:
                if self._killed:
                    return Outcome(False, (), "")
                self._process = subprocess.Popen(
                    self._command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.PIPE,
                    text=True,
                    errors="replace",
                )
            problem = self._listen(self._process, on_progress)
            output.seek(0)
            said = output.read(_MOST_SAID).decode(errors="replace")
        lines = tuple(line.rstrip() for line in said.splitlines() if line.strip())
        return Outcome(self._process.returncode == 0, lines, problem)

    def kill(self) -> None:
        """End it, or keep it from beginning."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def _listen(
        self, process: "subprocess.Popen[str]", on_progress: Callable[[int, int | None], None]
    ) -> str:
        problem = ""
        timer = threading.Timer(PATIENCE, process.kill)
        timer.daemon = True
        timer.start()
        try:
            with process:
                assert process.stderr is not None
                for line in process.stderr:
                    done, _, total = line.strip().partition(" ")
                    if done.isdecimal() and total.isdecimal():
                        on_progress(int(done), int(total) or None)
                    elif line.startswith("error: "):
                        problem = "".join(c for c in line[7:].strip() if c.isprintable())
        finally:
            timer.cancel()
        return problem[:1000]
