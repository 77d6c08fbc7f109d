"""Options and reports as they are kept with a job, and back.

The rows hold plain JSON with closed keys; the engine has its own types. Nothing else knows both.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Protocol, TypedDict

from inference.geometry import Size
from inference.options import DEFAULT_SCALE, Options
from inference.report import Report

# Columns of their own in a job's row, and what is the operator's to say.
_COLUMNS = ("model", "scale", "width", "height", "long_side")
_OPERATORS = ("memory_budget",)


def kept_options(options: Options, *, suffix: bool = True) -> dict[str, Any]:
    """What is kept of the options beside the columns, and whether results get a suffix."""
    kept = {
        key: value for key, value in asdict(options).items() if key not in (*_COLUMNS, *_OPERATORS)
    }
    return kept | {"suffix": suffix}


class KeptSize(TypedDict):
    """How large a result is to be: a scale, or sides."""

    scale: int | None
    target_width: int | None
    target_height: int | None
    target_long_side: int | None


def kept_size(options: Options) -> KeptSize:
    """The columns of a job that say how large its result is to be."""
    return {
        "scale": None if options.has_target else options.scale or DEFAULT_SCALE,
        "target_width": options.width,
        "target_height": options.height,
        "target_long_side": options.long_side,
    }


class Ordered(Protocol):
    """What of a job says what was ordered: `db.jobs.Claim` and `db.views.JobView` have it."""

    @property
    def model(self) -> str: ...
    @property
    def scale(self) -> int | None: ...
    @property
    def target_width(self) -> int | None: ...
    @property
    def target_height(self) -> int | None: ...
    @property
    def target_long_side(self) -> int | None: ...
    @property
    def options(self) -> Mapping[str, Any]: ...


def options_of(job: Ordered) -> Options:
    """The engine's options for a job."""
    known = {field.name for field in fields(Options)}
    return Options(
        model=job.model,
        scale=job.scale,
        width=job.target_width,
        height=job.target_height,
        long_side=job.target_long_side,
        **{key: value for key, value in job.options.items() if key in known},
    )


def kept_report(report: Report) -> Mapping[str, Any]:
    """The engine's report as JSON: what history and API show."""

    def size(value: Size) -> dict[str, int]:
        return {"width": value.width, "height": value.height}

    return {
        "input": size(report.input),
        "output": size(report.output),
        "output_format": report.output_format,
        "bits": report.bits,
        "way": str(report.scaling),
        "network_scale": report.scaling.network_scale,
        "passes": report.scaling.passes,
        "filter": "lanczos" if report.scaling.is_filtered else None,
        "model": report.model,
        "architecture": report.architecture,
        "model_source": report.model_source,
        "weights_sha256": report.weights_sha256,
        "device": report.device,
        "dtype": report.dtype,
        "tile": report.tile,
        "tiles": report.tiles,
        "restarts": report.restarts,
        "seconds": dict(report.seconds),
        "peak_memory": report.peak_memory,
        "versions": dict(report.versions),
        "notes": list(report.notes),
    }
