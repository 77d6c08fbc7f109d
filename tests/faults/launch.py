"""Starts a process of the service under a clock that a test can move.

    python -m tests.faults.launch serve|web|worker|scheduler

The file named by TEST_CLOCK holds by how many seconds both clocks of the machine are ahead. It is
read at every look at a clock, so a test moves all processes at once. Only tests have this switch.
"""

import os
import sys
from pathlib import Path

from app import cli_service
from app.settings import load_settings
from db import clock

VARIABLE = "TEST_CLOCK"


def moved_clock(file: Path) -> clock.Readers:
    """This machine's clocks, ahead by what `file` says."""

    def ahead() -> float:
        return float(file.read_text())

    return clock.Readers(
        wall=lambda: clock.MACHINE.wall() + ahead(),
        boot=lambda: clock.MACHINE.boot() + ahead(),
        boot_id=clock.MACHINE.boot_id,
    )


def command(name: str) -> tuple[str, ...]:
    return sys.executable, "-m", "tests.faults.launch", name


def main(name: str) -> int:
    settings = load_settings()
    readers = moved_clock(Path(os.environ[VARIABLE]))
    if name == "serve":
        return cli_service.serve(settings, command, readers)
    start = {
        "web": cli_service.answer,
        "worker": cli_service.work,
        "scheduler": cli_service.keep_time,
    }[name]
    return start(settings, readers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
