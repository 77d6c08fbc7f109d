"""Calls a function in a process of its own: peaks don't mix, and nothing is warm by accident.

Knows nothing of what is measured. Arguments and results travel as JSON.
"""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable

from inference.bench.setup import Result
from inference.tether import tethered


class MeasurementFailed(RuntimeError):
    """The process of a measurement ended with an error; the text is its last line."""


def in_fresh_process(function: Callable[..., Result], **arguments: object) -> Result:
    """What `function(**arguments)` returns in a new interpreter.

    The function is found by its module and name; paths arrive as texts. Raises
    `MeasurementFailed`.
    """
    done = subprocess.run(
        tethered(
            (
                sys.executable,
                "-m",
                "inference.bench.fresh",
                function.__module__,
                function.__name__,
                json.dumps(arguments, default=str),
            )
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
        raise MeasurementFailed(said[-1])
    # The last line: libraries greet on the standard output.
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


def _main() -> None:
    module, name, arguments = sys.argv[1:]
    result = getattr(importlib.import_module(module), name)(**json.loads(arguments))
    sys.stdout.write("\n" + json.dumps(result) + "\n")


if __name__ == "__main__":
    _main()
