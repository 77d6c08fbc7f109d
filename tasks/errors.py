"""Why work was refused, as types.

Each has a code for programs, a sentence for people and a hint, as the errors of the engine and of
what is kept have.
"""

from typing import ClassVar


class Refused(Exception):
    """Base of all refusals of this room. Nothing was kept when one is raised."""

    code: ClassVar[str] = "REFUSED"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class ReadOnlyToken(Refused):
    """A token that is for reading would have changed something."""

    code = "READ_ONLY_TOKEN"


class SessionNeeded(Refused):
    """A token would have done what only somebody who is signed in may do."""

    code = "SESSION_NEEDED"


class NothingToDo(Refused):
    """A batch without pictures."""

    code = "NOTHING_TO_DO"


class TooManyFiles(Refused):
    """More pictures than one batch may have."""

    code = "TOO_MANY_FILES"


class UploadsClosed(Refused):
    """Deletion is not working, and who cannot delete must not take in more."""

    code = "UPLOADS_CLOSED"


class QueueTooLong(Refused):
    """The batch could not be started early enough for its files to outlive it."""

    code = "QUEUE_TOO_LONG"


class TooLateForAll(Refused):
    """What is left of the originals' time is shorter than the batch would take."""

    code = "TOO_LATE"


class SpotTooLarge(Refused):
    """More of a picture than a try may have."""

    code = "SPOT_TOO_LARGE"


class NothingToTry(Refused):
    """No model that could render the spot is installed."""

    code = "NOTHING_TO_TRY"


class DeskBusy(Refused):
    """Another deed with models is under way."""

    code = "MODEL_TASK_RUNNING"


class ModelNeeded(Refused):
    """The model cannot be spared."""

    code = "MODEL_NEEDED"
