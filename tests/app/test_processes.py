"""The supervisor with real processes: what it starts, starts again, stops, and never leaves."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from app.processes import Backoff
from inference import tether

ROOT = Path(__file__).parent.parent.parent
PYTHON = (sys.executable, "-I", "-S", "-c")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# Runs `supervise` as the command line will, writes events as lines of JSON, and sees to it that no
# child and no handler is left when it returns.
RUNNER = """
import json, logging, os, signal, sys
from app import processes
from app.processes import Backoff, Child, supervise

plan = json.loads(sys.argv[1])
known = set(vars(logging.makeLogRecord({})))

class Lines(logging.Handler):
    def emit(self, record):
        fields = {k: v for k, v in vars(record).items() if k not in known}
        event = {"event": record.getMessage(), "at": record.created, **fields}
        with open(plan["events"], "a") as file:
            file.write(json.dumps(event) + "\\n")

log = logging.getLogger("test")
log.setLevel("INFO")
log.addHandler(Lines())
exec(plan["before"])
handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)]
children = [Child(n, tuple(c), plan["env"] or os.environ) for n, c in plan["children"].items()]
options = {"stop_within": plan["stop_within"], "backoff": Backoff(**plan["backoff"]), "log": log}
try:
    status = supervise(children, **options)
finally:
    with open(f"/proc/self/task/{os.getpid()}/children") as left:
        assert not left.read()
assert handlers == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)]
sys.exit(status)
"""

# A child notes words in a file, each with its process id.
PRELUDE = """
import os, signal, subprocess, sys, time
def note(word):
    with open({notes!r}, "a") as file:
        file.write(f"{{word}} {{os.getpid()}}\\n")
"""
STAYS = "note('up')\nwhile True: signal.pause()"
ENDS_AT_ONCE = "note('up')\nsys.exit(3)"
IGNORES_SIGTERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STAYS


def until(what: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What is true at last; an assertion fails when it takes too long."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
    return found


def state(pid: int) -> str:
    """The process's state letter, empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def gone(pid: int) -> bool:
    # As an orphan it may wait for a test machine's lazy process 1.
    return state(pid) in ("", "Z", "X")


def zombies_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if state(int(child)) == "Z"]


