"""Time goes on by what the machine has counted, whoever sets its wall clock."""

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from db.clock import MACHINE, Clock
from db.upkeep import ClockState
from tests.db.situations import a_worker, count

ROOT = Path(__file__).parents[2]
DAY = timedelta(days=1)


def reopened(store, machine) -> Clock:
    return Clock(store.rows, machine.readers)


@pytest.mark.parametrize("days", [-30, 30])
def test_setting_the_wall_clock_changes_nothing(store, machine, days):
    before = store.clock.now()
    machine.is_set(days=days)
    assert store.clock.now() == before
    assert reopened(store, machine).now() == before
    machine.passes(hours=1)
    assert reopened(store, machine).now() == before + timedelta(hours=1)
    assert store.clock.drift() == timedelta(days=days)


def test_sleep_of_the_machine_counts(store, machine):
    before = store.clock.now()
    machine.passes(hours=9)
    assert store.clock.now() == before + timedelta(hours=9)


def test_every_process_of_a_boot_tells_the_same_time(store, machine):
    machine.is_set(days=3)
    machine.passes(seconds=12.345678)
    assert reopened(store, machine).now() == store.clock.now()
    assert count(store, ClockState) == 1


def test_after_a_reboot_the_wall_clock_is_trusted(store, machine):
    before = store.clock.now()
    machine.reboots(days=2)
    assert reopened(store, machine).now() == before + 2 * DAY


def test_after_a_reboot_time_is_never_lower_than_what_was_written_down(store, machine):
    machine.passes(hours=5)
    a_worker(store)
    written = store.clock.now()
    machine.reboots(days=-30)
    clock = reopened(store, machine)
    assert clock.now() == written
    machine.passes(hours=1)
    assert clock.now() == written + timedelta(hours=1)


def test_the_high_water_mark_rides_in_a_write_once_a_minute(store, machine):
    machine.passes(seconds=59)
    a_worker(store)
    machine.reboots(seconds=-59)
    assert reopened(store, machine).now() == datetime.fromtimestamp(1_800_000_000, UTC)


def test_a_mark_that_was_rolled_back_is_written_by_the_next_transaction(store, machine):
    machine.passes(hours=5)
    with pytest.raises(ZeroDivisionError), store.writing():
        1 / 0  # noqa: B018
    a_worker(store)
    written = store.clock.now()
    machine.reboots(days=-1)
    assert reopened(store, machine).now() == written


def test_a_machine_put_back_to_a_snapshot_does_not_go_back_in_time(store, machine):
    machine.passes(hours=2)
    a_worker(store)
    written = store.clock.now()
    machine.boot -= 3600
    assert reopened(store, machine).now() == written


def test_two_machines_on_one_database_do_not_disturb_each_other(store, machine):
    before = store.clock.now()
    here = machine.boot_id
    machine.reboots()
    other = reopened(store, machine)
    machine.boot_id, machine.boot = here, 5_000.0
    assert reopened(store, machine).now() == before == other.now() - timedelta(seconds=5_000)


def test_this_machine_has_clocks():
    assert abs(MACHINE.wall() - datetime.now(UTC).timestamp()) < 5
    assert 0 < MACHINE.boot() <= MACHINE.boot()
    assert MACHINE.boot_id() == MACHINE.boot_id() != ""


FORBIDDEN = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "localtime"),
    ("time", "gmtime"),
    ("time", "strftime"),
    ("time", "clock_gettime"),
}


def readings_of_the_time_of_day(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
            if (name, node.attr) in FORBIDDEN:
                yield f"{path.relative_to(ROOT)}:{node.lineno} {name}.{node.attr}"
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            for alias in node.names:
                if ("time", alias.name) in FORBIDDEN:
                    yield f"{path.relative_to(ROOT)}:{node.lineno} from time import {alias.name}"


def test_nobody_but_the_clock_asks_the_machine_for_the_time_of_day():
    rooms = [ROOT / room for room in ("app", "db", "tasks", "pages")]
    asked = [
        reading
        for room in rooms
        for path in sorted(room.rglob("*.py"))
        if path != ROOT / "db" / "clock.py"
        for reading in readings_of_the_time_of_day(path)
    ]
    assert asked == []
    assert list(readings_of_the_time_of_day(ROOT / "db" / "clock.py"))
