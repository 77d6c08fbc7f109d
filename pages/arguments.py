"""Arguments of API calls: whatever JSON a caller sends becomes typed values, or a typed error.

Gradio checks no types. Knows no users and no rows.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from db.errors import NotFound
from inference.errors import InvalidOptions
from inference.options import DEFAULT_SCALE, Options
from pages.errors import InvalidArgument

LONGEST_HISTORY_PAGE = 100
LONGEST_KEY = 80

# What a column can hold; whether that many pixels are possible is said elsewhere.
_LARGEST = 2**31 - 1

_KINDS: Mapping[str, type] = {
    "width": int,
    "height": int,
    "long_side": int,
    "quality": int,
    "lossless": bool,
    "bits": int,
    "metadata": str,
    "mark": bool,
    "suffix": bool,
    "precision": str,
    "tile": int,
    "denoise": float,
}
_SIZES = ("width", "height", "long_side")


class Order(NamedTuple):
    """What a call asks for."""

    options: Options
    suffix: bool
    """Whether scale and model are added to a result's name."""


def order(model: Any, scale: Any, output_format: Any, more: Any = None) -> Order:
    """The order that a call is. Raises `InvalidOptions`.

    Where `more` names a target size, the scale must be left at its default, and counts for nothing.
    """
    if more is None:
        more = {}
    if not isinstance(more, dict):
        raise InvalidOptions("`options` is not an object.", f"It may have {_offered()}.")
    values: dict[str, Any] = {}
    for key, value in more.items():
        if key not in _KINDS:
            raise InvalidOptions(f"There is no option '{key}'.", f"Use {_offered()}.")
        if value is not None:
            values[key] = _typed(key, value, _KINDS[key])
    factor = None if scale is None else _typed("scale", scale, int)
    if factor == DEFAULT_SCALE and any(size in values for size in _SIZES):
        factor = None
    suffix = values.pop("suffix", True)
    options = Options(
        model=_typed("model", model, str),
        scale=factor,
        output_format=None
        if output_format is None
        else _typed("output_format", output_format, str),
        **values,
    )
    return Order(options, suffix)


def batch_id(value: Any) -> UUID:
    """Raises `NotFound`: what is not an id is nobody's."""
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise NotFound from None


def idempotency_key(value: Any) -> str | None:
    """Raises `InvalidArgument`."""
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_KEY:
        raise InvalidArgument(f"`idempotency_key` is a text of 1 to {LONGEST_KEY} characters.")
    return value


def page_length(value: Any) -> int:
    """Raises `InvalidArgument`."""
    if isinstance(value, bool) or value not in range(1, LONGEST_HISTORY_PAGE + 1):
        raise InvalidArgument(f"`limit` is a whole number from 1 to {LONGEST_HISTORY_PAGE}.")
    return int(value)


def cursor(value: Any) -> str | None:
    """Raises `InvalidArgument`."""
    if value is not None and not isinstance(value, str):
        raise InvalidArgument("`cursor` is the `next_cursor` of another page.", "Or leave it out.")
    return value


def _typed(name: str, value: Any, kind: type) -> Any:
    if kind is int:
        return _whole(name, value)
    if kind is float:
        return _number(name, value)
    if not isinstance(value, kind):
        raise InvalidOptions(f"`{name}` is not {'a text' if kind is str else 'true or false'}.")
    return value


def _number(name: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > _LARGEST:
        raise InvalidOptions(f"`{name}` is not a number that makes sense.")
    return float(value)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON of some programs has no whole numbers
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidOptions(f"`{name}` is not a whole number.")
    if abs(value) > _LARGEST:
        raise InvalidOptions(f"`{name}` is too large.")
    return value


def _offered() -> str:
    *most, last = _KINDS
    return f"{', '.join(most)} and {last}"
