"""What tests and measurements of networks found out, kept so that none is made twice.

One small file beside the models. It is a convenience: where it can't be read or written, or is
damaged, they are simply made again, once per process. Knows nothing of what is tested.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from inference.folders import write_whole

FILE = ".verdicts.json"

Verdict = bool | dict[str, Any]
"""What JSON gives back as it was. Whoever asks for one of several fields checks them."""

_Verdicts = dict[str, dict[str, Verdict]]


class Verdicts:
    """Answers of tests, by where they were made and by what was tested."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` need not exist nor be writable; `None` keeps verdicts in memory only."""
        self._path = folder and folder / FILE
        self._known: _Verdicts = {}

    def get(self, surroundings: str, subject: str) -> Verdict | None:
        """The verdict on `subject`, or `None` where it was not tested in these surroundings."""
        if subject not in self._known.get(surroundings, {}):
            self._known = self._with_those_on_disk()
        return self._known.get(surroundings, {}).get(subject)

    def put(self, surroundings: str, subject: str, verdict: Verdict) -> None:
        """Keep a verdict.

        The file is written anew as a whole. When two processes do so at once, one verdict is lost
        and its test made again later.
        """
        self._known.setdefault(surroundings, {})[subject] = verdict
        if self._path is None:
            return
        self._known = self._with_those_on_disk()
        text = json.dumps(self._known, indent=1, sort_keys=True, ensure_ascii=False)
        with suppress(OSError):  # no such folder, or not ours to write
            write_whole(self._path, text.encode())

    def _with_those_on_disk(self) -> _Verdicts:
        stored = _read(self._path) if self._path else {}
        return {
            where: {**stored.get(where, {}), **self._known.get(where, {})}
            for where in {*stored, *self._known}
        }


def _read(path: Path) -> _Verdicts:
    try:
        stored = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(stored, dict):
        return {}
    return {
        where: {
            subject: answer for subject, answer in found.items() if isinstance(answer, bool | dict)
        }
        for where, found in stored.items()
        if isinstance(found, dict)
    }
