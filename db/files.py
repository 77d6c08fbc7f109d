"""Files: kept encrypted, read in ranges, erased without a trace.

Knows the order in which bytes, keys and rows come and go. Knows nothing of pictures.

THE ORDER. A process may be killed, and the power may go, between any two of these lines; whatever
is left over is finished by `db/reconcile.py` or by the same call again.

Keeping      1  bytes go into `new/`, locked, under a key that exists only in memory
             2  fsync of the bytes
             3  the key is committed to the key store
             4  rename into place, fsync of the folder
             5  the row, in the transaction that promises the file: batch submitted, job finished
  Killed before 3: a file without a lock that nobody can decrypt; deleted by the next reconciler.
  Killed before 5: key, or key and blob, without a row; deleted after the grace time. A row is not
  written for bytes older than `PROMISE_WITHIN`, so the reconciler never takes what is promised.

Erasing      1  the row is hidden, with the cause: nobody finds the file any more
             2  the key is deleted, and the key store's log emptied: nobody can read it any more
             3  the bytes are unlinked, fsync of the folder
             4  in one transaction: a receipt, and the row names no blob but the receipt
  Killed before 4: a hidden row without `deleted_at`. It is due for deletion, by its first cause,
  until step 4 has happened; 2 and 3 do no harm when repeated; 4 happens once.
"""

import io
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, cast
from uuid import UUID, uuid4

from sqlalchemy import Connection, insert, select, update

from db import cipher, counts, keys, orders, receipts
from db.blobs import NewBlob
from db.errors import DamagedFile, Gone, NotFound, StorageFull
from db.holds import held
from db.hours import EXPORT_KEPT, PROMISE_WITHIN
from db.store import Store
from db.upkeep import Metric
from db.work import Cause, File, Job, Kind, Role

_READ = 1024 * 1024
_BUFFER = 64 * 1024


@dataclass(frozen=True)
class Kept:
    """Bytes that lie encrypted and complete in the storage, and that no row knows yet.

    Becomes a file when it is handed to `batches.create`, `jobs.finish` or `keep_export` within ten
    minutes; otherwise it is `discard`ed, by its owner or by the reconciler.
    """

    id: UUID
    role: Role
    pictures: Role | None
    format: str
    width: int | None
    height: int | None
    size: int
    kept_at: datetime
    blob_name: str = field(repr=False)


@dataclass(frozen=True)
class Stored:
    """A file that its owner could read when it was looked for."""

    id: UUID
    job_id: UUID | None
    role: Role
    pictures: Role | None
    order: orders.Order | None
    """What was ordered, and what the user called the picture. None for an export."""
    format: str
    width: int | None
    height: int | None
    size: int
    created_at: datetime
    expires_at: datetime
    blob_name: str = field(repr=False)


class Writer(io.RawIOBase):
    """A sink that encrypts what is written to it; flat in memory, not seekable.

    Ends with `finish()`. Closed before that, as by an exception inside `with`, nothing is left.
    """

    _blob: NewBlob | None = None

    def __init__(
        self, store: Store, role: Role, *, format: str, pictures: Role | None = None
    ) -> None:
        self._store = store
        self._role, self._format, self._pictures = role, format, pictures
        self._id, self._key = uuid4(), cipher.new_key()
        self._key_stored = False
        self._blob = NewBlob(store.blobs)
        self._encryptor = cipher.Encryptor(self._key, self._id, self._blob.write)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self._blob is None:
            # Its descriptor may be another file's by now.
            raise ValueError("this writer has ended")
        view = memoryview(data)
        self._encryptor.update(view)
        return view.nbytes

    def finish(self, *, width: int | None = None, height: int | None = None) -> Kept:
        """Steps 1 to 4 of keeping: the bytes are complete and survive a power cut."""
        if self._blob is None:
            raise ValueError("this writer has ended")
        self._encryptor.finish()
        self._blob.sync()
        now = self._store.clock.now()
        keys.put(self._store.keys, self._id, self._key, now)
        self._key_stored = True
        self._blob.finish(now)
        kept = Kept(
            id=self._id,
            role=self._role,
            pictures=self._pictures,
            format=self._format,
            width=width,
            height=height,
            size=self._encryptor.size,
            kept_at=now,
            blob_name=self._blob.name,
        )
        self._blob = None
        self.close()
        return kept

    def abandon(self) -> None:
        """Nothing is left of what was written."""
        self.close()

    def close(self) -> None:
        blob, self._blob = self._blob, None
        super().close()
        if blob is not None:
            blob.abandon()
            if self._key_stored:
                keys.delete_all(self._store.keys, [self._id])


def keep(
    store: Store,
    stream: BinaryIO,
    role: Role,
    *,
    format: str,
    width: int | None = None,
    height: int | None = None,
    pictures: Role | None = None,
) -> Kept:
    """Encrypts all of `stream`, from where it stands, into the storage.

    Raises `StorageFull` or `DatabaseBusy`; then nothing of it is left.
    """
    with Writer(store, role, format=format, pictures=pictures) as writer:
        while data := stream.read(_READ):
            writer.write(data)
        return writer.finish(width=width, height=height)


def discard(store: Store, kept: Iterable[Kept]) -> None:
    """Deletes bytes that will get no row: a batch that was refused, a job that was canceled."""
    kept = list(kept)
    # Bytes first: on a full disk, there is no room to delete a key before they are gone.
    for one in kept:
        store.blobs.delete(one.blob_name)
    keys.delete_all(store.keys, [one.id for one in kept])


