"""Everything that can go wrong with what is kept, as types.

Each error has a code for programs, a sentence for people and a hint that says what to do.
Nothing here knows how an error is shown, or which HTTP status it becomes.
"""

from typing import ClassVar


class StoreError(Exception):
    """Base of all errors that this room raises on purpose.

    `message` is one sentence with its full stop, free of paths, SQL and names of people.
    `hint` is a second sentence that says what to do, or an empty string.
    """

    code: ClassVar[str] = "STORE_ERROR"
    default_message: ClassVar[str] = "What you asked for could not be stored."
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str = "", hint: str = "") -> None:
        self.message = message or self.default_message
        self.hint = hint or self.default_hint
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def __reduce__(self) -> tuple[type["StoreError"], tuple[str, str]]:
        return type(self), (self.message, self.hint)


class DatabaseBusy(StoreError):
    """Another process held the database for longer than this one was willing to wait."""

    code = "DATABASE_BUSY"
    default_message = "The database is busy."
    default_hint = "Nothing was changed. Try again in a moment."


class StorageFull(StoreError):
    """The disk has no room for what was to be written; nothing of it was kept."""

    code = "STORAGE_FULL"
    default_message = "The server's storage is full."
    default_hint = "Nothing was kept. Try again later, or tell the operator."


class UnknownSchema(StoreError):
    """The database was written by a newer version of this program."""

    code = "UNKNOWN_SCHEMA"
    default_message = "The database belongs to another version of this program."
    default_hint = "Start the version that wrote it, or a newer one."


class NotFound(StoreError):
    """There is no such thing, or it is somebody else's: the two are the same answer."""

    code = "NOT_FOUND"
    default_message = "There is nothing here under this address."


class Suspended(StoreError):
    """The operator has suspended this user: no session and no token of theirs opens anything."""

    code = "ACCOUNT_SUSPENDED"
    default_message = "This account is suspended."
    default_hint = "Write to the operator."


class InvalidCursor(StoreError):
    """A cursor that no page of the history has given out."""

    code = "INVALID_CURSOR"
    default_message = "The history does not continue there."
    default_hint = "Begin with its first page, without a cursor."


class Gone(StoreError):
    """It was here, and its time is over, or its owner deleted it."""

    code = "GONE"
    default_message = "This file has been deleted."
    default_hint = "Files are kept for a limited time. Upscale the picture again."


class DamagedFile(StoreError):
    """The stored bytes are not the ones that were written: cut, swapped, reordered or lost."""

    code = "FILE_DAMAGED"
    default_message = "The stored file is damaged."
    default_hint = "Upload the picture again."


class TooManyOpenJobs(StoreError):
    """The user already has as many unfinished jobs as one user may have."""

    code = "TOO_MANY_OPEN_JOBS"
    default_message = "You have too many unfinished pictures."
    default_hint = "Wait until some of them are finished, or cancel them."


class JobCanceled(StoreError):
    """The owner asked for this job to be stopped."""

    code = "CANCELED"
    default_message = "The job was canceled."


class LeaseLost(StoreError):
    """The job is no longer this worker's: its lease ran out, or the job has ended."""

    code = "LEASE_LOST"
    default_message = "The job was handed to another worker."


class HoldTooLong(StoreError):
    """A hold was asked for that is longer than any hold may be."""

    code = "HOLD_TOO_LONG"
    default_message = "A hold lasts 30 days at most."
