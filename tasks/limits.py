"""How much may be handed in, and how long it would wait.

Knows numbers. What they are comes from the settings; what waits already, from the rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from app.settings import Settings
from db import retention, waiting, workers
from db.store import Store
from inference import encoders, image_io
from inference.errors import EngineError
from inference.image_io import Header
from inference.options import Options
from inference.scaling import Scaling
from tasks.errors import NothingToDo, QueueTooLong, TooLateForAll, TooManyFiles, UploadsClosed

LONGEST_WAIT = timedelta(hours=18)
"""A batch that would be started later is refused: it could expire before it is done."""

# Until a model has results of its own here: RRDBNet with 23 blocks on two cores without bf16.
_UNKNOWN_PACE = 2_500.0
SECONDS_PER_JOB = 1.0
"""What a picture takes besides its network."""


class FileTooLarge(EngineError):
    """A file has more bytes than the limit."""

    code = "FILE_SIZE_EXCEEDED"


@dataclass(frozen=True)
class Limits:
    """What one user may hand in at once."""

    files: int = 20
    file_bytes: int = 25_000_000
    input_pixels: int = image_io.DEFAULT_MAX_INPUT_PIXELS
    output_pixels: int = image_io.DEFAULT_MAX_OUTPUT_PIXELS
    open_jobs: int = 200

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            files=settings.max_files_per_batch,
            file_bytes=round(settings.max_file_megabytes * 1e6),
            input_pixels=round(settings.max_input_megapixels * 1e6),
            output_pixels=round(settings.max_output_megapixels * 1e6),
            open_jobs=settings.max_open_jobs,
        )

    def check_count(self, files: int) -> None:
        """Raise `NothingToDo` or `TooManyFiles`."""
        if files == 0:
            raise NothingToDo("There is no picture to upscale.", "Choose at least one.")
        if files > self.files:
            raise TooManyFiles(
                f"{files} pictures; {self.files} is the most that one batch may have.",
                "Hand them in as several batches.",
            )

    def check_bytes(self, size: int) -> None:
        """Raise `FileTooLarge`."""
        if size > self.file_bytes:
            raise FileTooLarge(
                f"{size / 1e6:.1f} MB; {self.file_bytes / 1e6:g} MB is the most that is accepted "
                "here.",
                "Save the picture as JPEG or make it smaller.",
            )

    def check_output(self, header: Header, scaling: Scaling, options: Options) -> None:
        """Raise what the engine would raise for the result, before anything is decoded."""
        output = scaling.output
        image_io.check_result_pixels(output, self.output_pixels)
        output_format = options.output_format or header.format
        # Whether any pixel is transparent, or has 16 bits, shows only when it is decoded.
        encoders.check(output_format, output, has_alpha=False)
        options.result_bits(output_format, input_bits=8)


def check_uploads_open(store: Store) -> None:
    """Raise `UploadsClosed` while what is here is not deleted in time."""
    if retention.uploads_closed(store):
        raise UploadsClosed(
            "No pictures are accepted at the moment: deleting older ones is not working.",
            "Please tell the operator.",
        )


def expected_wait(
    store: Store, user_id: UUID, new_jobs: int, pace: Mapping[str, float]
) -> timedelta:
    """How long until the last of `new_jobs` jobs of this user would be begun, as things stand."""
    before = waiting.backlog(store, user_id, new_jobs)
    seconds = sum(
        pixels / pace.get(model, _UNKNOWN_PACE) for model, pixels in before.pixels.items()
    )
    seconds += before.jobs * SECONDS_PER_JOB
    return timedelta(seconds=seconds / max(1, workers.count_alive(store)))


def check_wait(
    store: Store,
    user_id: UUID,
    own_pixels: Sequence[int],
    model: str,
    expires_at: datetime | None = None,
) -> None:
    """Raise `QueueTooLong`, with the estimate, when the batch's last job would start too late; with
    `expires_at`, `TooLateForAll` when it would not be done by then."""
    paces = waiting.pace(store)
    pace = paces.get(model, _UNKNOWN_PACE)
    begun = expected_wait(store, user_id, len(own_pixels), paces)
    wait = begun + timedelta(seconds=sum(own_pixels[:-1]) / pace)
    if wait > LONGEST_WAIT:
        raise QueueTooLong(
            f"These pictures would wait for about {wait.total_seconds() / 3600:.0f} hours; "
            f"{LONGEST_WAIT.total_seconds() / 3600:g} is the most that is accepted here.",
            "Hand in fewer pictures, or come back later.",
        )
    done = wait + timedelta(seconds=own_pixels[-1] / pace)
    left = done if expires_at is None else expires_at - store.clock.now()
    if done > left:
        raise TooLateForAll(
            f"This would take about {_minutes(done)}, and the originals are readable for "
            f"{_minutes(left)} more.",
            "Hand the pictures in again: they then have their 48 hours.",
        )


def _minutes(span: timedelta) -> str:
    minutes = max(1, round(span.total_seconds() / 60))
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
