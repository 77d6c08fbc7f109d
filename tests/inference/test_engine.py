"""The engine with the published networks on small real photos.

Whether a picture is right is decided by independent means: the picture itself (scaled back down),
and spandrel's own call on the whole picture in fp32.
"""

import io
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from inference.engine import Engine
from inference.errors import (
    Canceled,
    DamagedPreview,
    FormatCannotHold,
    InvalidOptions,
    ModelUnavailable,
    OutOfMemory,
    ResolutionTooHigh,
    UnknownModel,
)
from inference.halo import Cutting
from inference.loader import describe
from inference.network import Network
from inference.options import Options
from inference.pyramid import Previews, PyramidReader
from inference.report import Report
from inference.weights import ModelStore
from tests.inference.networks import compact, esrgan, random_weights, ready

PHOTOS = Path(__file__).parent.parent / "data" / "photos"
FAST = "realesr-animevideov3"
MODELS = ("realesrgan-x4plus", "realesrgan-x4plus-anime-6b", FAST)


@pytest.fixture(scope="module")
def engine(models_path: Path) -> Engine:
    return Engine(ModelStore(models_path), device="cpu")


class RandomStore:
    """A store of random networks by name."""

    def __init__(self, **networks: torch.nn.Module) -> None:
        self._networks = networks
        self.loads: list[str] = []

    def load(self, name: str) -> SimpleNamespace:
        self.loads.append(name)
        info = SimpleNamespace(source="random", weights_sha256="0" * 64)
        return SimpleNamespace(state_dict=random_weights(self._networks[name]), info=info)


def photo(name: str, box: tuple[int, int, int, int] | None = None) -> Image.Image:
    with Image.open(PHOTOS / name) as image:
        return image.convert("RGB").crop(box) if box else image.convert("RGB")


def png(image: Image.Image, **save: object) -> io.BytesIO:
    stream = io.BytesIO()
    image.save(stream, "PNG", **save)
    return stream


def upscale(engine: Engine, source: io.BytesIO, **options: object) -> tuple[Image.Image, Report]:
    sink = io.BytesIO()
    report = engine.upscale(source, sink, Options(**{"model": FAST, **options}))
    result = Image.open(sink)
    result.load()
    return result, report


@cache
def whole_in_fp32(models_path: Path, model: str, image_bytes: bytes) -> NDArray[np.float32]:
    """What spandrel gives for the whole picture, as floats of 0 to 255."""
    descriptor = describe(ModelStore(models_path).load(model).state_dict)
    pixels = np.array(Image.open(io.BytesIO(image_bytes)).convert("RGB"))
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    return descriptor(image)[0].permute(1, 2, 0).numpy() * 255


