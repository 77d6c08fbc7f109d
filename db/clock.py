"""The time of day, for everything that is promised by the hour.

The only module that reads a clock of the machine. Within a boot, time is what the machine has
counted since it started, suspended or not, added to one remembered pair (wall clock, boot time):
somebody who sets the wall clock changes nothing. After a reboot the wall clock is trusted, but time
never falls below the highest moment that was written down.

Knows the row that holds the pair. Knows nothing of files and their hours. One row per boot: two
machines on one database are two boots.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, func, insert, select, update

from db.connection import reading, writing
from db.upkeep import ClockState

_WRITE_DOWN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Readers:
    """Where a machine says what time it is; tests hand in others."""

    wall: Callable[[], float]
    """Seconds since 1970 as the wall clock has it, right or wrong."""
    boot: Callable[[], float]
    """Seconds since the machine started, sleep included; never goes back within a boot."""
    boot_id: Callable[[], str]
    """Another text after every start of the machine."""


def _boot_seconds() -> float:
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.clock_gettime(time.CLOCK_MONOTONIC)  # macOS counts its sleep here


def _boot_id() -> str:
    if sys.platform == "linux":
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


MACHINE = Readers(wall=time.time, boot=_boot_seconds, boot_id=_boot_id)
"""This machine. Looked up when a store is opened, so that a test can move a whole process."""


class Clock:
    """Tells one and the same time to every process on a database."""

    def __init__(self, engine: Engine, readers: Readers) -> None:
        """Finds this boot's pair in `engine`, or writes it down; the table must exist."""
        self._readers = readers
        self._boot_id = readers.boot_id()
        # A look first: a process that starts while the database is busy need not write.
        with reading(engine) as connection:
            row = self._find(connection)
        if row is None:
            with writing(engine) as connection:
                row = self._find(connection) or self._first_of_this_boot(connection)
        self._zero, self._written = row
        # A machine that was put back to a snapshot has the same boot and less of it.
        self._zero += max(timedelta(0), self._written - self.now())

    def now(self) -> datetime:
        """UTC; never earlier than anything that this database was ever told."""
        return self._zero + timedelta(seconds=self._readers.boot())

    def drift(self) -> timedelta:
        """How far the wall clock has been moved away from this one since the machine started."""
        return _utc(self._readers.wall()) - self.now()

    def write_down(self, connection: Connection) -> datetime:
        """Remembers the highest moment, once a minute; rides in a transaction of somebody else.

        Every process renews or looks for something more often than that, and a transaction of its
        own would wait for the very one that asks what time it is. Returns what `has_written` is
        told when the transaction has been committed.
        """
        now = self.now()
        if now - self._written < _WRITE_DOWN_EVERY:
            return self._written
        connection.execute(
            update(ClockState)
            .where(ClockState.boot_id == self._boot_id, ClockState.high_water < now)
            .values(high_water=now)
        )
        return now

    def has_written(self, moment: datetime) -> None:
        self._written = max(self._written, moment)

    def _find(self, connection: Connection) -> tuple[datetime, datetime] | None:
        row = connection.execute(
            select(ClockState.wall, ClockState.boot_seconds, ClockState.high_water).where(
                ClockState.boot_id == self._boot_id
            )
        ).one_or_none()
        return None if row is None else (row.wall - timedelta(seconds=row.boot_seconds), row[2])

    def _first_of_this_boot(self, connection: Connection) -> tuple[datetime, datetime]:
        highest = connection.scalar(select(func.max(ClockState.high_water)))
        boot, wall = self._readers.boot(), _utc(self._readers.wall())
        wall = max(wall, highest or wall)
        connection.execute(
            insert(ClockState).values(
                boot_id=self._boot_id, wall=wall, boot_seconds=boot, high_water=wall
            )
        )
        return wall - timedelta(seconds=boot), wall


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