class Supervisor:
    """A running supervisor, and what it and its children have said."""

    def __init__(self, folder: Path) -> None:
        self.events_file = folder / "events"
        self.notes = folder / "notes"

    def start(
        self,
        *,
        stop_within: float = 20.0,
        backoff: dict[str, float] | None = None,
        before: str = "",
        env: dict[str, str] | None = None,
        inheriting: Callable[[], None] | None = None,
        **children: str | tuple[str, ...],
    ) -> "Supervisor":
        prelude = PRELUDE.format(notes=str(self.notes))
        commands = {
            name: (*PYTHON, prelude + child) if isinstance(child, str) else child
            for name, child in children.items()
        }
        plan = {
            "children": commands,
            "stop_within": stop_within,
            "backoff": backoff or {"first": 0.05},
            "before": before,
            "env": env,
            "events": str(self.events_file),
        }
        with Path(__file__).open() as not_for_children:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUNNER, json.dumps(plan)],
                cwd=ROOT,
                stdin=not_for_children,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                preexec_fn=inheriting,
            )
        self.pid = self.process.pid
        return self

    def events(self, event: str | None = None) -> list[dict[str, Any]]:
        if not self.events_file.exists():
            return []
        whole = self.events_file.read_text().rpartition("\n")[0].splitlines()
        return [e for e in map(json.loads, whole) if event in (None, e["event"])]

    def noted(self, word: str) -> list[int]:
        """The processes that noted a word, in their order."""
        if not self.notes.exists():
            return []
        whole = self.notes.read_text().rpartition("\n")[0].splitlines()
        return [int(line.split()[1]) for line in whole if line.split()[0] == word]

    def up(self, count: int = 1) -> list[int]:
        """The processes that are up, once there were so many."""
        return until(lambda: len(pids := self.noted("up")) >= count and pids)

    def ask(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def result(self) -> tuple[int, str, str]:
        """Exit status, standard output and error."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def clear(self) -> None:
        """Whatever a failed test left."""
        if not hasattr(self, "process"):
            return
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        words = self.notes.read_text().split() if self.notes.exists() else []
        for pid in map(int, words[1::2]):
            # A number may belong to somebody else by now.
            if not gone(pid) and str(self.notes) in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    running = Supervisor(tmp_path)
    yield running
    running.clear()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_all_children_run_until_the_supervisor_is_told_to_stop(supervisor, number: int) -> None:
    supervisor.start(web=STAYS, worker=STAYS, scheduler=STAYS)
    pids = supervisor.up(3)

    supervisor.ask(number)

    assert supervisor.result() == (0, "", "")
    assert all(map(gone, pids))
    started, died = supervisor.events("child_started"), supervisor.events("child_died")
    assert [event["child"] for event in started] == ["web", "worker", "scheduler"]
    assert {event["child_pid"] for event in started} == set(pids)
    assert [event["signal"] for event in died] == ["SIGTERM"] * 3
    assert supervisor.events("child_restarting") == []
    assert [event["signal"] for event in supervisor.events("stopping")] == [
        signal.Signals(number).name
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_that_were_ignored_or_blocked_before_are_heard(supervisor, number: int) -> None:
    """A shell without job control ignores SIGINT for what it runs in the background."""

    def deaf() -> None:
        signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [number, signal.SIGCHLD])

    supervisor.start(inheriting=deaf, worker=STAYS)
    (pid,) = supervisor.up()

    supervisor.ask(number)

    assert supervisor.result()[0] == 0
    assert gone(pid)
    assert supervisor.events("child_died")[0]["signal"] == "SIGTERM"


def test_a_hangup_that_nohup_ignores_stays_ignored(supervisor) -> None:
    def nohup() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    supervisor.start(inheriting=nohup, worker=STAYS)
    (pid,) = supervisor.up()

    supervisor.ask(signal.SIGHUP)
    os.kill(pid, signal.SIGKILL)

    # It went on with its work after the hangup.
    supervisor.up(2)
    supervisor.ask()
    assert supervisor.result()[0] == 0


def test_ctrl_c_in_a_terminal_reaches_each_child_once_and_as_sigterm(supervisor) -> None:
    """A terminal sends SIGINT to its whole foreground process group."""
    counts = """
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, frame: note(signal.Signals(number).name))
note('up')
while True: time.sleep(0.3); os.path.exists({!r}) and sys.exit()
"""
    enough = supervisor.notes.with_name("enough")
    supervisor.start(web=counts.format(str(enough)), worker=counts.format(str(enough)))
    pids = supervisor.up(2)

    os.killpg(supervisor.pid, signal.SIGINT)
    until(lambda: len(supervisor.noted("SIGTERM")) >= 2)
    enough.touch()

    assert supervisor.result()[0] == 0
    assert sorted(supervisor.noted("SIGTERM")) == sorted(pids)
    assert supervisor.noted("SIGINT") == supervisor.noted("SIGHUP") == []


def test_a_child_starts_with_no_signal_ignored_or_blocked(supervisor) -> None:
    def deaf() -> None:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGUSR2])

    shows = ("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")
    supervisor.start(inheriting=deaf, backoff={"first": 60.0, "longest": 60.0}, worker=shows)
    until(lambda: supervisor.events("child_died"))
    supervisor.ask()

    blocked, ignored = supervisor.result()[1].splitlines()

    # 32 and 33 are the C library's own, which it lets nobody change.
    assert [int(line.split()[1], 16) & ~(3 << 31) for line in (blocked, ignored)] == [0, 0]


def test_a_child_has_a_session_of_its_own_no_input_and_the_given_environment(supervisor) -> None:
    shows = "echo $$ $(cut -d ' ' -f 6 /proc/self/stat); cat; env"
    env = {"A": "1", "PATH": os.environ["PATH"]}
    then_stops = "kill -TERM $PPID; exec sleep 60"
    supervisor.start(env=env, worker=("sh", "-c", f"{shows}; {then_stops}"))

    status, out, _ = supervisor.result()

    numbers, *variables = out.splitlines()
    pid, session = numbers.split()
    assert pid == session
    of_the_shell = ("PWD=", "OLDPWD=", "SHLVL=", "_=")
    given = {variable for variable in variables if not variable.startswith(of_the_shell)}
    assert given - {"LC_CTYPE=C.UTF-8"} == {f"{name}={value}" for name, value in env.items()}
    assert status == 0


def test_a_child_is_visible_by_its_own_command_line_and_its_words_pass_through(supervisor) -> None:
    speaks = "print('to out', flush=True); print('to err', file=sys.stderr); " + STAYS
    supervisor.start(worker=speaks)
    (pid,) = supervisor.up()

    command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    supervisor.ask()

    assert command[:4] == list(PYTHON)
    assert supervisor.result() == (0, "to out\n", "to err\n")


def test_a_child_that_ignores_sigterm_is_killed_when_its_time_is_up(supervisor) -> None:
    supervisor.start(stop_within=0.5, stubborn=IGNORES_SIGTERM, worker=STAYS)
    pids = supervisor.up(2)

    supervisor.ask()

    assert supervisor.result()[0] == 1
    assert all(map(gone, pids))
    (killed,) = supervisor.events("child_killed")
    (stopping,) = supervisor.events("stopping")
    assert killed["child"] == "stubborn"
    assert stopping["within_s"] == 0.5
    assert killed["at"] - stopping["at"] >= 0.4


def test_a_child_has_its_time_to_finish_and_its_status_does_not_matter(supervisor) -> None:
    finishes = """