def psnr(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png"])
def test_a_result_scaled_back_down_is_the_photo_again(
    engine: Engine, model: str, name: str
) -> None:
    """A swapped channel, a shift by a pixel or a wrong gamma would all fall far below."""
    source = photo(name, (20, 20, 84, 68))

    result, _ = upscale(engine, png(source), model=model)

    back = np.asarray(result.resize(source.size, Image.Resampling.BOX))
    original = np.asarray(source)
    right = psnr(back, original)
    assert right > 27
    assert right > psnr(back[..., ::-1], original) + 2
    assert right > psnr(np.roll(back, 1, axis=1), original) + 2
    assert right > psnr(np.roll(back, 1, axis=0), original) + 2
    assert right > psnr(255 * (back / 255) ** 1.2, original) + 2


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("tile", [None, 32])
def test_fp32_is_within_one_step_of_the_whole_picture_everywhere(
    engine: Engine, models_path: Path, model: str, tile: int | None
) -> None:
    source = png(photo("coffee.png", (30, 20, 110, 70)))

    result, report = upscale(engine, source, model=model, precision="fp32", tile=tile)

    expected = whole_in_fp32(models_path, model, source.getvalue())
    assert np.abs(np.asarray(result) - np.rint(expected)).max() <= 1
    assert report.dtype == "fp32"
    assert report.tiles == (1 if tile is None else 6)


@pytest.mark.parametrize("model", MODELS)
def test_the_default_precision_is_close_to_fp32(
    engine: Engine, models_path: Path, model: str
) -> None:
    source = png(photo("coffee.png", (30, 20, 110, 70)))

    result, _ = upscale(engine, source, model=model)

    expected = whole_in_fp32(models_path, model, source.getvalue())
    assert psnr(np.asarray(result), expected) > 45


def test_bf16_on_request_is_close_to_fp32_on_any_cpu(engine: Engine, models_path: Path) -> None:
    source = png(photo("coffee.png", (30, 20, 70, 50)))

    result, report = upscale(engine, source, precision="bf16")

    assert report.dtype == "bf16"
    expected = whole_in_fp32(models_path, FAST, source.getvalue())
    assert psnr(np.asarray(result), expected) > 45


@pytest.mark.parametrize(
    ("options", "size", "passes"),
    [
        ({"scale": 2}, (60, 40), 1),
        ({"scale": 3}, (90, 60), 1),
        ({"scale": 8}, (240, 160), 2),
        ({"scale": 16}, (480, 320), 2),
        ({"width": 100}, (100, 67), 1),
        ({"long_side": 200}, (200, 133), 2),
    ],
    ids=str,
)
def test_other_sizes_are_the_networks_result_through_lanczos(
    engine: Engine, options: dict[str, int], size: tuple[int, int], passes: int
) -> None:
    source = png(photo("chelsea.png", (30, 30, 60, 50)))
    full = source
    for _ in range(passes):
        enlarged, _ = upscale(engine, full, precision="fp32")
        full = png(enlarged)

    result, report = upscale(engine, source, precision="fp32", tile=16, **options)

    expected = np.asarray(enlarged.resize(size, Image.Resampling.LANCZOS)).astype(int)
    assert result.size == tuple(report.output) == size
    assert report.scaling.passes == passes
    # Tiles are within one step of the whole picture, and so is the filter's mean of them; a second
    # pass makes a step more of it here and there.
    assert np.abs(np.asarray(result) - expected).max() <= (1 if passes == 1 else 4)
    assert np.abs(np.asarray(result) - expected).mean() < 0.05


def test_a_flat_grey_field_stays_flat_and_shows_no_tile(engine: Engine) -> None:
    result, _ = upscale(engine, png(Image.new("RGB", (80, 80), (119, 119, 119))), tile=16)

    pixels = np.asarray(result).astype(int)
    assert np.abs(pixels - 119).max() <= 6
    # Beyond the reach of the picture's own edge every pixel sees the same.
    assert np.ptp(pixels[80:240, 80:240], axis=(0, 1)).max() <= 1


def test_a_transparent_picture_has_no_dark_fringe_and_a_clean_alpha(engine: Engine) -> None:
    """A white disc on transparency that is stored as black, as most programs do."""
    y, x = np.mgrid[:48, :48]
    inside = (x - 24) ** 2 + (y - 24) ** 2 < 15**2
    pixels = np.where(inside[..., None], [255, 255, 255, 255], [0, 0, 0, 0]).astype(np.uint8)

    result, _ = upscale(engine, png(Image.fromarray(pixels)))

    out = np.asarray(result)
    assert result.mode == "RGBA"
    assert out[..., :3][out[..., 3] > 0].min() > 225
    assert (out[:20, :20, 3] == 0).all()
    assert (out[88:104, 88:104, 3] == 255).all()
    area = (out[..., 3] / 255).sum() / 16
    assert area == pytest.approx(inside.sum(), rel=0.03)


@pytest.mark.parametrize(
    ("mode", "out_mode"),
    [("1", "L"), ("L", "L"), ("LA", "LA"), ("P", "RGB"), ("RGB", "RGB"), ("RGBA", "RGBA")],
)
def test_a_picture_comes_back_in_its_own_colour_model(
    engine: Engine, mode: str, out_mode: str
) -> None:
    image = photo("chelsea.png", (30, 30, 62, 54))
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    source = image.convert(mode)

    result, _ = upscale(engine, png(source))

    assert (result.mode, result.size) == (out_mode, (128, 96))
    back = np.asarray(result.resize(source.size, Image.Resampling.BOX)).astype(float)
    assert psnr(back, np.asarray(source.convert(out_mode))) > (9 if mode == "1" else 24)


def test_a_cmyk_jpeg_comes_back_as_cmyk_and_as_rgb_for_png(engine: Engine) -> None:
    image = photo("chelsea.png", (30, 30, 62, 54))
    source = io.BytesIO()
    image.convert("CMYK").save(source, "JPEG", quality=95, subsampling=0)

    same, _ = upscale(engine, source)
    as_png, _ = upscale(engine, source, output_format="png")

    assert (same.format, same.mode) == ("JPEG", "CMYK")
    assert (as_png.format, as_png.mode) == ("PNG", "RGB")
    for result in (same.convert("RGB"), as_png):
        back = np.asarray(result.resize(image.size, Image.Resampling.BOX))
        assert psnr(back, np.asarray(image)) > 24


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_photo_comes_out_upright(engine: Engine, orientation: int) -> None:
    upright = photo("chelsea.png", (30, 30, 62, 54))
    turns = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    lying = upright
    for turn in turns[orientation]:
        lying = lying.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation

    result, _ = upscale(engine, png(lying, exif=exif))

    assert result.size == (128, 96)
    assert result.getexif().get(0x0112, 1) == 1
    back = np.asarray(result.resize(upright.size, Image.Resampling.BOX))
    assert psnr(back, np.asarray(upright)) > 27


@pytest.mark.parametrize(
    ("output_format", "name"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")]
)
def test_every_output_format_shows_the_same_picture(
    engine: Engine, output_format: str, name: str
) -> None:
    source = png(photo("chelsea.png", (30, 30, 62, 54)), dpi=(300, 300))
    lossless, _ = upscale(engine, source)

    result, report = upscale(engine, source, output_format=output_format)

    assert (result.format, report.output_format) == (name, output_format)
    assert psnr(np.asarray(result.convert("RGB")), np.asarray(lossless)) > (
        90 if name == "PNG" else 35
    )


def test_the_output_format_is_the_inputs_unless_said_otherwise(engine: Engine) -> None:
    source = io.BytesIO()
    photo("chelsea.png", (30, 30, 46, 42)).save(source, "WEBP")

    result, _ = upscale(engine, source)

    assert result.format == "WEBP"


def test_the_report_says_what_was_done(engine: Engine) -> None:
    _, report = upscale(engine, png(photo("chelsea.png", (0, 0, 40, 30))), scale=2, tile=16)

    assert (report.input, report.output) == ((40, 30), (80, 60))
    assert str(report.scaling) == "4x by the network to 160 × 120, then Lanczos to 80 × 60"
    assert (report.model, report.architecture) == (FAST, "RealESRGAN Compact")
    assert len(report.weights_sha256) == 64
    assert report.model_source
    assert (report.tile, report.tiles, report.restarts) == (16, 6, 0)
    assert set(report.seconds) == {"load", "decode", "network", "resize", "encode", "total"}
    assert report.seconds["total"] >= report.seconds["network"] > 0
    assert report.peak_memory > 50_000_000
    assert report.device.startswith("cpu")


def test_previews_show_the_upright_picture_and_the_result(engine: Engine) -> None:
    upright = photo("coffee.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its left side; a quarter turn to the right sets it up
    source = png(upright.transpose(Image.Transpose.ROTATE_90), exif=exif)
    original, enlarged, sink = io.BytesIO(), io.BytesIO(), io.BytesIO()

    report = engine.upscale(
        source, sink, Options(model=FAST, scale=3, tile=40), previews=Previews(original, enlarged)
    )

    for file, whole in ((original, upright), (enlarged, Image.open(sink))):
        preview = PyramidReader(file)
        assert (preview.width, preview.height) == whole.size
        tile = Image.open(io.BytesIO(preview.tile(preview.levels - 1, 0, 0)))
        assert tile.size == whole.size
        assert psnr(np.asarray(tile), np.asarray(whole.convert("RGB"))) > 35
    without, report_without = upscale(engine, source, scale=3, tile=40)
    assert np.array_equal(np.asarray(without), np.asarray(Image.open(sink)))
    assert set(report.seconds) == {*report_without.seconds, "preview"}


def test_a_stop_is_noticed_between_the_tiles_of_a_preview(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inference.run._STOP_EVERY", 0)
    engine = Engine(RandomStore(small=compact()), "cpu")
    original = io.BytesIO()
    progress: list[int] = []

    with pytest.raises(Canceled):
        engine.upscale(
            png(photo("rocket.jpg")),
            io.BytesIO(),
            Options(model="small"),
            lambda done, total: progress.append(done),
            lambda: bool(original.getvalue()),
            Previews(original, io.BytesIO()),
        )

    assert progress == []
    with pytest.raises(DamagedPreview):
        PyramidReader(original)


def test_the_preview_of_a_transparent_picture_has_no_dark_fringe(engine: Engine) -> None:
    """A white disc on transparency that is stored as black, as most programs do."""
    y, x = np.mgrid[:48, :48]
    inside = (x - 24) ** 2 + (y - 24) ** 2 < 15**2
    pixels = np.where(inside[..., None], [255, 255, 255, 255], [0, 0, 0, 0]).astype(np.uint8)
    previews = Previews(io.BytesIO(), io.BytesIO())

    engine.upscale(
        png(Image.fromarray(pixels)), io.BytesIO(), Options(model=FAST), previews=previews
    )

    for file in (previews.original, previews.result):
        preview = PyramidReader(file)
        for level in range(preview.levels):
            tile = np.asarray(Image.open(io.BytesIO(preview.tile(level, 0, 0))))
            assert tile[..., :3][tile[..., 3] > 0].min() > 225


def test_progress_rises_to_its_total_over_several_passes(engine: Engine) -> None:
    seen: list[tuple[int, int]] = []

    engine.upscale(
        png(photo("chelsea.png", (0, 0, 24, 24))),
        io.BytesIO(),
        Options(model=FAST, scale=16),
        lambda done, total: seen.append((done, total)),
    )

    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert {total for _, total in seen} == {24 * 24 + 96 * 96}
    assert seen[-1] == (24 * 24 + 96 * 96,) * 2


def test_a_stop_is_noticed_within_the_network(engine: Engine) -> None:
    sink = io.BytesIO()
    progress: list[int] = []

    with pytest.raises(Canceled):
        engine.upscale(
            png(photo("coffee.png")),
            sink,
            Options(model=FAST, scale=16, output_format="jpg"),
            lambda done, total: progress.append(done * 100 // total),
            lambda: bool(progress),
        )

    assert progress[-1] < 100
    assert sink.getvalue() == b""


def test_an_engine_goes_on_after_a_stop(engine: Engine) -> None:
    source = png(photo("chelsea.png", (0, 0, 24, 24)))
    before, _ = upscale(engine, source)

    with pytest.raises(Canceled):
        engine.upscale(source, io.BytesIO(), Options(model=FAST), should_stop=lambda: True)

    after, _ = upscale(engine, source)
    assert np.array_equal(np.asarray(before), np.asarray(after))


def test_limits_are_checked_before_anything_is_decoded_or_run() -> None:
    store = RandomStore(small=compact())
    engine = Engine(store, "cpu", max_input_pixels=1000, max_output_pixels=10_000)
    small = png(Image.new("RGB", (30, 30)))

    with pytest.raises(ResolutionTooHigh, match="the most that is accepted here"):
        engine.upscale(png(Image.new("RGB", (40, 40))), io.BytesIO(), Options(model="small"))
    with pytest.raises(ResolutionTooHigh, match="the most that is made here"):
        engine.upscale(small, io.BytesIO(), Options(model="small"))

    engine.upscale(small, io.BytesIO(), Options(model="small", scale=2))


def test_a_format_that_cannot_hold_the_result_is_refused_before_the_network_runs() -> None:
    engine = Engine(RandomStore(small=compact()), "cpu")
    transparent = png(Image.new("RGBA", (8, 8), (10, 20, 30, 40)))
    long = png(Image.new("RGB", (4100, 1)))
    sink = io.BytesIO()

    with pytest.raises(FormatCannotHold, match="JPEG can't hold"):
        engine.upscale(transparent, sink, Options(model="small", output_format="jpg"))
    with pytest.raises(FormatCannotHold, match="WebP ends at 16,383"):
        engine.upscale(long, sink, Options(model="small", output_format="webp"))

    assert sink.getvalue() == b""


def test_an_unknown_model_and_a_missing_one_are_different_errors(tmp_path: Path) -> None:
    engine = Engine(ModelStore(tmp_path), "cpu")
    source = png(Image.new("RGB", (8, 8)))

    with pytest.raises(UnknownModel):
        engine.upscale(source, io.BytesIO(), Options(model="no-such-model"))
    with pytest.raises(ModelUnavailable, match="not installed"):
        engine.upscale(source, io.BytesIO(), Options(model="realesrgan-x4plus"))


def test_an_unknown_device_is_refused_with_a_sentence() -> None:
    with pytest.raises(InvalidOptions, match="abacus"):
        Engine(RandomStore(), "abacus")


def test_networks_stay_loaded_until_their_weights_exceed_the_budget() -> None:
    store = RandomStore(a=compact(), b=compact(convolutions=4), c=esrgan())
    a_and_b = sum(ready(net).bytes_of_weights for net in (compact(), compact(convolutions=4)))
    engine = Engine(store, "cpu", warm_bytes=a_and_b)
    source = png(Image.new("RGB", (8, 8), "red"))

    for name in ("a", "b", "a", "b", "c", "a", "c"):
        engine.upscale(source, io.BytesIO(), Options(model=name, precision="fp32"))

    assert store.loads == ["a", "b", "c", "a", "c"]


def test_a_small_memory_budget_cuts_the_picture_and_changes_nothing(engine: Engine) -> None:
    source = png(photo("coffee.png"))
    whole, _ = upscale(engine, source, precision="fp32")

    cut, report = upscale(engine, source, precision="fp32", memory_budget=8_000_000)

    assert report.tiles > 3
    assert np.abs(np.asarray(cut).astype(int) - np.asarray(whole)).max() <= 1


def test_a_network_for_whole_pictures_is_refused_what_does_not_fit() -> None:
    engine = Engine(RandomStore(small=compact()), "cpu")
    network, _ = engine._shelf.network("small", "fp32")
    network.__dict__["cutting"] = Cutting(0, 1, whole=True)
    source = png(photo("chelsea.png"))

    _, report = upscale(engine, source, model="small", precision="fp32", tile=32)
    with pytest.raises(OutOfMemory, match=r"whole pictures only.*GB"):
        upscale(engine, source, model="small", precision="fp32", memory_budget=1_000_000)

    assert (report.tile, report.tiles) == (None, 1)


def test_running_out_of_memory_in_the_network_is_survived_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine(RandomStore(small=compact()), "cpu")
    source = png(photo("coffee.png"))
    expected, _ = upscale(engine, source, model="small", precision="fp32")
    really = Network.__call__

    def scarce(network: Network, window: NDArray[np.uint8], *args: object) -> NDArray[np.uint8]:
        if window.shape[0] * window.shape[1] > 120**2:
            raise torch.OutOfMemoryError("scripted")
        return really(network, window, *args)

    monkeypatch.setattr(Network, "__call__", scarce)
    result, report = upscale(engine, source, model="small", precision="fp32")

    assert np.abs(np.asarray(result).astype(int) - np.asarray(expected)).max() <= 1
    assert report.restarts >= 1
    assert any("Memory ran out" in note for note in report.notes)


def test_a_machine_without_enough_memory_for_anything_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: object) -> None:
        raise torch.OutOfMemoryError("scripted")

    monkeypatch.setattr(Network, "__call__", never)
    engine = Engine(RandomStore(small=compact()), "cpu")

    with pytest.raises(OutOfMemory):
        upscale(engine, png(photo("chelsea.png")), model="small")


def test_a_picture_of_one_pixel_and_a_very_long_one_work(engine: Engine) -> None:
    for size in ((1, 1), (1, 300), (300, 1)):
        result, _ = upscale(engine, png(Image.new("RGB", size, (200, 30, 40))))
        assert result.size == (size[0] * 4, size[1] * 4)
        assert abs(int(np.asarray(result)[..., 0].mean()) - 200) < 40


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_a_gpu_gives_what_the_cpu_gives(models_path: Path, model: str, precision: str) -> None:
    source = png(photo("coffee.png", (30, 20, 110, 70)))
    engine = Engine(ModelStore(models_path), "cuda")

    result, report = upscale(engine, source, model=model, precision=precision)

    expected = whole_in_fp32(models_path, model, source.getvalue())
    assert report.dtype == ("fp32" if precision == "fp32" else "fp16")
    assert psnr(np.asarray(result), expected) > (55 if precision == "fp32" else 50)
