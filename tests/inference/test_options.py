"""Options that contradict themselves are refused when they are made."""

from typing import Any

import pytest

from inference.errors import FormatCannotHold, InvalidOptions
from inference.options import Options


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": 5},
        {"scale": 0},
        {"scale": -4},
        {"scale": 4, "width": 100},
        {"width": 0},
        {"height": -1},
        {"long_side": 100, "width": 100},
        {"long_side": 100, "height": 100},
        {"output_format": "gif"},
        {"metadata": "some"},
        {"precision": "int8"},
        {"bits": 12},
        {"bits": 16, "output_format": "jpg"},
        {"bits": 16, "output_format": "webp"},
        {"quality": 0},
        {"quality": 101},
        {"tile": 15},
        {"memory_budget": 0},
    ],
    ids=str,
)
def test_contradictions_and_impossible_values_are_refused_with_a_hint(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(InvalidOptions) as refusal:
        Options(**wrong)

    assert refusal.value.message.endswith(".")
    assert refusal.value.hint.endswith(".")


@pytest.mark.parametrize(
    ("asked", "output_format", "has", "bits"),
    [
        (None, "png", 8, 8),
        (None, "png", 16, 16),
        (None, "jpg", 16, 8),
        (None, "webp", 16, 8),
        (8, "png", 16, 8),
        (8, "jpg", 16, 8),
        (16, "png", 8, 16),
    ],
)
def test_a_result_has_the_bits_of_its_picture_where_the_format_holds_them(
    asked: Any, output_format: Any, has: Any, bits: int
) -> None:
    assert Options(bits=asked).result_bits(output_format, has) == bits


@pytest.mark.parametrize("output_format", ["jpg", "webp"])
def test_16_bits_are_refused_once_it_is_known_that_the_format_has_8(output_format: Any) -> None:
    with pytest.raises(FormatCannotHold) as refusal:
        Options(bits=16).result_bits(output_format, 8)

    assert refusal.value.message.endswith(".")
    assert refusal.value.hint.endswith(".")


@pytest.mark.parametrize(
    ("options", "suffix"),
    [
        (Options(), "_4x_realesrgan-x4plus"),
        (Options(scale=2, model="m"), "_2x_m"),
        (Options(long_side=3840, model="m"), "_3840px_m"),
        (Options(width=800, height=600, model="m"), "_800px_m"),
    ],
    ids=str,
)
def test_a_result_is_named_after_its_settings(options: Options, suffix: str) -> None:
    assert options.suffix == suffix
