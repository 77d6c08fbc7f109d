"""Keeps a few processes running until it is told to stop, and then ends every one of them.

Knows commands and signals; not what the commands do, no settings and no threads.

How it holds together:
- Each child has a session of its own. Ctrl-C in a terminal then reaches the supervisor alone, which
  asks each child once, with SIGTERM. The child's own children are not asked: a worker that finishes
  its job needs them.
- Each child is tied to the supervisor (`inference.tether`): the kernel kills it when the supervisor
  is gone, however that came. SIGKILL and not SIGTERM, since nobody is left to insist, and every
  child may be killed at any moment without harm. macOS has no such call: there a supervisor that is
  itself SIGKILLed leaves its children behind, which the log says at the start.
- What a child has started and left behind in its process group is killed once the child has ended.
  Nobody can do that after a SIGKILL of the supervisor; hence a child ties its own children too.

Events are logged by constant names; what they are about is in the records' fields.
"""

import logging
import os
import select
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, Self

from inference import tether

_LOG = logging.getLogger(__name__)
_ONE_REQUEST = 1.0  # seconds in which several signals to stop are the same wish
_REAPING = 3.0  # seconds that the kernel may take to end what was SIGKILLed


@dataclass(frozen=True)
class Child:
    """A process to keep running: its name in the log, what runs, and its whole environment."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True)
class Backoff:
    """How long to wait before a child is started again, in seconds.

    `first` after the first short life, twice as long after each further one in a row, never more
    than `longest`: what dies at once is started once in `longest` seconds. A life of `settled`
    seconds or more makes the next one the first again.
    """

    first: float = 0.5
    longest: float = 30.0
    settled: float = 10.0

    def delay(self, short_lives: int) -> float:
        """Seconds until the next start, `short_lives` having been short in a row (0 is as 1)."""
        doublings = min(max(short_lives, 1) - 1, 32)
        return float(min(self.first * 2**doublings, self.longest))


def supervise(
    children: Iterable[Child],
    *,
    stop_within: float = 15.0,
    backoff: Backoff = Backoff(),
    log: logging.Logger = _LOG,
) -> int:
    """Run all children, start again whichever ends, and stop them on SIGINT, SIGTERM or SIGHUP.

    They then have `stop_within` seconds to end after their SIGTERM before they are killed; another
    signal, a second or more after the first, kills them now. No process that was started here, nor
    any of its process group, is left when this returns: 0 when all children ended when asked, with
    whatever status, 1 when one had to be killed. To be called in the main thread of a process that
    has no other children: they would be reaped here.
    """
    posts = [_Post(child, backoff, log) for child in children]
    if not tether.AVAILABLE:
        log.warning("children_outlive_a_killed_supervisor")
    with _Signals() as signals:
        try:
            while signals.stop is None:
                _reap(posts)
                for post in posts:
                    post.start_if_due()
                signals.wait(min((post.due for post in posts if not post.pid), default=None))
        except BaseException:
            _stop(posts, signals, within=0.0)
            raise
        log.info("stopping", extra={"signal": signals.stop, "within_s": stop_within})
        return _stop(posts, signals, stop_within)


def _stop(posts: "list[_Post]", signals: "_Signals", within: float) -> int:
    deadline = time.monotonic() + within
    for post in posts:
        post.ask_to_end()
    while _reap(posts) and not signals.hurry and time.monotonic() < deadline:
        signals.wait(deadline)
    killed = [post.kill() for post in posts]
    # A process that hangs in the kernel dies when that lets go of it: not a reason to hang too.
    deadline = time.monotonic() + _REAPING
    while _reap(posts) and time.monotonic() < deadline:
        signals.wait(deadline)
    return int(any(killed))


def _reap(posts: "list[_Post]") -> int:
    """Collect what has ended, and say how many children have not.

    Whatever else turns up are orphans that a container's process 1 is given.
    """
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            for post in posts:
                if post.pid == ended[0]:
                    post.has_ended(os.waitstatus_to_exitcode(ended[1]))
    return sum(post.pid != 0 for post in posts)


class _Post:
    """The place of one child: filled by the process `pid`, or vacant (0) and filled when `due`."""

    def __init__(self, child: Child, backoff: Backoff, log: logging.Logger) -> None:
        self.pid = 0
        self.due = time.monotonic()
        self._child = child
        self._backoff = backoff
        self._log = log
        self._started = 0.0
        self._short_lives = 0
        self._leaving = False

    def start_if_due(self) -> None:
        """Fill a vacant place whose time has come. A failure counts as a very short life."""
        now = time.monotonic()
        if self.pid or now < self.due:
            return
        command = tether.tethered(self._child.command)
        nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        try:
            self.pid = os.posix_spawn(
                command[0], command, self._child.env, file_actions=[nothing], setsid=True
            )
        except OSError as error:
            self._say(logging.ERROR, "child_not_started", error=error.strerror)
            self._short_lives += 1
            self._try_again()
            return
        self._started = now
        self._say(logging.INFO, "child_started", child_pid=self.pid)

    def ask_to_end(self) -> None:
        """Send SIGTERM; what ends from now on is not started again."""
        self._leaving = True
        if self.pid:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> bool:
        """Kill what is still there, and say whether anything was."""
        self._leaving = True
        if not self.pid:
            return False
        self._say(logging.ERROR, "child_killed", child_pid=self.pid)
        _kill_group(self.pid)
        return True

    def has_ended(self, status: int) -> None:
        """Note how the child ended, clear away what it left, and plan the next start."""
        _kill_group(self.pid)
        self.pid = 0
        lived = time.monotonic() - self._started
        ending: dict[str, Any] = {"code": status}
        if status < 0:
            ending = {"signal": _name(-status)}
        level = logging.INFO if self._leaving else logging.WARNING
        self._say(level, "child_died", **ending, lived_s=round(lived, 1))
        self._short_lives = 0 if lived >= self._backoff.settled else self._short_lives + 1
        if not self._leaving:
            self._try_again()

    def _try_again(self) -> None:
        delay = self._backoff.delay(self._short_lives)
        self.due = time.monotonic() + delay
        self._say(logging.WARNING, "child_restarting", in_s=delay, short_lives=self._short_lives)

    def _say(self, level: int, event: str, **fields: Any) -> None:
        self._log.log(level, event, extra={"child": self._child.name, **fields})


def _kill_group(leader: int) -> None:
    """Kill a process group, also one whose leader was reaped just now: numbers return much later.

    A group without members is the usual case then; macOS calls one of zombies not permitted.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


