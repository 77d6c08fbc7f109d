"""A folder that several processes change.

Knows nothing of what the files are.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UNFINISHED = "unfinished-"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until nobody else is alone in the folder, and keep others waiting.

    The folder is made where it is missing. What killed processes left unfinished is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The folder itself is locked: a lock file could not be removed without a race.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for left in folder.glob(f".{_UNFINISHED}*"):
            left.unlink()
        yield
    finally:
        os.close(handle)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that everybody may read; it has its name only when it is complete on disk."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{_UNFINISHED}")
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
