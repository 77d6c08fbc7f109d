"""What a GPU reaches, and how far that is from what it could: the part `gpu`.

Runs on any torch device, so that its code can be tried where no GPU is; on a CPU its figures say
nothing. Timings end with a synchronisation of the device.
"""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.bench.fresh import in_fresh_process
from inference.bench.memory import mirrored
from inference.bench.quality import largest_difference, psnr
from inference.bench.rates import matmul_tflops, seconds
from inference.bench.setup import X4PLUS, Result, Setup
from inference.bench.tables import markdown, number
from inference.bench.ways import peak_memory, read
from inference.options import Options
from inference.pyramid import Previews

Pixels = NDArray[np.uint8]

_LARGE = 1024
_SMALL, _SMALL_COUNT = 256, 64
_CROP = 512  # the fp32 reference needs some 12 KB a pixel
_MATMUL = 8192


def measure(setup: Setup, say: Callable[[str], None]) -> Result:
    """x4plus, or the last network chosen, in one process on `setup.device`; see `on_device`."""
    model = X4PLUS if X4PLUS in setup.networks else setup.networks[-1]
    say(f"{model} on {setup.device}")
    return in_fresh_process(
        on_device,
        models=setup.models,
        model=model,
        device=setup.device,
        photo=setup.photo,
        runs=setup.runs,
        large=48 if setup.tiny else _LARGE,
        small=32 if setup.tiny else _SMALL,
        count=2 if setup.tiny else _SMALL_COUNT,
        matmul=64 if setup.tiny else _MATMUL,
    )


def on_device(
    models: str,
    model: str,
    device: str,
    photo: str,
    runs: int,
    large: int,
    small: int,
    count: int,
    matmul: int,
) -> Result:
    """Rates from arrays to arrays, transfers included, and from files to files.

    Fields: `model`, `dtype`, `large` and `small` (sides in pixels), `count`, `callers`;
    `megapixels` and `megapixels_small`, input megapixels a second of one large picture and of
    `count` small ones, which as many `callers` hand in as a worker has threads; `megapixels_files`,
    the same small ones through the whole engine, PNG to PNG with previews, all in memory;
    `flops_per_pixel`; `tflops` that the large picture reaches and `matmul_tflops` that a product of
    two square matrices reaches in the same dtype; `psnr` and `largest` against the whole picture
    in fp32; `peak_memory` in bytes, the allocator's on CUDA.
    """
    import torch

    from inference.bench.work import flops_per_pixel
    from inference.engine import Engine
    from inference.loader import describe
    from inference.precision import name_of
    from inference.shelf import Shelf
    from inference.weights import ModelStore

    store = ModelStore(Path(models))
    engine = Engine(store, device)
    shelf = Shelf(store, device, 1 << 30)
    network, _ = shelf.network(model, "auto")
    target = shelf.device
    picture = mirrored(read(photo), large, large)
    many = [mirrored(np.roll(picture, 7 * i, axis=1), small, small) for i in range(count)]
    one = seconds(lambda: network(picture), target, runs)
    callers = engine.at_once

    def in_turn(picture: Pixels) -> None:
        shelf.gathering.run(network, picture)

    all_small = seconds(lambda: _at_once(in_turn, many, callers), target, runs)
    peak = torch.cuda.max_memory_allocated(target) if target.type == "cuda" else peak_memory()
    descriptor = describe(store.load(model).state_dict)
    work = flops_per_pixel(descriptor)
    crop = picture[:_CROP, :_CROP]
    exact = _exact(descriptor, crop, target)
    result = network(crop)
    files = [_png(picture) for picture in many]

    def through_the_engine(file: bytes) -> None:
        previews = Previews(io.BytesIO(), io.BytesIO())
        engine.upscale(io.BytesIO(file), io.BytesIO(), Options(model=model), previews=previews)

    all_files = seconds(lambda: _at_once(through_the_engine, files, callers), target, runs)
    return {
        "model": model,
        "dtype": name_of(network.dtype),
        "large": large,
        "small": small,
        "count": count,
        "callers": callers,
        "megapixels": large**2 / one / 1e6,
        "megapixels_small": count * small**2 / all_small / 1e6,
        "megapixels_files": count * small**2 / all_files / 1e6,
        "flops_per_pixel": work,
        "tflops": work * large**2 / one / 1e12,
        "matmul_tflops": matmul_tflops(target, network.dtype, matmul, 3 * runs),
        "psnr": psnr(result, exact),
        "largest": largest_difference(result, exact),
        "peak_memory": peak,
    }


def table(result: Result) -> str:
    share = result["tflops"] / result["matmul_tflops"]
    small = f"{result['count']} × {result['small']}²"
    rows = [
        (f"one picture of {result['large']}²", number(result["megapixels"], 3)),
        (f"{small}, {result['callers']} at once", number(result["megapixels_small"], 3)),
        ("the same, from file to file", number(result["megapixels_files"], 3)),
    ]
    return (
        f"## GPU: {result['model']} in {result['dtype']}\n\n"
        + markdown(("input", "input megapixels a second"), rows)
        + f"\n\n{result['flops_per_pixel'] / 1e6:.2f} MFLOP per input pixel: "
        f"{result['tflops']:.2f} TFLOP/s, {share:.0%} of the {result['matmul_tflops']:.2f} that a "
        f"large matrix product reaches in the same precision. PSNR {result['psnr']:.1f} dB and "
        f"{result['largest']} steps at most against the whole picture in fp32; at the peak "
        f"{result['peak_memory'] / 1e6:.0f} MB."
    )


def _at_once(work: Callable[[Any], None], things: list[Any], threads: int) -> None:
    """Every thing in one of the threads, as a worker works on jobs."""
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, thing) for thing in things]:
            done.result()


def _png(pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _exact(descriptor: Any, pixels: Pixels, device: Any) -> NDArray[np.float32]:
    """spandrel's own call in true fp32, from 0 to 255: by default cuDNN computes it in TF32."""
    import torch

    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    descriptor.to(device, torch.float32)
    tensor = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
    with torch.inference_mode():
        result = descriptor(tensor.permute(2, 0, 1)[None].float() / 255)
    values: NDArray[np.float32] = (result[0].permute(1, 2, 0) * 255).cpu().numpy()
    return values
