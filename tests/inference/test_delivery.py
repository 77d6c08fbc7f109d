"""Rows on their last way, beside the network: the same files, and nothing left running."""

import io
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from inference import delivery, encoders
from inference.canvas import Canvas
from inference.delivery import Delivery
from inference.engine import Engine
from inference.errors import Canceled, FormatCannotHold
from inference.geometry import Size
from inference.metadata import Metadata
from inference.options import Options
from inference.pyramid import Previews, PyramidWriter
from inference.resample import Resampler
from inference.run import Run
from tests.inference.networks import compact, random_weights
from tests.inference.pictures import noise, opened, photo, saved

OURS = ("stage", "png", "ThreadPoolExecutor")


class Store:
    """A store of one small random network."""

    def load(self, _name: str) -> SimpleNamespace:
        info = SimpleNamespace(source="random", weights_sha256="0" * 64)
        return SimpleNamespace(state_dict=random_weights(compact()), info=info)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Store(), "cpu")


def our_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith(OURS)]


def upscale(engine: Engine, sink: object = None, **more: object) -> bytes:
    """Several rows of tiles of a photo, so that there are bands to go on with."""
    sink = sink or io.BytesIO()
    how = {"model": "small", "tile": 32, **more.pop("options", {})}
    previews = Previews(io.BytesIO(), io.BytesIO())
    source = io.BytesIO(saved(photo(240, 160), "PNG"))
    engine.upscale(source, sink, Options(**how), previews=previews, **more)
    return sink.getvalue() if isinstance(sink, io.BytesIO) else b""


class Sink:
    """Counts the bytes, and asks `at` before it takes any."""

    def __init__(self, at) -> None:
        self._at = at
        self._taken = 0

    def write(self, data: bytes) -> None:
        self._at(self._taken)
        self._taken += len(data)


@pytest.mark.parametrize("output_format", ["png", "webp"])
@pytest.mark.parametrize("slice_bytes", [1, 5000, 1 << 30])
def test_the_size_of_the_slices_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, slice_bytes: int, output_format: str
) -> None:
    pixels = noise(90, 70, 3)
    source, target = Size(70, 90), Size(50, 64)
    files = set()
    for size in (slice_bytes, 700):
        monkeypatch.setattr(delivery, "_SLICE_BYTES", size)
        file, preview, run = io.BytesIO(), io.BytesIO(), Run(None, None)
        way = Delivery(
            Resampler(source, target),
            PyramidWriter(preview, target, 3, Metadata()),
            encoders.encoder(output_format, file, target, 3, Metadata(), Options()),
            run,
        )
        for band in np.split(pixels, [40]):
            way.push(band)
        way.finish()
        way.close()
        files.add((file.getvalue(), preview.getvalue()))

    assert len(files) == 1
    assert opened(file.getvalue()).size == target
    assert set(run.seconds) == {"resize", "preview", "encode", "total"}


def test_rows_are_encoded_while_the_network_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each band of the network waits until the encoder is at work on the one before."""
    in_encoder = threading.Semaphore(0)
    met: list[bool] = []
    band, write = Canvas._band, encoders.PngWriter.write

    def after_the_encoder_began(self, *arguments):
        if self.tiles_done:
            met.append(in_encoder.acquire(timeout=10))
        return band(self, *arguments)

    def telling(self, rows):
        in_encoder.release()
        write(self, rows)

    monkeypatch.setattr(Canvas, "_band", after_the_encoder_began)
    monkeypatch.setattr(encoders.PngWriter, "write", telling)

    upscale(engine)

    assert len(met) > 3
    assert all(met)


def test_the_file_is_the_same_as_without_any_hurry(engine: Engine) -> None:
    first, second = upscale(engine), upscale(engine)

    assert first == second
    assert opened(first).size == (960, 640)
    assert our_threads() == []


@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
@pytest.mark.parametrize("after", [0, 1000])
def test_a_failing_sink_ends_the_call_and_all_threads(
    engine: Engine, error: BaseException, after: int
) -> None:
    def at(taken: int) -> None:
        if taken >= after:
            raise error

    with pytest.raises(type(error)) as caught:
        upscale(engine, Sink(at))

    assert caught.value is error
    assert our_threads() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("broken network")])
def test_a_failing_network_ends_the_call_and_all_threads(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    band = Canvas._band

    def failing(self, *arguments):
        if self.tiles_done > 10:
            raise error
        return band(self, *arguments)

    monkeypatch.setattr(Canvas, "_band", failing)

    with pytest.raises(type(error)) as caught:
        upscale(engine)

    assert caught.value is error
    assert our_threads() == []


def test_a_stop_ends_the_call_while_a_sink_hangs_and_the_question_is_asked_in_one_thread(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.run._STOP_EVERY", 0)
    hanging, asked = threading.Event(), set()
    go_on = threading.Event()

    def hang(taken: int) -> None:
        if taken > 1000:
            hanging.set()
            assert go_on.wait(10)

    def should_stop() -> bool:
        asked.add(threading.get_ident())
        if hanging.is_set():
            go_on.set()
            return True
        return False

    with pytest.raises(Canceled):
        upscale(engine, Sink(hang), should_stop=should_stop)

    assert asked == {threading.get_ident()}
    assert our_threads() == []


def test_phases_overlap_and_the_total_is_what_passed(engine: Engine) -> None:
    source = io.BytesIO(saved(photo(240, 160), "PNG"))

    report = engine.upscale(source, io.BytesIO(), Options(model="small", tile=32))

    assert set(report.seconds) == {"load", "decode", "network", "resize", "encode", "total"}
    assert max(report.seconds.values()) == report.seconds["total"]


@pytest.mark.parametrize("output_format", ["jpg", "webp"])
def test_what_does_not_fit_is_refused_before_anything_is_done(
    engine: Engine, output_format: str
) -> None:
    progress: list[int] = []
    sink = io.BytesIO()

    with pytest.raises(FormatCannotHold, match="10 MB may be used") as caught:
        upscale(
            engine,
            sink,
            options={"output_format": output_format, "memory_budget": 10_000_000},
            on_progress=lambda done, total: progress.append(done),
        )

    assert "Choose PNG" in caught.value.hint
    assert (progress, sink.getvalue()) == ([], b"")
    assert Image.open(
        io.BytesIO(upscale(engine, options={"output_format": "png", "memory_budget": 10_000_000}))
    ).size == (960, 640)