def finish(number, frame):
    time.sleep(0.5)
    note('finished')
    sys.exit(130)
signal.signal(signal.SIGTERM, finish)
"""
    supervisor.start(worker=finishes + STAYS)
    supervisor.up()

    supervisor.ask()

    assert supervisor.result()[0] == 0
    assert len(supervisor.noted("finished")) == 1
    assert [event["code"] for event in supervisor.events("child_died")] == [130]


def test_a_second_signal_kills_at_once(supervisor) -> None:
    supervisor.start(before="processes._ONE_REQUEST = 0.0", stop_within=60, worker=IGNORES_SIGTERM)
    (pid,) = supervisor.up()

    supervisor.ask()
    until(lambda: supervisor.events("stopping"))
    assert not gone(pid)
    supervisor.ask(signal.SIGINT)

    assert supervisor.result()[0] == 1
    assert gone(pid)


def test_a_signal_that_arrives_twice_within_a_moment_is_one_wish(supervisor) -> None:
    """`make` sends on the SIGTERM that a whole process group got already."""
    finishes = "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit()))\n"
    supervisor.start(before="processes._ONE_REQUEST = 60.0", worker=finishes + STAYS)
    supervisor.up()

    supervisor.ask()
    until(lambda: supervisor.events("stopping"))
    supervisor.ask()

    assert supervisor.result()[0] == 0
    assert supervisor.events("child_killed") == []


def test_a_child_that_dies_is_started_again_and_the_log_says_why(supervisor) -> None:
    supervisor.start(worker=STAYS, scheduler=STAYS)
    first = supervisor.up(2)[0]

    os.kill(first, signal.SIGKILL)

    third = supervisor.up(3)[2]
    (died,) = supervisor.events("child_died")
    (restarting,) = supervisor.events("child_restarting")
    assert died["signal"] == "SIGKILL"
    assert died["lived_s"] >= 0
    assert (restarting["child"], restarting["in_s"]) == (died["child"], 0.05)
    supervisor.ask()
    assert supervisor.result()[0] == 0
    assert gone(third)


def test_what_dies_at_once_is_started_ever_more_rarely_and_leaves_no_zombie(supervisor) -> None:
    backoff = {"first": 0.05, "longest": 0.4, "settled": 60.0}
    supervisor.start(backoff=backoff, broken=ENDS_AT_ONCE, missing=("no-such-program",))

    def restarts(child: str) -> list[float]:
        events = supervisor.events("child_restarting")
        return [event["in_s"] for event in events if event["child"] == child]

    until(lambda: min(len(restarts("broken")), len(restarts("missing"))) >= 6)

    assert restarts("broken")[:6] == restarts("missing")[:6] == [0.05, 0.1, 0.2, 0.4, 0.4, 0.4]
    until(lambda: not zombies_of(supervisor.pid))
    supervisor.ask()
    status, _, err = supervisor.result()
    assert status == 0
    assert err.splitlines()[0] == "error: Can't run no-such-program: No such file or directory."
    events = [event for event in supervisor.events() if event.get("child") == "broken"]
    # The last one may have been asked to end before it did so by itself.
    died = [event for event in events if event["event"] == "child_died"]
    codes = {event["code"] for event in died if "code" in event}
    waits = [
        (after["at"] - before["at"], before["in_s"])
        for before, after in pairwise(events)
        if (before["event"], after["event"]) == ("child_restarting", "child_started")
    ]
    assert codes == {3}
    assert len(waits) >= 5
    assert all(waited > 0.9 * planned for waited, planned in waits)


def test_a_stop_is_heard_while_a_restart_is_far_away(supervisor) -> None:
    supervisor.start(backoff={"first": 60.0, "longest": 60.0}, broken=ENDS_AT_ONCE)
    until(lambda: supervisor.events("child_restarting"))

    supervisor.ask()

    assert supervisor.result()[0] == 0
    assert len(supervisor.noted("up")) == 1


def test_a_life_that_was_long_enough_is_followed_by_the_first_delay_again(supervisor) -> None:
    lives_long_the_third_time = f"""
