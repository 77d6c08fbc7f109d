"""Everything that is kept, behind one name: rows, keys, blobs and the clock they go by.

Knows how the four are opened together. Knows nothing of what is done with them: that is in the
functions of the other modules, which take a `Store` first.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine

from db import clock, connection
from db.blobs import Blobs
from db.errors import DatabaseBusy, StorageFull

_NOTE_PATIENCE = 0.05


class Store:
    """One per process; safe to share between its threads, not across a fork."""

    def __init__(self, rows: Engine, keys: Engine, blobs: Blobs, time: clock.Clock) -> None:
        self.rows = rows
        self.keys = keys
        self.blobs = blobs
        self.clock = time

    @classmethod
    def open(
        cls,
        url: str,
        keys_url: str,
        blobs: Path,
        *,
        busy_timeout: float = connection.BUSY_TIMEOUT,
        readers: clock.Readers | None = None,
    ) -> Self:
        """Opens what `db.migrate` has prepared; `readers` default to this machine's clocks."""
        rows = connection.open_engine(url, busy_timeout=busy_timeout)
        keys = connection.open_engine(keys_url, busy_timeout=busy_timeout)
        try:
            return cls(rows, keys, Blobs(blobs), clock.Clock(rows, readers or clock.MACHINE))
        except BaseException:
            rows.dispose()
            keys.dispose()
            raise

    def reading(self) -> AbstractContextManager[Connection]:
        """One consistent look at the rows."""
        return connection.reading(self.rows)

    @contextmanager
    def writing(self, *, patience: float | None = None) -> Iterator[Connection]:
        """One transaction on the rows: all of the block or nothing of it.

        `patience`: see `connection.writing`.
        """
        with connection.writing(self.rows, patience=patience) as rows:
            # Before the block, so that a sweep of old rows finds this boot's row up to date.
            written = self.clock.write_down(rows)
            yield rows
        self.clock.has_written(written)

    def note(self, write: Callable[[Connection], object]) -> None:
        """Writes down what may as well be written later, or never: who asks for a page does not
        wait for it, and a database that is busy or full is no reason to refuse the page."""
        with suppress(DatabaseBusy, StorageFull), self.writing(patience=_NOTE_PATIENCE) as rows:
            write(rows)

    def close(self) -> None:
        self.rows.dispose()
        self.keys.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
