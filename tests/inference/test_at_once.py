"""Several pictures in one engine at the same time: each gets what it would get alone."""

import io
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inference import engine as engine_module
from inference import gathering, memory
from inference.engine import Engine
from inference.errors import Canceled, FormatCannotHold, InvalidWeights, MalformedImage
from inference.network import Network
from inference.options import Options
from inference.samples import Pixels
from inference.shelf import Shelf
from inference.weights import ModelStore
from tests.inference.networks import compact, esrgan
from tests.inference.test_engine import FAST, RandomStore, photo, png

PATIENCE = 60.0


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many windows every run had, on a CPU that gathers them as a GPU does."""
    monkeypatch.setitem(gathering._MOST_PIXELS, "cpu", 1 << 20)
    seen: list[int] = []
    really = Network.batch

    def batch(network: Network, windows: Sequence[Pixels], *more: object) -> list[Pixels]:
        seen.append(len(windows))
        return really(network, windows, *more)

    monkeypatch.setattr(Network, "batch", batch)
    return seen


def in_threads(works: Sequence[Callable[[], object]]) -> list[Future[object]]:
    """All at the same time, each to its end."""
    before = threading.active_count()
    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(work) for work in works]
        for future in futures:
            future.exception(PATIENCE)
    assert threading.active_count() <= before
    return futures


def behind(shelf: Shelf, works: Sequence[Callable[[], object]]) -> list[Future[object]]:
    """The same, but the device is not theirs before all of them wait for it."""
    with ThreadPoolExecutor(len(works)) as pool:
        with shelf.gathering.alone():
            futures = [pool.submit(work) for work in works]
            wait = threading.Event()
            while len(shelf.gathering._waiting) + sum(f.done() for f in futures) < len(works):
                wait.wait(0.005)
        for future in futures:
            future.exception(PATIENCE)
    return futures


def upscaled(engine: Engine, data: bytes, **more: object) -> np.ndarray:
    sink = io.BytesIO()
    callbacks = {name: more.pop(name) for name in ("on_progress", "should_stop") if name in more}
    options = Options(**{"model": FAST, "precision": "fp32", **more})
    engine.upscale(io.BytesIO(data), sink, options, **callbacks)
    with Image.open(sink) as image:
        return np.asarray(image).astype(int)


def small_picture(seed: int) -> bytes:
    """A cut of a photo, in one of three sizes, some with alpha."""
    chance = random.Random(seed)
    width, height = chance.choice([(24, 16), (24, 16), (16, 24), (31, 9)])
    left, top = chance.randrange(60), chance.randrange(60)
    cut = photo("coffee.png", (left, top, left + width, top + height))
    if chance.random() < 0.2:
        cut.putalpha(Image.linear_gradient("L").resize(cut.size))
    return png(cut).getvalue()


def test_pictures_in_eight_threads_come_out_as_one_by_one(
    models_path: Path, batches: list[int]
) -> None:
    engine = Engine(ModelStore(models_path), "cpu")
    sources = [small_picture(seed) for seed in range(16)]
    alone = [upscaled(engine, source) for source in sources]
    assert max(batches) == 1
    apart: list[int] = []

    def work(thread: int) -> None:
        for number in range(thread, 16, 8):
            result = upscaled(engine, sources[number])
            assert result.shape == alone[number].shape
            apart.append(int(np.abs(result - alone[number]).max()))

    for future in in_threads([lambda thread=thread: work(thread) for thread in range(8)]):
        future.result()

    assert max(batches) > 1
    assert len(apart) == 16
    assert max(apart) <= 1


def test_a_bad_picture_and_a_canceled_one_fail_alone(models_path: Path, batches: list[int]) -> None:
    engine = Engine(ModelStore(models_path), "cpu")
    source = png(photo("coffee.png", (30, 20, 62, 44))).getvalue()
    expected = upscaled(engine, source)

    def canceled() -> object:
        return upscaled(engine, source, should_stop=lambda: True)

    def damaged() -> object:
        return upscaled(engine, source[:-200])

    def good() -> object:
        return upscaled(engine, source)

    futures = behind(engine._shelf, [good, canceled, good, damaged, good])

    assert isinstance(futures[1].exception(), Canceled)
    assert isinstance(futures[3].exception(), MalformedImage)
    assert max(batches) in (3, 4)  # the canceled one need not have noticed yet
    for number in (0, 2, 4):
        assert np.abs(futures[number].result() - expected).max() <= 1


def test_pictures_that_do_not_fit_together_are_not_cut_smaller_for_it(
    models_path: Path, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(ModelStore(models_path), "cpu")
    source = png(photo("coffee.png", (30, 20, 62, 44))).getvalue()
    expected = upscaled(engine, source)
    really = Network.batch

    def scarce(network: Network, windows: Sequence[Pixels], *more: object) -> list[Pixels]:
        if len(windows) > 1:
            batches.append(len(windows))
            raise torch.OutOfMemoryError("scripted")
        return really(network, windows, *more)

    monkeypatch.setattr(Network, "batch", scarce)
    reports = []

    def work() -> object:
        sink = io.BytesIO()
        reports.append(
            engine.upscale(io.BytesIO(source), sink, Options(model=FAST, precision="fp32"))
        )
        return np.asarray(Image.open(sink)).astype(int)

    futures = behind(engine._shelf, [work] * 3)

    assert max(batches) == 3
    assert all(np.array_equal(future.result(), expected) for future in futures)
    assert [report.restarts for report in reports] == [0, 0, 0]


def test_one_picture_that_leaves_the_number_range_spoils_no_other(batches: list[int]) -> None:
    engine = Engine(RandomStore(net=compact()), "cpu")
    black = png(Image.new("RGB", (12, 8))).getvalue()
    light = png(Image.new("RGB", (12, 8), (200, 200, 200))).getvalue()
    network, _ = engine._shelf.network("net", "fp32")
    with torch.no_grad():
        for weight in network._descriptor.model.parameters():
            weight.mul_(0) if weight.dim() == 1 else weight.mul_(1e30)

    futures = behind(
        engine._shelf,
        [lambda data=data: upscaled(engine, data, model="net") for data in (black, light, black)],
    )

    assert batches[0] == 3
    assert not futures[0].result().any()
    assert isinstance(futures[1].exception(), InvalidWeights)
    assert not futures[2].result().any()


def test_a_network_that_two_ask_for_at_once_is_loaded_once() -> None:
    store = RandomStore(net=esrgan())
    shelf = Shelf(store, "cpu", 1 << 30)

    futures = in_threads([lambda: shelf.network("net", "fp32")[0]] * 4)

    assert store.loads == ["net"]
    assert len({id(future.result()) for future in futures}) == 1


def test_networks_are_let_go_and_loaded_again_while_others_use_them() -> None:
    engine = Engine(RandomStore(one=compact(), two=compact(), three=esrgan()), "cpu", warm_bytes=0)
    source = png(photo("coffee.png", (30, 20, 50, 30))).getvalue()
    expected = {name: upscaled(engine, source, model=name) for name in ("one", "two", "three")}

    def work(names: Sequence[str]) -> None:
        for name in names:
            assert np.array_equal(upscaled(engine, source, model=name), expected[name])
            assert len(engine.loaded) == 1

    orders = [("one", "two", "three"), ("three", "one", "two"), ("two", "three", "one")]
    for future in in_threads([lambda names=names: work(names) for names in orders]):
        future.result()


def test_a_picture_for_which_others_leave_no_memory_waits_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine(RandomStore(net=compact()), "cpu")
    source = png(photo("coffee.png", (30, 20, 50, 30))).getvalue()
    first_may_end, second_looked = threading.Event(), threading.Event()
    looks: list[str] = []

    def hold(done: int, total: int) -> None:
        assert first_may_end.wait(PATIENCE)

    def first() -> object:
        return upscaled(engine, source, model="net", on_progress=hold)

    def second() -> object:
        return upscaled(engine, source, model="net", output_format="jpg")

    class Watched(engine_module.Company):
        def has_thinned(self, check: Callable[[], None]) -> bool:
            looks.append("waits")
            second_looked.set()
            return super().has_thinned(check)

    engine._company = Watched()
    checks = engine_module.encoders.check_memory

    def check_memory(output_format: str, *more: object) -> None:
        if output_format == "jpg" and not first_may_end.is_set():
            raise FormatCannotHold("Others have it all.", "")
        checks(output_format, *more)

    monkeypatch.setattr(engine_module.encoders, "check_memory", check_memory)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        while engine._company._here < 1:
            threading.Event().wait(0.005)
        other = pool.submit(second)
        assert second_looked.wait(PATIENCE)
        first_may_end.set()

    assert one.result().shape == other.result().shape
    assert looks == ["waits"]


def test_who_is_alone_and_has_no_memory_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine(RandomStore(net=compact()), "cpu")
    source = png(photo("coffee.png", (30, 20, 50, 30))).getvalue()
    monkeypatch.setattr(memory, "available", lambda device: 1000)

    with pytest.raises(FormatCannotHold):
        upscaled(engine, source, model="net", output_format="jpg")


def test_a_cpu_takes_one_picture_at_a_time_unless_told_otherwise() -> None:
    assert Engine(RandomStore(), "cpu").at_once == 1
    assert gathering.CALLERS["cuda"] > 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_small_pictures_on_a_gpu_come_out_as_one_by_one(
    models_path: Path, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    really = Network.batch

    def batch(network: Network, windows: Sequence[Pixels], *more: object) -> list[Pixels]:
        seen.append(len(windows))
        return really(network, windows, *more)

    monkeypatch.setattr(Network, "batch", batch)
    engine = Engine(ModelStore(models_path), "cuda")
    model = "realesrgan-x4plus"
    sources = [
        png(photo("coffee.png", (7 * i, 5 * i, 7 * i + 64, 5 * i + 64))).getvalue()
        for i in range(8)
    ]
    alone = [upscaled(engine, source, model=model, precision=precision) for source in sources]

    futures = behind(
        engine._shelf,
        [
            lambda source=source: upscaled(engine, source, model=model, precision=precision)
            for source in sources
        ],
    )

    assert max(seen) == 8
    for future, one in zip(futures, alone, strict=True):
        together = future.result()
        error = np.mean((together - one) ** 2)
        if precision == "fp32":
            assert np.abs(together - one).max() <= 1
        # fp16 rounds differently with the shape; both are as far from fp32.
        assert error == 0 or 10 * np.log10(255**2 / error) > 50
