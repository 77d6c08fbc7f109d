"""What was promised, as data, and whether the figures keep it.

Which bar holds depends on the processor: a CPU that multiplies bf16 in hardware must gain more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from inference.bench.codecs import OURS as OUR_PNG
from inference.bench.setup import ANIME, COMPACT, X4PLUS, Result
from inference.bench.tables import markdown

Value = Callable[[Result], float]
"""Reads a figure out of the results by part; raises `LookupError` where it was not measured."""

_PHOTO = [640, 427]  # what the bars for speed and memory are about


@dataclass(frozen=True)
class Bar:
    """One promise."""

    name: str
    value: Value
    bar: float
    unit: str = ""
    sense: Literal["≥", "≤"] = "≥"

    def judged(self, results: Result) -> Result:
        """Fields: `name`, `value` (`None` where not measured), `bar`, `unit`, `sense`, `met`."""
        try:
            value = self.value(results)
        except LookupError:
            value = None
        met = None
        if value is not None:
            met = value >= self.bar if self.sense == "≥" else value <= self.bar
        return {
            "name": self.name,
            "value": value,
            "bar": self.bar,
            "unit": self.unit,
            "sense": self.sense,
            "met": met,
        }


def judge(results: Result, flags: list[str], device: str) -> list[Result]:
    """Every bar that holds on this machine, see `Bar.judged`.

    `results` has the parts by name, `flags` are the processor's telling ones, and `device` is the
    name of the device that the part `gpu` ran on.
    """
    return [bar.judged(results) for bar in bars(flags, device)]


def bars(flags: list[str], device: str) -> tuple[Bar, ...]:
    """The bars that hold on a machine."""
    has_amx, has_bf16 = "amx_bf16" in flags, "avx512_bf16" in flags
    eager = 6.0 if has_amx else 3.0 if has_bf16 else 1.3
    chosen = [
        Bar("x4plus against plain torch", _ratio(X4PLUS, "auto", "plain"), eager, "×"),
        Bar("x4plus against plain torch, in fp32", _ratio(X4PLUS, "fp32", "plain"), 1.3, "×"),
    ]
    if has_bf16 and not has_amx:
        against = _ratio(X4PLUS, "auto", "openvino-bf16")
        chosen.append(Bar("x4plus against OpenVINO bf16", against, 0.95, "×"))
    if has_bf16 or has_amx:
        against = _ratio(COMPACT, "auto", "openvino-bf16")
        chosen.append(Bar("Compact against OpenVINO bf16", against, 0.95, "×"))
    chosen += [
        Bar("PNG against Pillow's default", _png("ratio"), 25, "×"),
        Bar("PNG's size against Pillow's", _png("size_ratio"), 1.15, "×", "≤"),
        Bar("peak memory of x4plus, photo", _photo_peak, 1.2, "GB", "≤"),
        Bar("cold start to the first call", _cold_start, 3, "s", "≤"),
        Bar("24 megapixels at 4×, Compact", _large_peak("memory", COMPACT), 4, "GB", "≤"),
        Bar("24 megapixels at 4×, x4plus", _large_peak("large", X4PLUS), 4, "GB", "≤"),
    ]
    for short, model in (("Compact", COMPACT), ("anime-6b", ANIME), ("x4plus", X4PLUS)):
        at_cuts = f"{short} at cuts over elsewhere"
        chosen += [
            Bar(f"seams of {short} in fp32", _seam(model), 1, "steps", "≤"),
            Bar(f"{at_cuts}, largest error", _cuts(model, "largest"), 1.1, "×", "≤"),
            Bar(f"{at_cuts}, 99.9th percentile", _cuts(model, "p999"), 1.1, "×", "≤"),
            Bar(f"{short} in tiles, loss of PSNR", _loss(model), 0.1, "dB", "≤"),
        ]
    if any(name in device for name in ("H100", "H200")):
        chosen.append(Bar("x4plus on the GPU", _gpu("megapixels"), 2.5, "MP/s"))
    if device.lower() != "cpu":
        chosen += [
            Bar("x4plus on the GPU against fp32", _gpu("psnr"), 50, "dB"),
            Bar("small pictures' rate over a large one's", _gpu_small, 0.8, "×"),
        ]
    return tuple(chosen)


def table(judged: list[Result]) -> str:
    words = {None: "not measured", True: "met", False: "**missed**"}
    rows = [
        (
            bar["name"],
            "–" if bar["value"] is None else f"{bar['value']:.2f} {bar['unit']}".rstrip(),
            f"{bar['sense']} {bar['bar']:g} {bar['unit']}".rstrip(),
            words[bar["met"]],
        )
        for bar in judged
    ]
    return "## Bars\n\n" + markdown(("what", "figure", "bar", ""), rows)


def _ratio(model: str, way: str, other: str) -> Value:
    """How many times as fast one way is as another."""

    def value(results: Result) -> float:
        if results["networks"]["size"] != _PHOTO:
            raise LookupError
        ways = results["networks"]["networks"][model]
        return float(ways[other]["seconds"] / ways[way]["seconds"])

    return value


def _png(field: str) -> Value:
    return lambda results: float(results["encoders"]["mean"][OUR_PNG][field])


def _photo_peak(results: Result) -> float:
    return _peak(results["memory"]["jobs"], X4PLUS, _PHOTO)


def _large_peak(part: str, model: str) -> Value:
    return lambda results: _peak(results[part]["jobs"], model, [6000, 4000])


def _peak(jobs: list[Result], model: str, size: list[int]) -> float:
    peaks = [job["peak_memory"] for job in jobs if (job["model"], job["input"]) == (model, size)]
    return float(peaks[0]) / 1e9  # IndexError is a LookupError


def _cold_start(results: Result) -> float:
    """That of the slowest network."""
    return max(float(seconds["total"]) for seconds in results["start"]["networks"].values())


def _seam(model: str) -> Value:
    def value(results: Result) -> float:
        found = [of["largest"] for of in results["seams"]["exact"] if of["model"] == model]
        if not found:
            raise LookupError
        return float(max(found))

    return value


def _reduced(results: Result, model: str) -> Result:
    by_model: dict[str, Result] = {of["model"]: of for of in results["seams"]["reduced"]}
    return by_model[model]


def _cuts(model: str, field: str) -> Value:
    def value(results: Result) -> float:
        of = _reduced(results, model)
        return float(of[f"{field}_at_cuts"] / of[f"{field}_elsewhere"])

    return value


def _loss(model: str) -> Value:
    def value(results: Result) -> float:
        of = _reduced(results, model)
        return float(of["psnr_whole"] - of["psnr_tiled"])

    return value


def _gpu(field: str) -> Value:
    def value(results: Result) -> float:
        if results["gpu"]["model"] != X4PLUS:
            raise LookupError
        return float(results["gpu"][field])

    return value


def _gpu_small(results: Result) -> float:
    return _gpu("megapixels_small")(results) / _gpu("megapixels")(results)
