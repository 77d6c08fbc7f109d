"""A machine whose wall clock, boot time and boot id are what a test says."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from db.clock import Readers


@dataclass
class Machine:
    """Stands still unless it is told otherwise."""

    wall: float = 1_800_000_000.0
    boot: float = 5_000.0
    boot_id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def readers(self) -> Readers:
        return Readers(lambda: self.wall, lambda: self.boot, lambda: self.boot_id)

    def passes(self, time: timedelta | None = None, **units: float) -> None:
        """Time goes by, on both clocks."""
        seconds = (time or timedelta(**units)).total_seconds()
        self.wall += seconds
        self.boot += seconds

    def is_set(self, **units: float) -> None:
        """Somebody sets the wall clock; no time goes by."""
        self.wall += timedelta(**units).total_seconds()

    def reboots(self, **units: float) -> None:
        """The machine is off for a while, and counts from zero when it is back."""
        self.wall += timedelta(**units).total_seconds()
        self.boot = 0.0
        self.boot_id = str(uuid4())