class _Signals:
    """Receives signals while it is entered, and sleeps until there is one.

    Handlers, and not blocked signals with `sigtimedwait`: a thread that some library made would not
    have them blocked, and the signal that it got would end the process.
    """

    def __init__(self) -> None:
        self.stop: str | None = None
        """The name of the signal that asked to stop."""
        self.hurry = False
        """Whether another one came that is not just the same wish again."""
        self._first = 0.0

    def __enter__(self) -> Self:
        self._bell, ring = os.pipe()
        self._ring = ring
        os.set_blocking(self._bell, False)
        os.set_blocking(ring, False)
        self._old_ring = signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        handlers: dict[int, Any] = {signal.SIGCHLD: lambda number, frame: None}
        handlers |= dict.fromkeys((signal.SIGINT, signal.SIGTERM), self._asked_to_stop)
        # A terminal that closes; ignored on purpose under `nohup`.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            handlers[signal.SIGHUP] = self._asked_to_stop
        self._old = {number: signal.signal(number, do) for number, do in handlers.items()}
        self._old_mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)
        return self

    def __exit__(self, *_: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._old_mask)
        for number, handler in self._old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_ring)
        os.close(self._bell)
        os.close(self._ring)

    def wait(self, until: float | None) -> None:
        """Sleep until a signal came since the last call, or the monotonic time `until`."""
        timeout = None if until is None else max(0.0, until - time.monotonic())
        if select.select([self._bell], [], [], timeout)[0]:
            os.read(self._bell, 4096)

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.stop is None:
            self.stop, self._first = _name(number), now
        # `make` passes on what a whole process group got already: that must not kill a worker.
        elif now - self._first >= _ONE_REQUEST:
            self.hurry = True


def _name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return str(number)
