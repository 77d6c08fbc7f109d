"""`python -m inference.bench`: measures what is asked for, prints tables, keeps every figure.

Progress goes to the standard error, tables in Markdown to the standard output.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from inference.bench import (
    bars,
    codecs,
    gpu,
    memory,
    networks,
    phases,
    plots,
    seams,
    start,
    ways,
)
from inference.bench.fresh import MeasurementFailed
from inference.bench.place import place, sentence
from inference.bench.setup import NETWORKS, PHOTO, Result, Setup


class Part(NamedTuple):
    """A part of the benchmarks that can be asked for by its name."""

    measure: Callable[[Setup, Callable[[str], None]], Result]
    table: Callable[[Result], str]


PARTS = {
    "networks": Part(networks.measure, networks.table),
    "phases": Part(phases.measure, phases.table),
    "encoders": Part(codecs.measure, codecs.table),
    "start": Part(start.measure, start.table),
    "memory": Part(memory.measure, memory.table),
    "seams": Part(seams.measure, seams.table),
    "gpu": Part(gpu.measure, gpu.table),
    "large": Part(memory.measure_large, memory.table),
}
"""In the order in which they run: what takes an hour comes last."""


def main(argv: Sequence[str] | None = None) -> int:
    """0 when everything that was asked for could be measured. Missed bars are told, no failure."""
    args = _arguments(argv)
    wanted = set(args.only or _default(args.device)) - set(args.skip)
    asked = [part for part in PARTS if part in wanted]
    where = place(args.device)
    results: Result = {}
    failed = False
    _print(f"# Benchmarks\n\n{sentence(where)}")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        setup = Setup(
            models=args.models.resolve(),
            folder=Path(folder),
            photo=args.photo.resolve(),
            networks=args.networks,
            ways=args.ways,
            runs=args.runs,
            device=args.device,
            tiny=args.tiny,
        )
        for name in asked:
            try:
                results[name] = PARTS[name].measure(setup, partial(_say, name))
            except MeasurementFailed as failure:
                failed = True
                _print(f"\nThe part {name} failed: {failure}")
                continue
            failed |= bool(results[name].get("failed"))
            _print("\n" + PARTS[name].table(results[name]))
            _keep(args, where, results)
    judged = _keep(args, where, results)
    _print("\n" + bars.table(judged))
    if args.plots:
        drawn = plots.draw(results, where, args.plots)
        _say("plots", ", ".join(map(str, drawn)) or "nothing drawn: matplotlib is not installed")
    return int(failed)


def _keep(args: argparse.Namespace, where: Result, results: Result) -> list[Result]:
    """Judge the bars and write everything that is known so far: the last part takes an hour."""
    judged = bars.judge({} if args.tiny else results, where["flags"], where["device"])
    if args.json:
        args.json.write_text(
            json.dumps({"place": where, "parts": results, "bars": judged}, indent=1) + "\n"
        )
    return judged


def _default(device: str) -> list[str]:
    """All that a CPU has, or the GPU set."""
    return ["gpu"] if device != "cpu" else [part for part in PARTS if part != "gpu"]


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m inference.bench", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder of installed networks")
    parser.add_argument("--photo", type=Path, default=PHOTO)
    parser.add_argument("--runs", type=_positive, default=3, help="medians over so many runs")
    parser.add_argument(
        "--device", type=_device, default="cpu", help="another one, as cuda, gives the part gpu"
    )
    names = ", ".join(PARTS)
    parser.add_argument("--only", type=_some_of(PARTS), help=f"some of {names}")
    parser.add_argument(
        "--skip", type=_some_of(PARTS), default=(), help="leave some out; large takes an hour"
    )
    parser.add_argument("--networks", type=_some_of(NETWORKS), default=NETWORKS)
    parser.add_argument("--ways", type=_some_of(ways.WAYS), help=f"some of {', '.join(ways.WAYS)}")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument("--plots", type=Path, help="draw into this folder")
    parser.add_argument("--tiny", action="store_true", help="prove that it works; figures lie")
    return parser.parse_args(argv)


def _some_of(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    names = tuple(known)

    def some(text: str) -> tuple[str, ...]:
        chosen = tuple(text.split(","))
        if unknown := set(chosen) - set(names):
            raise argparse.ArgumentTypeError(
                f"{', '.join(sorted(unknown))} unknown; known are {', '.join(names)}"
            )
        return chosen

    return some


def _device(text: str) -> str:
    import torch

    try:
        torch.empty(0, device=torch.device(text))
    except (RuntimeError, AssertionError) as error:
        raise argparse.ArgumentTypeError(f"{text} can't be used here") from error
    return text


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least one run is needed")
    return value


def _say(part: str, text: str) -> None:
    sys.stderr.write(f"{part}: {text}\n")
    sys.stderr.flush()


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
