"""A picture in, a larger picture out.

Reads in the order a picture takes: decode, plan, network, filter, encode. Streams in, streams out;
knows nothing of paths, users or rows of a database.
"""

from collections.abc import Iterator
from contextlib import closing
from math import isqrt
from typing import BinaryIO

import numpy as np
import torch

from inference import colour, encoders, image_io, memory, precision, provenance
from inference.canvas import SMALLEST_TILE, Canvas
from inference.company import Company
from inference.delivery import Delivery
from inference.errors import FormatCannotHold, OutOfMemory
from inference.gathering import CALLERS, InTurn
from inference.geometry import Size
from inference.image_io import Picture
from inference.network import Network
from inference.options import Bits, Format, Options
from inference.pyramid import Previews, PyramidWriter
from inference.report import Report, versions
from inference.resample import Resampler
from inference.run import OnProgress, Run, ShouldStop
from inference.samples import REDUCED, Pixels, with_bits
from inference.scaling import Scaling, plan_scaling
from inference.shelf import DEFAULT_WARM_BYTES, Shelf, WeightStore
from inference.stage import Stage
from inference.streams import Sink


class Engine:
    """Upscales pictures, and keeps the networks it used loaded.

    Pictures may be upscaled at the same time, in threads of the caller's. Each has its own
    callbacks, called in its own thread, and its own failure. Networks take turns on the device, and
    on a GPU small windows of one size go through together. One engine per process and GPU: two
    would change torch's arithmetic under each other. On a CPU they only share memory and cores.
    """

    def __init__(
        self,
        models: WeightStore,
        device: str = "auto",
        max_input_pixels: int = image_io.DEFAULT_MAX_INPUT_PIXELS,
        max_output_pixels: int = image_io.DEFAULT_MAX_OUTPUT_PIXELS,
        warm_bytes: int = DEFAULT_WARM_BYTES,
        memory_budget: int | None = None,
    ) -> None:
        """`device` is `auto` or a torch device such as `cpu`, `cuda`, `cuda:1`, `mps`.

        `warm_bytes` limits the weights kept loaded; the network in use stays in any case.
        `memory_budget` in bytes holds for all pictures whose options give none. Raises
        `InvalidOptions` for a device that is not there.
        """
        self._max_input_pixels = max_input_pixels
        self._max_output_pixels = max_output_pixels
        self._memory_budget = memory_budget
        self._shelf = Shelf(models, device, warm_bytes)
        self._company = Company()

    @property
    def device(self) -> torch.device:
        return self._shelf.device

    @property
    def at_once(self) -> int:
        """Pictures at the same time that keep the device busy. More gain nothing."""
        return CALLERS.get(self.device.type, 1)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of the models that can start at once."""
        return self._shelf.names

    def upscale(
        self,
        source: BinaryIO,
        sink: Sink,
        options: Options | None = None,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
        previews: Previews | None = None,
    ) -> Report:
        """Write the enlarged picture to `sink`.

        `source` is seekable. `sink` needs `write` only; when an exception leaves this call, what
        was written to it is not a picture and must be thrown away. `on_progress(done, total)`
        counts input pixels that went through the network; `total` may grow. `should_stop()` is
        asked up to ten times a second, between two layers of the network or two tiles of a
        preview; a true answer raises `Canceled`. Both are called in the caller's own thread.
        `sink` is written to from another, which has ended when this call does: rows are resized
        and encoded while the network goes on with the next.

        `previews` receive the pyramids that `PyramidReader` reads, of the upright picture and of
        the result. Their sinks are like `sink`, in what they need and after an exception.

        Raises the types of `inference.errors`, and `OSError` of the streams.
        """
        with self._company.entered():
            run = Run(on_progress, should_stop)
            return self._upscale(source, sink, options or Options(), run, previews)

    def _upscale(
        self,
        source: BinaryIO,
        sink: Sink,
        options: Options,
        run: Run,
        previews: Previews | None,
    ) -> Report:
        peak = memory.PeakMemory(self.device)
        with run.timed("decode"):
            picture = image_io.read(source, self._max_input_pixels, options.metadata)
        output_format = options.output_format or picture.format
        bits = options.result_bits(output_format, picture.bits)
        metadata, told = provenance.marked(picture.metadata, output_format, options)
        run.notes += [*told, *_reduction(picture.bits, bits, options)]
        # bf16 and fp16 have fewer bits than such a result is to have.
        wanted = "fp32" if bits == 16 and options.precision == "auto" else options.precision
        with run.timed("load"):
            network, info = self._shelf.network(options.model, wanted, options.denoise)
        scaling = plan_scaling(picture.size, network.scale, options)
        image_io.check_result_pixels(scaling.output, self._max_output_pixels)
        encoders.check(output_format, scaling.output, picture.has_alpha)
        self._check_memory(output_format, scaling.output, picture, options, run)

        with run.timed("decode"):
            # What has 16 bits keeps them to the end, so that it is rounded once.
            pixels = with_bits(picture.pixels, 16) if bits == 16 else picture.pixels
            pixels = colour.bleed(pixels) if picture.has_alpha else pixels
        if previews:
            with (
                run.timed("preview"),
                closing(
                    PyramidWriter(
                        previews.original,
                        picture.size,
                        picture.channels,
                        picture.metadata,
                        run.check,
                    )
                ) as original,
            ):
                original.push(pixels)
                original.finish()
        for _ in range(scaling.passes - 1):
            pixels = np.concatenate(list(self._enlarge(network, pixels, options, run, scaling)))
        encoder = encoders.encoder(
            output_format, sink, scaling.output, picture.channels, metadata, options, bits
        )
        preview = None
        if previews:
            preview = PyramidWriter(
                previews.result, scaling.output, picture.channels, picture.metadata, run.check
            )
        resampler = Resampler(scaling.network, scaling.output, bits)
        with (
            closing(Delivery(resampler, preview, encoder, run)) as delivery,
            Stage(delivery.push, run.check) as stage,
            run.ending_other_threads(),
        ):
            for band in self._enlarge(network, pixels, options, run, scaling):
                stage.push(band)
            stage.drain()
            delivery.finish()
        return Report(
            input=picture.size,
            output=scaling.output,
            output_format=output_format,
            bits=bits,
            scaling=scaling,
            model=options.model,
            architecture=network.architecture,
            model_source=info.source,
            weights_sha256=info.weights_sha256,
            device=_device_name(self.device),
            dtype=run.dtype or precision.name_of(network.dtype),
            kernels=network.kernels,
            tile=run.tile,
            tiles=run.tiles,
            restarts=run.restarts,
            seconds={phase: round(spent, 3) for phase, spent in run.seconds.items()},
            peak_memory=peak.bytes,
            versions=versions(),
            denoise=options.denoise,
            notes=(*picture.notes, *run.notes),
        )

    def _enlarge(
        self, network: Network, pixels: Pixels, options: Options, run: Run, scaling: Scaling
    ) -> Iterator[Pixels]:
        """One pass over a whole picture."""
        budget = self._budget(options)

        def in_turn(network: Network) -> InTurn:
            return InTurn(self._shelf.gathering, network, run.check, budget)

        canvas = Canvas(
            in_turn(network),
            pixels,
            options.tile or self._tile(network, pixels, budget, run),
            run.begin_pass(scaling),
            lambda: in_turn(self._shelf.network(options.model, "fp32", options.denoise)[0]),
        )
        rows = canvas.rows()
        while True:
            with run.timed("network"):
                band = next(rows, None)
            if band is None:
                break
            yield band
        run.end_pass(canvas)

    def _budget(self, options: Options) -> int | None:
        return options.memory_budget or self._memory_budget

    def _check_memory(
        self, output_format: Format, size: Size, picture: Picture, options: Options, run: Run
    ) -> None:
        """Raise `FormatCannotHold` when encoding could take more memory than there is, not only
        more than pictures at the same time leave."""
        budget = self._budget(options)
        while True:
            try:
                encoders.check_memory(
                    output_format,
                    size,
                    picture.channels,
                    picture.metadata,
                    options,
                    budget or memory.available(torch.device("cpu")),
                )
            except FormatCannotHold:
                if budget or not self._company.has_thinned(run.check):
                    raise
            else:
                return

    def _tile(self, network: Network, pixels: Pixels, budget: int | None, run: Run) -> int | None:
        """The largest core whose window fits the memory, `None` when the whole picture does."""

        def fits_within() -> int:
            return network.pixels_within(budget or memory.available(self.device) // 2)

        size = network.padded(*pixels.shape[:2])
        if size <= min(fits_within(), network.largest_window):
            return None
        with self._shelf.gathering.alone(run.check):
            # Again, when nobody else's numbers are on the device.
            fitting = fits_within()
            how = network.cutting
        if size <= min(fitting, network.largest_window):
            return None
        if how.whole and size > fitting:
            raise OutOfMemory(
                f"{network.architecture} works on whole pictures only, and this one would take "
                f"about {size * network.bytes_per_pixel / 1e9:.1f} GB.",
                "Choose another model, or allow more memory.",
            )
        if size <= fitting and (how.whole or how.blend):
            return None  # cuts would show, and an answer to a stop can wait for a layer
        window = min(fitting, network.largest_window)
        return max(SMALLEST_TILE, isqrt(window) - 2 * how.halo - how.blend)


def _reduction(had: Bits, has: Bits, options: Options) -> list[str]:
    asked = options.bits is not None
    return [] if asked or has >= had else [REDUCED]


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return (
        f"{device.type} ({' '.join(precision.cpu_flags())})"
        if device.type == "cpu"
        else str(device)
    )
