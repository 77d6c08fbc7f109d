"""Whatever JSON may hold, as an argument."""

from typing import Any
from uuid import uuid4

import pytest

from db.errors import NotFound
from inference.errors import InvalidOptions
from inference.options import Options
from pages import arguments
from pages.errors import InvalidArgument


def test_an_order_is_what_was_asked_for() -> None:
    more = {"quality": 80, "lossless": True, "metadata": "none", "precision": "fp32", "tile": 64}
    more |= {"bits": 8, "mark": False}

    assert arguments.order("a", 2, "webp", more).options == Options(
        model="a",
        scale=2,
        output_format="webp",
        quality=80,
        lossless=True,
        bits=8,
        metadata="none",
        mark=False,
        precision="fp32",
        tile=64,
    )


def test_a_strength_of_denoising_may_be_any_number() -> None:
    asked, _ = arguments.order("realesr-general-x4v3", 4, None, {"denoise": 1})

    assert asked == Options(model="realesr-general-x4v3", scale=4, denoise=1.0)


@pytest.mark.parametrize("size", ["width", "height", "long_side"])
@pytest.mark.parametrize("scale", [4, 4.0, None])
def test_a_target_size_takes_the_place_of_the_default_scale(size: str, scale: Any) -> None:
    assert arguments.order("a", scale, None, {size: 60.0}).options == Options(
        model="a", **{size: 60}
    )


@pytest.mark.parametrize("size", ["width", "height", "long_side"])
def test_a_target_size_and_another_scale_contradict_each_other(size: str) -> None:
    with pytest.raises(InvalidOptions, match="contradict"):
        arguments.order("a", 2, None, {size: 60})


def test_options_that_are_null_are_left_at_their_defaults() -> None:
    more = dict.fromkeys(["width", "quality", "lossless", "metadata", "tile", "suffix"])

    assert arguments.order("a", None, None, more) == (Options(model="a"), True)


def test_a_suffix_can_be_left_out() -> None:
    assert arguments.order("a", 4, None, {"suffix": False}) == (Options(model="a", scale=4), False)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"scale": 5}, "scale of 5"),
        ({"scale": "four"}, "`scale`"),
        ({"scale": [4]}, "`scale`"),
        ({"scale": True}, "`scale`"),
        ({"scale": 2.5}, "`scale`"),
        ({"scale": float("nan")}, "`scale`"),
        ({"scale": float("inf")}, "`scale`"),
        ({"scale": 10**400}, "`scale`"),
        ({"output_format": "gif"}, "gif"),
        ({"output_format": 7}, "`output_format`"),
        ({"model": None}, "`model`"),
        ({"model": {"a": 1}}, "`model`"),
        ({"more": [1]}, "`options`"),
        ({"more": "width"}, "`options`"),
        ({"more": {"colour": 1}}, "'colour'"),
        ({"more": {"memory_budget": 1}}, "'memory_budget'"),
        ({"more": {"quality": "high"}}, "`quality`"),
        ({"more": {"quality": 101}}, "101"),
        ({"more": {"quality": True}}, "`quality`"),
        ({"more": {"lossless": 1}}, "`lossless`"),
        ({"more": {"suffix": "x2"}}, "`suffix`"),
        ({"more": {"metadata": "some"}}, "some"),
        ({"more": {"precision": ["fp32"]}}, "`precision`"),
        ({"more": {"denoise": "much"}}, "`denoise`"),
        ({"more": {"denoise": True}}, "`denoise`"),
        ({"more": {"denoise": 0.5}}, "denois"),
        ({"more": {"tile": 1}}, "tile"),
        ({"more": {"tile": 64.5}}, "`tile`"),
        ({"more": {"width": 0}}, "width"),
        ({"more": {"width": -(2**40)}}, "`width`"),
        ({"more": {"width": 2**31}}, "`width`"),
        ({"more": {"width": 60, "long_side": 60}}, "long side"),
    ],
    ids=lambda given: str(given)[:40],
)
def test_what_is_no_order_is_refused_by_name(given: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidOptions) as caught:
        arguments.order(**{"model": "a", "scale": 4, "output_format": None, **given})

    assert named in caught.value.message


def test_an_unknown_option_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(InvalidOptions) as caught:
        arguments.order("a", 4, None, {"colour": 1})

    assert "width, height, long_side, quality" in caught.value.hint


def test_an_id_is_read() -> None:
    batch_id = uuid4()

    assert arguments.batch_id(str(batch_id)) == batch_id


@pytest.mark.parametrize("value", ["zzz", "", None, 5, [], {}, "\0"])
def test_what_is_no_id_is_nobodys(value: Any) -> None:
    with pytest.raises(NotFound):
        arguments.batch_id(value)


@pytest.mark.parametrize("value", ["", "x" * 81, 5, [], True])
def test_what_is_no_key_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="idempotency_key"):
        arguments.idempotency_key(value)


@pytest.mark.parametrize("value", [0, -1, 101, 2.5, "20", None, True, [1]])
def test_what_is_no_length_of_a_page_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="limit"):
        arguments.page_length(value)


@pytest.mark.parametrize("value", [1, 20.0, 100])
def test_a_length_of_a_page_is_a_whole_number(value: Any) -> None:
    length = arguments.page_length(value)

    assert (type(length), length) == (int, value)


@pytest.mark.parametrize("value", [5, [], True])
def test_what_is_no_cursor_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="cursor"):
        arguments.cursor(value)