def keep_export(store: Store, kept: Kept, user_id: UUID) -> datetime:
    """Makes `kept` an export of `user_id`, and returns its `expires_at`: 24 hours from now."""
    with store.writing() as rows:
        expires_at = store.clock.now() + EXPORT_KEPT
        add_row(store, rows, kept, user_id=user_id, job_id=None, expires_at=expires_at)
    return expires_at


def add_row(
    store: Store,
    rows: Connection,
    kept: Kept,
    *,
    user_id: UUID,
    job_id: UUID | None,
    expires_at: datetime,
) -> None:
    """Step 5 of keeping, as part of the transaction that promises the file."""
    now = store.clock.now()
    if now - kept.kept_at > PROMISE_WITHIN:
        # The process was stopped in between, and the reconciler may be at these bytes right now.
        raise DamagedFile
    rows.execute(
        insert(File).values(
            id=kept.id,
            user_id=user_id,
            job_id=job_id,
            role=kept.role,
            pictures=kept.pictures,
            blob_name=kept.blob_name,
            format=kept.format,
            width=kept.width,
            height=kept.height,
            size=kept.size,
            created_at=now,
            expires_at=expires_at,
        )
    )


def find(store: Store, file_id: UUID, user_id: UUID) -> Stored:
    """The file, if it is this user's: raises `NotFound`, or `Gone` from `expires_at` on.

    `Gone` does not depend on any sweep.
    """
    with store.reading() as rows:
        row = rows.execute(
            select(File.__table__, *orders.COLUMNS)
            .join_from(File, Job, File.job_id == Job.id, isouter=True)
            .where(File.id == file_id, File.user_id == user_id)
        ).one_or_none()
    if row is None:
        raise NotFound
    if row.hidden_at is not None or store.clock.now() >= row.expires_at:
        raise Gone
    return Stored(
        id=row.id,
        job_id=row.job_id,
        role=Role(row.role),
        pictures=row.pictures and Role(row.pictures),
        order=orders.order_of(row),
        format=row.format,
        width=row.width,
        height=row.height,
        size=row.size,
        created_at=row.created_at,
        expires_at=row.expires_at,
        blob_name=row.blob_name,
    )


def open(store: Store, file: Stored) -> io.BufferedReader:
    """The plain bytes of `file`, seekable; a range costs the chunks that it touches.

    Raises `Gone`, now or at any later read, once the file's time is over: a slow download does not
    outlive it. Raises `DamagedFile` instead of a byte that was not written.
    """

    def allowed() -> None:
        if store.clock.now() >= file.expires_at:
            raise Gone

    allowed()
    key = keys.get(store.keys, file.id)
    if key is None:
        raise Gone
    try:
        stored = store.blobs.open(file.blob_name)
    except FileNotFoundError as error:
        raise DamagedFile from error
    try:
        plain = cipher.Decryptor(key, file.id, stored, file.size, allowed)
    except BaseException:
        stored.close()
        raise
    return io.BufferedReader(plain, _BUFFER)


def note_download(store: Store, file: Stored) -> None:
    """Remembers that the owner has the file; called when all of it was sent.

    What came of a try is looked at, not downloaded, and is not counted.
    """
    now = store.clock.now()
    with store.writing() as rows:
        if rows.scalar(select(Job.kind).where(Job.id == file.job_id)) == Kind.TRY:
            return
        rows.execute(
            update(File)
            .where(File.id == file.id, File.first_downloaded_at.is_(None))
            .values(first_downloaded_at=now)
        )
        counts.add(rows, now, Metric.DOWNLOADED, file.role)


def erase(store: Store, file_ids: Collection[UUID], cause: Cause) -> int:
    """Deletes the files, all four steps, and returns how many receipts this call has written.

    Safe to repeat, to interrupt and to run beside itself. Held files are hidden at once and lose
    their bytes when the hold ends. Where the system refuses to delete some bytes, the others go
    first, then its error is raised; what is left stays due.
    """
    try:
        unfinished = _hide(store, file_ids, cause)
        keys.delete_all(store.keys, unfinished)
    except StorageFull:
        # A disk can be so full that not even deleting finds room in the database. Unlinking takes
        # none and makes some; should the process be killed now, the rows have merely lost their
        # bytes, and the reconciler says so.
        for name in _blob_names(store, file_ids).values():
            store.blobs.delete(name)
        unfinished = _hide(store, file_ids, cause)
        keys.delete_all(store.keys, unfinished)
    erased, refused = [], None
    for file_id, name in unfinished.items():
        try:
            store.blobs.delete(name)
        except OSError as error:
            refused = error
        else:
            erased.append(file_id)
    written = receipts.write(store, erased)
    if refused is not None:
        raise refused
    return written


def _hide(store: Store, file_ids: Collection[UUID], cause: Cause) -> dict[UUID, str]:
    """Step 1 of erasing; the files whose other steps are to be done."""
    with store.writing() as rows:
        rows.execute(
            update(File)
            .where(File.id.in_(file_ids), File.hidden_at.is_(None))
            .values(hidden_at=store.clock.now(), hidden_cause=cause)
        )
    return _blob_names(store, file_ids)


def _blob_names(store: Store, file_ids: Collection[UUID]) -> dict[UUID, str]:
    """The blobs of those files that have one and are not held."""
    with store.reading() as rows:
        found = rows.execute(
            select(File.id, File.blob_name).where(
                File.id.in_(file_ids), File.deleted_at.is_(None), ~held(store.clock.now())
            )
        )
        return {row.id: cast(str, row.blob_name) for row in found}
