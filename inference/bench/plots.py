"""The figures as pictures, where matplotlib is installed. Knows results only."""

import importlib.util
from pathlib import Path
from typing import Any

from inference.bench.place import flags
from inference.bench.setup import Result

# Ours in one colour, peers in shades of grey, so that the eye needs no legend.
_OURS, _PEERS = "#1f6feb", "#9aa4b2"
_OUR_WAYS = ("fp32", "auto", "file")
_PHASES = ("decode", "network", "resize", "preview", "encode")


def draw(results: Result, where: Result, folder: Path) -> list[Path]:
    """Write one SVG for each part that has something to show; give their paths.

    Nothing is written where matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        return []
    import matplotlib

    matplotlib.use("svg")
    # Texts stay texts: a third of the bytes, and they can be searched. Dates would differ each run.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9})
    folder.mkdir(parents=True, exist_ok=True)
    caption = f"{where['date']} · {where['cores']} cores · {flags(where)}"
    drawn = []
    for part, picture in (("networks", _networks), ("encoders", _encoders), ("phases", _phases)):
        if part in results:
            figure = picture(results[part])
            figure.supxlabel(caption, fontsize=8, color="#57606a")
            path = folder / f"{part}.svg"
            figure.savefig(path, metadata={"Date": None})
            drawn.append(path)
    return drawn


def _figure(plots: int, width: float, height: float) -> tuple[Any, list[Any]]:
    # Not pyplot, which would keep every figure alive.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, plots, squeeze=False)[0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def _networks(result: Result) -> Any:
    """Seconds by network and way, with the ratio to plain torch and the PSNR beside each bar."""
    networks = result["networks"]
    figure, axes = _figure(len(networks), 4.2 * len(networks), 3.6)
    width, height = result["size"]
    figure.suptitle(f"{width} × {height} pixels: seconds, times as fast as plain torch, PSNR")
    for axis, (model, ways) in zip(axes, networks.items(), strict=True):
        names = [f"{way} ({of['dtype']})" for way, of in ways.items()]
        seconds = [of["seconds"] for of in ways.values()]
        colours = [_OURS if way in _OUR_WAYS else _PEERS for way in ways]
        drawn = axis.barh(names, seconds, color=colours)
        labels = [
            f"{of['seconds']:.2f} s"
            + (f"  {of['ratio']:.1f}×" if of["ratio"] else "")
            + f"  {of['psnr']:.0f} dB"
            for of in ways.values()
        ]
        axis.bar_label(drawn, labels, padding=3, fontsize=8)
        axis.set_title(model, fontsize=9)
        axis.invert_yaxis()
        axis.set_xlim(0, max(seconds) * 2)
        axis.set_xlabel("seconds")
    return figure


def _encoders(result: Result) -> Any:
    """Seconds on a logarithmic axis, and megabytes."""
    figure, axes = _figure(2, 9, 3.4)
    figure.suptitle(f"Encoders, means over {len(result['photos'])} results of {result['model']}")
    names = list(result["mean"])
    colours = [_OURS if name.endswith("ours") else _PEERS for name in names]
    for axis, field, unit, factor in (
        (axes[0], "seconds", "milliseconds", 1e3),
        (axes[1], "bytes", "megabytes", 1e-6),
    ):
        values = [of[field] * factor for of in result["mean"].values()]
        drawn = axis.barh(names, values, color=colours)
        axis.bar_label(drawn, [f"{value:.3g}" for value in values], padding=3, fontsize=8)
        axis.invert_yaxis()
        axis.set_xlabel(unit)
        if field == "seconds":
            axis.set_xscale("log")
            axis.set_xlim(min(values) / 2, max(values) * 3)
        else:
            axis.set_xlim(0, max(values) * 1.2)
    axes[1].set_yticklabels([])
    return figure


def _phases(result: Result) -> Any:
    """Shares of a job's time, loading left out."""
    figure, (axis,) = _figure(1, 9, 0.5 * len(result["jobs"]) + 1.6)
    figure.suptitle("Phases of a job, photo to PNG with previews, share of its time")
    names = [f"{job['model']} {job['scale']}×" for job in result["jobs"]]
    left = [0.0] * len(names)
    for phase in _PHASES:
        shares = []
        for job in result["jobs"]:
            total = sum(job["seconds"][each] for each in _PHASES) or 1.0
            shares.append(100 * job["seconds"][phase] / total)
        axis.barh(names, shares, left=left, label=phase)
        left = [before + share for before, share in zip(left, shares, strict=True)]
    axis.invert_yaxis()
    axis.set_xlabel("per cent")
    axis.set_xlim(0, 100)
    axis.legend(ncols=len(_PHASES), loc="upper center", bbox_to_anchor=(0.5, 1.25), frameon=False)
    return figure
