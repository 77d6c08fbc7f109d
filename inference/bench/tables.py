"""Figures as Markdown. Knows nothing of what they mean."""

import statistics
from collections.abc import Iterable, Sequence

from inference.bench.setup import Result


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; whole numbers and texts as they are."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def median(runs: Sequence[Result], field: str) -> float:
    """The median of one field over several runs of the same."""
    return statistics.median(float(run[field]) for run in runs)


def number(value: float | None, digits: int = 2) -> str:
    """A figure with so many digits behind the point, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"
