"""Ties a process to the one that starts it: when the starter is gone, even by SIGKILL, so is it.

`tethered(command)` is the command to start instead. It runs this file, which asks the kernel for
SIGKILL at the starter's death and then becomes the command, under the same process id. Linux only:
elsewhere the command runs untied, for want of such a call. Where no locale is set, the command
finds LC_CTYPE=C.UTF-8, as Python would set it for itself. Knows nothing of what it ties.

The tie is not inherited. Whoever starts processes of its own ties each of them.
"""

import os
import signal
import sys
from collections.abc import Sequence

AVAILABLE = sys.platform == "linux"
"""Whether the system can tie."""

_PR_SET_PDEATHSIG = 1
_COULD_NOT_RUN = 127  # as shells say it


def tethered(command: Sequence[str]) -> tuple[str, ...]:
    """The command that runs `command` with signals as a fresh process has them, tied to this one.

    `command[0]` is looked for in the PATH of the environment that it is started with. It must be
    started by this process, in a thread that lives as long as the command may: the kernel takes the
    end of the thread for the end of the process.
    """
    # Not `preexec_fn`: Python between fork and exec may deadlock once a library has made a thread.
    # A file and not a module, isolated and without site: this starts from any folder, in 15 ms.
    return (sys.executable, "-I", "-S", __file__, str(os.getpid()), *command)


def _main() -> None:
    starter, command = int(sys.argv[1]), sys.argv[2:]
    if AVAILABLE:
        _die_with(starter)
    # What is ignored or blocked survives exec: SIGINT in a shell's background jobs, SIGPIPE here.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.execvp(command[0], command)  # noqa: S606 - becoming the command is the purpose
    except OSError as error:
        sys.stderr.write(f"error: Can't run {command[0]}: {error.strerror}.\n")
        sys.exit(_COULD_NOT_RUN)


def _die_with(starter: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), zero, zero, zero) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # Only now: whoever died before the call above will not be told of.
    if os.getppid() != starter:
        os._exit(_COULD_NOT_RUN)


if __name__ == "__main__":
    _main()