note('up')
with open({str(supervisor.notes)!r}) as file: lives = len(file.readlines())
if lives == 3: time.sleep(1.6)
if lives >= 6: time.sleep(60)
"""
    backoff = {"first": 0.05, "longest": 10.0, "settled": 1.5}
    supervisor.start(backoff=backoff, worker=lives_long_the_third_time)
    supervisor.up(6)

    delays = [event["in_s"] for event in supervisor.events("child_restarting")]

    assert delays == [0.05, 0.1, 0.05, 0.05, 0.1]
    supervisor.ask()
    assert supervisor.result()[0] == 0


def test_the_delays_double_up_to_the_longest() -> None:
    backoff = Backoff()

    delays = [backoff.delay(lives) for lives in range(9)]

    assert delays == [0.5, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.delay(10**9) == 30


def test_a_process_that_cannot_be_made_is_tried_again(supervisor) -> None:
    before = """
really, left = os.posix_spawn, [1, 2]
def posix_spawn(*arguments, **options):
    if left:
        left.pop()
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return really(*arguments, **options)
os.posix_spawn = posix_spawn
"""
    supervisor.start(before=before, worker=STAYS)
    supervisor.up()

    assert [event["event"] for event in supervisor.events()] == [
        "child_not_started",
        "child_restarting",
        "child_not_started",
        "child_restarting",
        "child_started",
    ]
    supervisor.ask()
    assert supervisor.result()[0] == 0


def test_a_sigkilled_supervisor_takes_its_children_and_what_they_tied_along(supervisor) -> None:
    tied = PRELUDE.format(notes=str(supervisor.notes)) + IGNORES_SIGTERM
    starts = f"""
