"""Sizes by hand: what the network does, and what is left to the filter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import InvalidOptions
from inference.geometry import Size
from inference.options import Options
from inference.scaling import plan_scaling, target_size

PHOTO = Size(640, 427)


@pytest.mark.parametrize(
    ("network_scale", "options", "passes", "network", "output"),
    [
        (4, Options(), 1, (2560, 1708), (2560, 1708)),
        (4, Options(scale=2), 1, (2560, 1708), (1280, 854)),
        (4, Options(scale=3), 1, (2560, 1708), (1920, 1281)),
        (4, Options(scale=8), 2, (10240, 6832), (5120, 3416)),
        (4, Options(scale=16), 2, (10240, 6832), (10240, 6832)),
        (2, Options(scale=2), 1, (1280, 854), (1280, 854)),
        (2, Options(scale=16), 4, (10240, 6832), (10240, 6832)),
        (3, Options(scale=4), 2, (5760, 3843), (2560, 1708)),
        (4, Options(width=1920), 1, (2560, 1708), (1920, 1281)),
        (4, Options(height=1080), 1, (2560, 1708), (1619, 1080)),
        (4, Options(width=1000, height=300), 1, (2560, 1708), (450, 300)),
        (4, Options(long_side=3840), 2, (10240, 6832), (3840, 2562)),
        (4, Options(long_side=320), 1, (2560, 1708), (320, 214)),
        (1, Options(width=640), 1, (640, 427), (640, 427)),
    ],
)
def test_a_size_is_reached_by_the_fewest_passes_and_then_a_filter(
    network_scale: int,
    options: Options,
    passes: int,
    network: tuple[int, int],
    output: tuple[int, int],
) -> None:
    scaling = plan_scaling(PHOTO, network_scale, options)

    assert (scaling.passes, scaling.network, scaling.output) == (passes, network, output)
    assert scaling.is_filtered == (network != output)


def test_the_way_is_told_in_one_sentence() -> None:
    scaling = plan_scaling(PHOTO, 4, Options(scale=8))

    assert str(scaling) == (
        "4x by the network in 2 passes to 10240 × 6832, then Lanczos to 5120 × 3416"
    )


def test_a_network_that_does_not_enlarge_is_refused_for_a_larger_size() -> None:
    with pytest.raises(InvalidOptions, match="keeps a picture's size"):
        plan_scaling(PHOTO, 1, Options(scale=2))


@given(
    source=st.builds(Size, st.integers(1, 5000), st.integers(1, 5000)),
    network_scale=st.integers(2, 8),
    long_side=st.integers(1, 40_000),
)
def test_the_filter_only_ever_reduces(source: Size, network_scale: int, long_side: int) -> None:
    scaling = plan_scaling(source, network_scale, Options(long_side=long_side))

    assert scaling.network.width >= scaling.output.width
    assert scaling.network.height >= scaling.output.height
    assert max(scaling.output) == long_side
    assert min(scaling.output) >= 1


@given(
    source=st.builds(Size, st.integers(1, 5000), st.integers(1, 5000)),
    width=st.integers(1, 9000),
    height=st.integers(1, 9000),
)
def test_a_box_is_filled_in_one_direction_and_kept_in_the_other(
    source: Size, width: int, height: int
) -> None:
    output = target_size(source, Options(width=width, height=height))

    assert output.width <= width
    assert output.height <= height
    assert output.width == width or output.height == height
