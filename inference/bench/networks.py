"""The networks' speed against plain torch, ONNX Runtime and OpenVINO: the part `networks`.

All ways take turns, so that a machine that drifts does so for all of them. Trust the ratios.
"""

from collections.abc import Callable
from pathlib import Path

from inference.bench import peers, ways
from inference.bench.fresh import MeasurementFailed, in_fresh_process
from inference.bench.rates import cpu_rates
from inference.bench.setup import Result, Setup
from inference.bench.tables import markdown, median, number

Say = Callable[[str], None]

_MATMUL = 2048


def measure(setup: Setup, say: Say) -> Result:
    """Every network in every way, `runs` times.

    Fields: `size` of the photo, `rates` as `cpu_rates` gives them, `networks` with the figures of
    each way by its name (medians of `seconds` and `peak_memory`; `ratio` to plain; `psnr` and
    `largest` difference against plain; `runs` with every single one), `left_out` and `failed` with
    sentences.
    """
    left_out: list[str] = []
    failed: list[str] = []
    chosen: list[str] = []
    for way in setup.ways or ways.WAYS:
        lack = peers.missing(way) if way in peers.PEERS else None
        if lack:
            say(lack)
            left_out.append(lack)
        else:
            chosen.append(way)
    if "plain" not in chosen:
        chosen.insert(0, "plain")  # all others are measured against it
    exported = _export(setup, chosen, failed)
    rates = in_fresh_process(cpu_rates, side=64 if setup.tiny else _MATMUL)
    runs: dict[tuple[str, str], list[Result]] = {}
    for number_of_run in range(setup.runs):
        for model in setup.networks:
            for way in chosen:
                say(f"{model}, {way}, run {number_of_run + 1} of {setup.runs}")
                try:
                    run = in_fresh_process(
                        ways.upscale,
                        models=setup.models,
                        model=model,
                        way=way,
                        photo=setup.photo,
                        reference=setup.folder / f"{model}.npy",
                        exported=exported.get(model, ""),
                    )
                except MeasurementFailed as failure:
                    failed.append(f"{model}, {way} failed: {failure}")
                    say(failed[-1])
                    continue
                runs.setdefault((model, way), []).append(run)
    height, width, _ = ways.read(setup.photo).shape
    return {
        "size": [width, height],
        "rates": rates,
        "networks": {
            model: {
                way: _summary(runs[model, way], runs.get((model, "plain")))
                for way in chosen
                if (model, way) in runs
            }
            for model in setup.networks
        },
        "left_out": left_out,
        "failed": failed,
    }


def table(result: Result) -> str:
    width, height = result["size"]
    rows = [
        (
            model,
            f"{way} ({figures['dtype']})",
            number(figures["seconds"]),
            number(figures["ratio"]),
            number(figures["psnr"], 1),
            figures["largest"],
            number(figures["peak_memory"] / 1e6, 0),
        )
        for model, by_way in result["networks"].items()
        for way, figures in by_way.items()
    ]
    header = ("network", "way", "seconds", "× plain", "PSNR", "largest", "peak MB")
    rates = result["rates"]
    multiplied = (
        f"A product of large matrices reaches {rates['fp32']:.2f} TFLOP/s in fp32 here and "
        f"{rates['bf16']:.2f} in bf16."
    )
    told = "".join(f"\n\n{line}" for line in (*result["left_out"], *result["failed"]))
    title = f"## Networks: {width} × {height} pixels"
    return f"{title}\n\n{multiplied}\n\n{markdown(header, rows)}{told}"


def _summary(runs: list[Result], plain: list[Result] | None) -> Result:
    seconds = median(runs, "seconds")
    return {
        "seconds": seconds,
        "ratio": median(plain, "seconds") / seconds if plain else None,
        "psnr": median(runs, "psnr"),
        "largest": max(run["largest"] for run in runs),
        "peak_memory": median(runs, "peak_memory"),
        "dtype": runs[0]["dtype"],
        "runs": runs,
    }


def _export(setup: Setup, chosen: list[str], failed: list[str]) -> dict[str, Path]:
    """The networks as ONNX files, where a peer wants them.

    Where exporting fails, `failed` is told; the peers will then say that there is no file.
    """
    if not any(way in peers.PEERS for way in chosen):
        return {}
    files = {model: setup.folder / f"{model}.onnx" for model in setup.networks}
    for model, path in files.items():
        try:
            in_fresh_process(peers.export, models=setup.models, model=model, path=path)
        except MeasurementFailed as failure:
            failed.append(f"{model} could not be exported: {failure}")
    return files
