"""How fast the engine is here, and how much memory it takes: `make bench`.

Every figure comes from a process of its own, so peaks don't mix and nothing is warm by accident.
The plain way, spandrel's own call on the whole picture in fp32, is measured in the same run: trust
the ratios, for machines drift.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

PHOTO = Path(__file__).parent.parent / "tests" / "data" / "photos" / "rocket.jpg"
MODELS = ("realesr-animevideov3", "realesrgan-x4plus-anime-6b", "realesrgan-x4plus")
WAYS = ("plain", "fp32", "auto")


def measure(models: Path, model: str, way: str, device: str, photo: Path) -> dict[str, object]:
    """Upscale one photo once in this process. Seconds are without imports and loading."""
    if way == "plain":
        return _plain(models, model, photo)
    from inference.allocator import keep_freed_memory
    from inference.engine import Engine
    from inference.options import Options
    from inference.threads import keep_to_own_cores
    from inference.weights import ModelStore

    keep_freed_memory()
    keep_to_own_cores()
    engine = Engine(ModelStore(models), device)
    options = Options(model=model, precision="fp32" if way == "fp32" else "auto")
    with photo.open("rb") as source:
        report = engine.upscale(source, BytesIO(), options)
    return {
        "seconds": report.seconds["total"] - report.seconds["load"],
        "phases": report.seconds,
        "dtype": report.dtype,
        "device": report.device,
        "peak_memory": report.peak_memory,
    }


def _plain(models: Path, model: str, photo: Path) -> dict[str, object]:
    import numpy as np
    import torch
    from PIL import Image

    from inference.loader import describe
    from inference.weights import ModelStore

    network = describe(ModelStore(models).load(model).state_dict)
    begin = time.perf_counter()
    with Image.open(photo) as image:
        pixels = np.array(image.convert("RGB"))
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    result = (network(tensor)[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(result).save(BytesIO(), "PNG")
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": round(seconds, 3), "dtype": "fp32", "peak_memory": peak}


def main() -> int:
    """Run every model every way, in turn, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m inference.bench")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--photo", type=Path, default=PHOTO)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write every single run to this file")
    parser.add_argument("--one", nargs=2, metavar=("MODEL", "WAY"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        model, way = args.one
        _print(json.dumps(measure(args.models, model, way, args.device, args.photo)))
        return 0
    runs: dict[tuple[str, str], list[dict[str, object]]] = {}
    for _ in range(args.runs):
        for model in MODELS:
            for way in WAYS:
                runs.setdefault((model, way), []).append(_in_a_process(args, model, way))
    _print(_table(runs))
    if args.json:
        args.json.write_text(json.dumps([[*key, every] for key, every in runs.items()], indent=1))
    return 0


def _in_a_process(args: argparse.Namespace, model: str, way: str) -> dict[str, object]:
    command = [sys.executable, "-m", "inference.bench", "--models", str(args.models)]
    command += ["--photo", str(args.photo), "--device", args.device, "--one", model, way]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


def _table(runs: dict[tuple[str, str], list[dict[str, object]]]) -> str:
    from inference.precision import cpu_flags
    from inference.report import versions

    def median(key: tuple[str, str], field: str) -> float:
        return statistics.median(float(str(run[field])) for run in runs[key])

    lines = [
        f"Processor flags: {' '.join(cpu_flags()) or 'unknown'}. "
        + ", ".join(f"{name} {number}" for name, number in versions().items())
        + ".",
        "",
        "| model | way | seconds | × plain | peak MB |",
        "|---|---|---|---|---|",
    ]
    for model, way in runs:
        seconds = median((model, way), "seconds")
        ratio = median((model, "plain"), "seconds") / seconds
        dtype = runs[model, way][0]["dtype"]
        peak = median((model, way), "peak_memory") / 1e6
        lines.append(f"| {model} | {way} ({dtype}) | {seconds:.2f} | {ratio:.1f} | {peak:.0f} |")
    return "\n".join(lines)


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
