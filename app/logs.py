"""Log lines: one JSON object each, an event's constant name and ids, never a person's words.

Written to standard error and to a file per process and day, so that deleting whole files keeps the
promise that no line grows older than 14 days.
"""

import logging
import sys
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TextIO

from pythonjsonlogger.json import JsonFormatter

_FIELDS = ("levelname", "name", "message")
_LOUD = ("huey", "apscheduler", "alembic", "httpx", "PIL", "uvicorn")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def start(process: str, folder: Path) -> None:
    """Log everything of this process from now on."""
    formatter = _Formatter(
        _FIELDS, rename_fields={"levelname": "level", "message": "event"}, timestamp="at"
    )
    handlers: list[logging.Handler] = [
        logging.StreamHandler(sys.stderr),
        _DailyFile(folder, process),
    ]
    for handler in handlers:
        handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Formatter(JsonFormatter):
    """Of an exception, says what it was and where: its message may quote a user's words."""

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802
        kind, _, trace = ei
        frames = []
        while trace is not None:
            code = trace.tb_frame.f_code
            frames.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
            trace = trace.tb_next
        return f"{kind.__name__ if kind else 'unknown'} at " + " < ".join(reversed(frames))


class _DailyFile(logging.Handler):
    """`PROCESS-YYYY-MM-DD.log`, by the day of each line."""

    def __init__(self, folder: Path, process: str) -> None:
        super().__init__()
        self._folder = folder
        self._process = process
        self._day: date | None = None
        self._stream: TextIO | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            day = date.fromtimestamp(record.created)
            if day != self._day or self._stream is None:
                self.close()
                path = self._folder / f"{self._process}-{day.isoformat()}.log"
                self._stream = path.open("a", encoding="utf-8")
                path.chmod(0o600)
                self._day = day
            self._stream.write(self.format(record) + "\n")
            self._stream.flush()
        except Exception:  # a full disk must not end the work that is being logged
            self.handleError(record)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        super().close()
