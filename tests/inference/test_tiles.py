"""Tile plans against expectations written by hand, and properties of any plan."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from inference.geometry import Region, Size
from inference.tiles import Band, Tile, plan


def test_a_picture_without_tile_size_is_one_tile_that_sees_everything() -> None:
    whole = Region(0, 0, 30, 20)

    assert plan(Size(30, 20), None, halo=8) == (Band(0, 20, (Tile(whole, whole),)),)


def test_a_picture_is_cut_into_even_tiles_with_the_halo_clipped_at_its_edges() -> None:
    assert plan(Size(100, 50), 40, halo=10) == (
        Band(
            0,
            25,
            (
                Tile(core=Region(0, 0, 34, 25), window=Region(0, 0, 44, 35)),
                Tile(core=Region(34, 0, 33, 25), window=Region(24, 0, 53, 35)),
                Tile(core=Region(67, 0, 33, 25), window=Region(57, 0, 43, 35)),
            ),
        ),
        Band(
            25,
            25,
            (
                Tile(core=Region(0, 25, 34, 25), window=Region(0, 15, 44, 35)),
                Tile(core=Region(34, 25, 33, 25), window=Region(24, 15, 53, 35)),
                Tile(core=Region(67, 25, 33, 25), window=Region(57, 15, 43, 35)),
            ),
        ),
    )


def test_cuts_and_windows_stay_on_the_networks_grid() -> None:
    (band,) = plan(Size(10, 4), 6, halo=3, align=4)

    assert band.tiles == (
        Tile(core=Region(0, 0, 4, 4), window=Region(0, 0, 8, 4)),
        Tile(core=Region(4, 0, 4, 4), window=Region(0, 0, 10, 4)),
        Tile(core=Region(8, 0, 2, 4), window=Region(4, 0, 6, 4)),
    )


def test_a_plan_can_begin_in_the_middle_and_still_sees_above_itself() -> None:
    (band,) = plan(Size(8, 12), 8, halo=4, top=8)

    assert band == Band(8, 4, (Tile(Region(0, 8, 8, 4), Region(0, 4, 8, 8)),))


@given(
    size=st.builds(Size, st.integers(1, 300), st.integers(1, 300)),
    tile=st.one_of(st.none(), st.integers(16, 200)),
    halo=st.integers(0, 90),
    align=st.sampled_from([1, 2, 4, 8, 16]),
    data=st.data(),
)
def test_any_plan_covers_every_pixel_once_with_its_full_halo(
    size: Size, tile: int | None, halo: int, align: int, data: st.DataObject
) -> None:
    top = data.draw(st.integers(0, (size.height - 1) // align)) * align
    bands = plan(size, tile, halo, align, top)

    assert bands[0].top == top
    assert bands[-1].top + bands[-1].height == size.height
    for band, following in pairwise(bands):
        assert band.top + band.height == following.top
    for band in bands:
        assert band.tiles[0].core.x == 0
        assert band.tiles[-1].core.right == size.width
        for left, right in pairwise(band.tiles):
            assert left.core.right == right.core.x
        for core, window in ((t.core, t.window) for t in band.tiles):
            assert (core.y, core.height) == (band.top, band.height)
            assert min(core.width, core.height) >= 1
            assert tile is None or max(core.width, core.height) <= tile
            assert window.x % align == window.y % align == core.x % align == core.y % align == 0
            assert window.x <= max(0, core.x - halo)
            assert window.y <= max(0, core.y - halo)
            assert size.width >= window.right >= min(size.width, core.right + halo)
            assert size.height >= window.bottom >= min(size.height, core.bottom + halo)
            assert window.right % align == 0 or window.right == size.width
            assert window.bottom % align == 0 or window.bottom == size.height


@given(
    length=st.integers(1, 5000), tile=st.integers(16, 600), align=st.sampled_from([1, 2, 4, 8, 16])
)
def test_no_tile_is_a_sliver(length: int, tile: int, align: int) -> None:
    (band,) = plan(Size(length, 1), tile, halo=0, align=align)
    units = [-(-t.core.width // align) for t in band.tiles]

    assert max(units) - min(units) <= 1
    assert sum(units) == -(-length // align)


@given(
    size=st.builds(Size, st.integers(1, 300), st.integers(1, 300)),
    tile=st.integers(16, 200),
    halo=st.integers(0, 90),
    blend=st.integers(0, 70),
    align=st.sampled_from([1, 2, 8, 16]),
)
def test_what_is_mixed_lies_evenly_around_a_cut_and_belongs_to_two_tiles_at_most(
    size: Size, tile: int, halo: int, blend: int, align: int
) -> None:
    bands = plan(size, tile, halo, align, blend=blend)

    for band in bands:
        for left, right in pairwise(band.tiles):
            assert left.shared.right == right.shared.left <= blend // 2
            assert left.kept.right - right.kept.x == 2 * right.shared.left
        for t in band.tiles:
            assert t.shared.left + t.shared.right <= t.core.width
            assert t.shared.above + t.shared.below <= t.core.height
            assert t.window.x <= max(0, t.kept.x - halo)
            assert t.window.right >= min(size.width, t.kept.right + halo)
            assert 0 <= t.kept.x <= t.kept.right <= size.width
        assert band.tiles[0].shared.left == band.tiles[-1].shared.right == 0
    for upper, lower in pairwise(bands):
        assert upper.tiles[0].shared.below == lower.tiles[0].shared.above
    assert bands[0].tiles[0].shared.above == bands[-1].tiles[0].shared.below == 0


def test_neighbours_of_full_size_share_the_whole_width_that_was_asked_for() -> None:
    (band,) = plan(Size(100, 40), 50, halo=5, blend=20)

    assert [t.kept for t in band.tiles] == [Region(0, 0, 60, 40), Region(40, 0, 60, 40)]


def test_a_plan_that_begins_below_unfinished_rows_shares_what_they_kept() -> None:
    first, _ = plan(Size(8, 60), 20, halo=0, top=20, blend=16, above=8)

    assert first.tiles[0].shared.above == 8
    assert first.tiles[0].kept.y == 12