sys.path.insert(0, {str(ROOT)!r})
from inference.tether import tethered
subprocess.Popen(tethered([*{PYTHON!r}, {tied!r}]), start_new_session=True)
"""
    supervisor.start(web=IGNORES_SIGTERM, worker=starts + STAYS, scheduler=STAYS)
    pids = supervisor.up(4)

    supervisor.ask(signal.SIGKILL)

    until(lambda: all(map(gone, pids)), seconds=5)


@pytest.mark.parametrize("moment", [0.0, 0.004, 0.012, 0.02])
def test_a_supervisor_that_is_sigkilled_while_it_starts_leaves_nothing(
    supervisor, moment: float
) -> None:
    """Also not a child that is between its birth and its tie."""
    supervisor.start(web=STAYS, worker=STAYS, scheduler=STAYS)
    until(lambda: supervisor.events("child_started"))
    time.sleep(moment)

    supervisor.ask(signal.SIGKILL)
    supervisor.process.wait()

    mark = str(supervisor.notes)

    def left() -> list[str]:
        found = []
        for process in Path("/proc").iterdir():
            # Gone meanwhile, or no process at all.
            with suppress(OSError):
                found += [process.name] if mark in (process / "cmdline").read_text() else []
        return found

    until(lambda: not left(), seconds=5)


def test_a_command_whose_starter_is_gone_before_the_tie_is_not_run(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    command = list(tether.tethered(["touch", str(witness)]))
    assert subprocess.run(command).returncode == 0
    witness.unlink()

    command[command.index(str(os.getpid()))] = "2147483647"

    assert subprocess.run(command).returncode == 127
    assert not witness.exists()


def test_what_a_dead_child_left_behind_is_killed(supervisor) -> None:
    """An untied child of its own, as a library may start one."""
    left = PRELUDE.format(notes=str(supervisor.notes)) + IGNORES_SIGTERM.replace("up", "left")
    supervisor.start(worker=f"subprocess.Popen([*{PYTHON!r}, {left!r}])\n" + STAYS)
    (worker,) = supervisor.up()
    (orphan,) = until(lambda: supervisor.noted("left"))

    os.kill(worker, signal.SIGKILL)

    until(lambda: gone(orphan))
    until(lambda: len(supervisor.noted("left")) == 2)
    supervisor.ask()
    assert supervisor.result()[0] == 0
    assert all(map(gone, supervisor.noted("left")))


def test_orphans_that_process_1_of_a_container_is_given_do_not_stay_zombies(supervisor) -> None:
    adopts = "import ctypes; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)"
    abandons = """
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        time.sleep(0.2)
        note('ended')
    os._exit(0)
os.wait()
"""
    supervisor.start(before=adopts, worker=abandons + STAYS)
    supervisor.up()

    (orphan,) = until(lambda: supervisor.noted("ended"))

    until(lambda: state(orphan) == "")
    assert len(supervisor.events()) == 1
    supervisor.ask()
    assert supervisor.result()[0] == 0


def test_an_error_of_the_supervisor_itself_leaves_no_child(supervisor) -> None:
    before = """
def fail(record):
    if record.getMessage() == "child_restarting":
        raise RuntimeError("the log is broken")
    return True
log.addFilter(fail)
"""
    supervisor.start(before=before, worker=STAYS, scheduler=STAYS)
    pids = supervisor.up(2)

    os.kill(pids[0], signal.SIGKILL)

    status, _, err = supervisor.result()
    assert status == 1
    assert "the log is broken" in err
    assert "AssertionError" not in err
    assert all(map(gone, pids))


@pytest.mark.parametrize("child", [STAYS, ENDS_AT_ONCE], ids=["running", "due much later"])
def test_a_supervisor_with_nothing_to_do_sleeps(supervisor, child: str) -> None:
    supervisor.start(backoff={"first": 60.0, "longest": 60.0}, worker=child)
    supervisor.up()
    until(lambda: child == STAYS or supervisor.events("child_restarting"))
    until(lambda: state(supervisor.pid) == "S")
    status = Path(f"/proc/{supervisor.pid}/status")

    def switches() -> int:
        found = re.findall(r"^voluntary_ctxt_switches:\s(\d+)", status.read_text(), re.MULTILINE)
        return int(found[0])

    before = switches()
    time.sleep(0.5)

    # One may be the way into the sleep.
    assert switches() - before <= 1
    supervisor.ask()
    assert supervisor.result()[0] == 0
