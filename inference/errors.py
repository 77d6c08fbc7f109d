"""Everything that can go wrong in the engine, as types.

Each error has a code for programs, a sentence for people and a hint that says what to do.
Nothing here knows how an error is shown.
"""

from typing import ClassVar


class EngineError(Exception):
    """Base of all errors that the engine raises on purpose.

    `message` is one sentence with its full stop.
    `hint` is a second sentence that says what to do, or an empty string.
    """

    code: ClassVar[str] = "ENGINE_ERROR"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def __reduce__(self) -> tuple[type["EngineError"], tuple[str, str]]:
        return type(self), (self.message, self.hint)


class InvalidOptions(EngineError):
    """The options contradict each other or ask for something that does not exist."""

    code = "INVALID_OPTIONS"


class InvalidFileType(EngineError):
    """The bytes are not a PNG, JPEG or WebP picture, whatever the name says."""

    code = "INVALID_FILE_TYPE"


class MalformedImage(EngineError):
    """The picture starts like one of the accepted formats, but is damaged or incomplete."""

    code = "MALFORMED_IMAGE"


class ResolutionTooHigh(EngineError):
    """The picture, or the result that was asked for, has more pixels than the limit."""

    code = "RESOLUTION_TOO_HIGH"


class FormatCannotHold(EngineError):
    """The output format cannot hold this result: its sides, its transparency, its bits, or, where
    it is made in one piece, as much as this machine's memory."""

    code = "FORMAT_CANNOT_HOLD"


class UnknownModel(EngineError):
    """No model of this name is installed or listed."""

    code = "UNKNOWN_MODEL"


class ModelUnavailable(EngineError):
    """A listed model could not be fetched from any of its sources."""

    code = "MODEL_UNAVAILABLE"


class InvalidWeights(EngineError):
    """A weight file is damaged, incomplete or not what its checksum promises."""

    code = "INVALID_WEIGHTS"


class UnsafeWeights(EngineError):
    """A weight file carries code, and was refused before any of it could run."""

    code = "UNSAFE_WEIGHTS"


class UnsupportedModel(EngineError):
    """The weights are intact, but no known super-resolution network fits them."""

    code = "UNSUPPORTED_MODEL"


class ModelNameTaken(EngineError):
    """Other weights are installed under this name."""

    code = "MODEL_NAME_TAKEN"


class OutOfMemory(EngineError):
    """Not even the smallest piece of the picture fits into memory."""

    code = "OUT_OF_MEMORY"


class NoSuchTile(EngineError, LookupError):
    """A preview has no tile at this place."""

    code = "NO_SUCH_TILE"


class DamagedPreview(EngineError):
    """A stored preview is not what was written, or was never finished."""

    code = "DAMAGED_PREVIEW"


class Canceled(EngineError):
    """`should_stop` answered yes."""

    code = "CANCELED"

    def __init__(
        self, message: str = "Stopped before the result was finished.", hint: str = ""
    ) -> None:
        super().__init__(message, hint)
