"""Finished rows on their last way: resized, into the preview, into the file.

Knows the order of these and how long each takes; what they do is theirs.
"""

from contextlib import ExitStack

from inference.encoders import Encoder
from inference.pyramid import PyramidWriter
from inference.resample import Resampler
from inference.run import Run
from inference.samples import Pixels

# Rows of so many bytes go on at once, however high the bands that they arrive in: what the filter
# and the encoder make of them is alive beside the band.
_SLICE_BYTES = 16 << 20


class Delivery:
    """Takes the network's rows from top to bottom, then `finish`; in any case, `close`."""

    def __init__(
        self, resampler: Resampler, preview: PyramidWriter | None, encoder: Encoder, run: Run
    ) -> None:
        self._resampler = resampler
        self._preview = preview
        self._encoder = encoder
        self._run = run

    def push(self, band: Pixels) -> None:
        """Pass on the next rows, shape (any number, network's width, C). May run in any thread.

        Raises what the sinks raise, and `Canceled` between two slices of the band.
        """
        rows = max(1, _SLICE_BYTES // band[0].nbytes)
        for top in range(0, len(band), rows):
            self._run.check()
            with self._run.timed("resize"):
                resized = self._resampler.push(band[top : top + rows])
            if not len(resized):
                continue
            if self._preview:
                with self._run.timed("preview"):
                    self._preview.push(resized)
            with self._run.timed("encode"):
                self._encoder.write(resized)

    def finish(self) -> None:
        """Write what is left. The sinks hold whole files only after this."""
        if self._preview:
            with self._run.timed("preview"):
                self._preview.finish()
        self._run.check()
        with self._run.timed("encode"):
            self._encoder.finish()

    def close(self) -> None:
        """End the threads of preview and encoder, whether finished or not."""
        with ExitStack() as both:
            both.callback(self._encoder.close)
            if self._preview:
                both.callback(self._preview.close)
