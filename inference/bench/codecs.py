"""How fast results are encoded and how large they get, against Pillow and OpenCV: `encoders`.

What is encoded are the upscaled bench photos, so that the pixels are those of real results.
"""

import io
import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference import encoders
from inference.bench.fresh import in_fresh_process
from inference.bench.setup import PHOTOS, X4PLUS, Result, Setup
from inference.bench.tables import markdown, number
from inference.geometry import Size
from inference.metadata import Metadata
from inference.options import Format, Options
from inference.samples import Pixels

Encode = Callable[[], int]
"""Encodes a picture once; gives the bytes it took."""

BASE = "PNG 8, Pillow's default (level 6)"
OURS = "PNG 8, ours"
_BAND = 128  # rows that arrive at once, as from the network
# As long as it takes for a median to mean something where a picture takes a millisecond.
_AT_LEAST = 0.3


def measure(setup: Setup, say: Callable[[str], None]) -> Result:
    """Every encoder on every bench photo's result.

    Fields: `model` that made the results; `photos`, each with `name`, `size` and `encoders` by
    name (`seconds`, `bytes`); `mean` over the photos by encoder (`ratio` of Pillow's seconds to
    its own, `size_ratio` of its bytes to Pillow's, `seconds`, `bytes`).
    """
    model = X4PLUS if X4PLUS in setup.networks else setup.networks[-1]
    photos = [setup.photo] if setup.tiny else sorted({*PHOTOS.glob("*.[jp][pn]g"), setup.photo})
    measured = []
    for photo in photos:
        say(f"{photo.name}, upscaled by {model}")
        enlarged = setup.folder / f"{photo.name}.npy"
        in_fresh_process(enlarge, models=setup.models, model=model, photo=photo, path=enlarged)
        say(f"{photo.name}, encoders")
        measured.append(
            {
                "name": photo.name,
                **in_fresh_process(
                    encode,
                    path=enlarged,
                    photo=photo,
                    runs=setup.runs,
                    at_least=0 if setup.tiny else _AT_LEAST,
                ),
            }
        )
    return {"model": model, "photos": measured, "mean": _means(measured)}


def enlarge(models: str, model: str, photo: str, path: str) -> Result:
    """Upscale a photo at 4× and keep the pixels in `path`."""
    from inference.engine import Engine
    from inference.options import Options
    from inference.weights import ModelStore

    sink = io.BytesIO()
    with Path(photo).open("rb") as source:
        Engine(ModelStore(Path(models)), "cpu").upscale(
            source, sink, Options(model=model, output_format="png")
        )
    with Image.open(sink) as image:
        np.save(path, np.array(image.convert("RGB")))
    return {}


def encode(path: str, photo: str, runs: int, at_least: float) -> Result:
    """All encoders on one picture in turn, `runs` rounds: `size`, `encoders` by name.

    In a round each is called for `at_least` so many seconds, and once in any case.
    """
    pixels: NDArray[np.uint8] = np.load(path)
    ways = compared(pixels, _deep(Path(photo), pixels))
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    sizes = {name: way() for name, way in ways.items()}  # the first touch of everything
    for _ in range(runs):
        for name, way in ways.items():
            seconds[name].append(_seconds(way, at_least))
    height, width, _ = pixels.shape
    return {
        "size": [width, height],
        "encoders": {
            name: {"seconds": statistics.median(seconds[name]), "bytes": sizes[name]}
            for name in ways
        },
    }


def compared(pixels: NDArray[np.uint8], deep: NDArray[np.uint16]) -> dict[str, Encode]:
    """What is compared: pixels of 8 bits, and the same size in 16, each (H, W, 3)."""
    return {
        OURS: partial(_ours, pixels, "png"),
        BASE: partial(_pillow, pixels),
        "PNG 8, OpenCV's default": partial(_opencv, pixels),
        "PNG 16, ours": partial(_ours, deep, "png"),
        "PNG 16, OpenCV's default": partial(_opencv, deep),
        "JPEG 95, ours": partial(_ours, pixels, "jpg"),
        "WebP 95, ours": partial(_ours, pixels, "webp"),
        "WebP lossless, ours": partial(_ours, pixels, "webp", lossless=True),
    }


def table(result: Result) -> str:
    base = result["mean"][BASE]
    rows = [
        (
            name,
            number(mean["seconds"], 4),
            number(mean["bytes"] / 1e6),
            f"{mean['ratio']:.1f}",
            number(mean["size_ratio"]),
        )
        for name, mean in result["mean"].items()
    ]
    sizes = ", ".join(f"{p['name']} {p['size'][0]} × {p['size'][1]}" for p in result["photos"])
    return (
        f"## Encoders: means over {len(result['photos'])} results of {result['model']}\n\n"
        f"{sizes}. Ratios are means of each photo's; Pillow took {base['seconds']:.3f} s. The "
        "pixels of 16 bits are the photos enlarged by OpenCV's bicubic filter.\n\n"
        + markdown(("encoder", "seconds", "MB", "× Pillow's speed", "× Pillow's size"), rows)
    )


def _means(photos: list[Result]) -> Result:
    return {
        name: {
            "seconds": _mean(photo["encoders"][name]["seconds"] for photo in photos),
            "bytes": _mean(photo["encoders"][name]["bytes"] for photo in photos),
            "ratio": _mean(
                photo["encoders"][BASE]["seconds"] / photo["encoders"][name]["seconds"]
                for photo in photos
            ),
            "size_ratio": _mean(
                photo["encoders"][name]["bytes"] / photo["encoders"][BASE]["bytes"]
                for photo in photos
            ),
        }
        for name in photos[0]["encoders"]
    }


def _mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def _seconds(way: Encode, at_least: float) -> float:
    """Seconds of one call, as the mean of as many as fill the time."""
    begin, calls, spent = time.perf_counter(), 0, 0.0
    while not calls or spent < at_least:
        way()
        calls += 1
        spent = time.perf_counter() - begin
    return spent / calls


def _deep(photo: Path, pixels: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """A picture of 16 bits whose low bits hold something, as those of a network's result do."""
    import cv2

    height, width, _ = pixels.shape
    with Image.open(photo) as image:
        small = np.array(image.convert("RGB")).astype(np.float32) * 257
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.rint(np.clip(large, 0, 65535)).astype(np.uint16)


def _ours(pixels: Pixels, file_format: Format, lossless: bool = False) -> int:
    height, width, channels = pixels.shape
    sink = io.BytesIO()
    encoder = encoders.encoder(
        file_format,
        sink,
        Size(width, height),
        channels,
        Metadata(),
        Options(lossless=lossless),
        bits=16 if pixels.dtype == np.uint16 else 8,
    )
    for top in range(0, height, _BAND):
        encoder.write(pixels[top : top + _BAND])
    encoder.finish()
    return len(sink.getbuffer())


def _pillow(pixels: NDArray[np.uint8]) -> int:
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "PNG")
    return len(sink.getbuffer())


def _opencv(pixels: Pixels) -> int:
    import cv2

    # OpenCV has blue first; which is which matters neither for time nor for size.
    return len(cv2.imencode(".png", pixels)[1])
