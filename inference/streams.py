"""What the engine asks of the streams that it is handed."""

from typing import Any, Protocol


class Sink(Protocol):
    """Where bytes go, in order. Files, buffers and encrypting writers all are one."""

    def write(self, data: Any, /) -> Any:
        """Take all of `data`, which is bytes-like."""
