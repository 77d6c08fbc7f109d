"""The protocol of the published tables, on pictures made for it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.bench import bicubic, published
from inference.errors import InvalidOptions
from tests.inference.pictures import noise, photo

Pixels = published.Pixels


def test_the_kernel_has_the_values_of_keys_paper() -> None:
    at = np.array([0, 0.5, 1, 1.5, 2, 2.5, -0.5])

    assert bicubic.cubic(at).tolist() == [1, 0.5625, 0, -0.0625, 0, 0, 0.5625]


def test_the_weights_of_half_a_size_are_those_that_are_known() -> None:
    # Centre between pixels 2i and 2i + 1: the kernel at ±¼, ±¾, ±1¼, ±1¾, halved; as in imresize.
    known = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256

    taken, given = bicubic.weights(20, 2, 10)

    by_pixel = np.zeros(20)
    np.add.at(by_pixel, taken[5], given[5])
    assert by_pixel[7:15] == pytest.approx(known, abs=1e-15)
    assert by_pixel[:7].tolist() == [0] * 7


def test_a_third_of_the_size_takes_the_very_pixel_in_the_middle_as_its_centre() -> None:
    taken, given = bicubic.weights(30, 3, 10)
    by_pixel = np.zeros(30)
    np.add.at(by_pixel, taken[4], given[4])

    assert by_pixel.argmax() == 13
    assert by_pixel[13] == pytest.approx(1 / 3)
    assert by_pixel[8:13][::-1] == pytest.approx(by_pixel[14:19])
    assert np.flatnonzero(np.abs(by_pixel) > 1e-12).tolist() == [8, 9, 11, 12, 13, 14, 15, 17, 18]


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("value", [0, 7, 128, 255])
def test_a_picture_of_one_colour_keeps_it(factor: int, value: int) -> None:
    flat = np.full((factor * 5 + 1, factor * 3, 3), value, np.uint8)

    reduced = bicubic.reduce(flat, factor)

    assert reduced.shape == (6, 3, 3)  # rounded up
    assert (reduced == value).all()


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_mirrored_picture_is_reduced_to_the_mirrored_result(factor: int) -> None:
    picture = noise(factor * 7, factor * 9, 3)

    reduced = bicubic.reduce(picture, factor)

    assert (bicubic.reduce(picture[::-1], factor) == reduced[::-1]).all()
    assert (bicubic.reduce(picture[:, ::-1], factor) == reduced[:, ::-1]).all()
    assert (bicubic.reduce(picture.transpose(1, 0, 2), factor) == reduced.transpose(1, 0, 2)).all()


def test_a_straight_ramp_stays_straight_away_from_the_border() -> None:
    ramp = np.broadcast_to(np.arange(0, 240, 3, dtype=np.uint8)[:, None, None], (80, 8, 3))

    middle = bicubic.reduce(ramp, 4)[4:-4, 0, 0].astype(int)

    # Centres lie at 4i + 1½, where the ramp is 12i + 4½; half is rounded up.
    assert middle.tolist() == [12 * i + 5 for i in range(4, 16)]


def test_inside_it_is_what_pillow_makes_of_the_same_kernel() -> None:
    """Pillow's bicubic is Keys' with -0.5 and widened too; its border and fixed point differ."""
    picture = np.array(photo(96, 64))

    ours = bicubic.reduce(picture, 4).astype(int)
    theirs = np.array(Image.fromarray(picture).resize((24, 16), Image.Resampling.BICUBIC))

    assert np.abs(ours - theirs)[3:-3, 3:-3].max() <= 1


def test_luma_is_that_of_rgb2ycbcr() -> None:
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]])

    told = published.luma(colours.astype(np.uint8))

    assert told[0] == pytest.approx([16, 235, 81.481, 144.553, 40.966])


def test_the_border_counts_for_nothing() -> None:
    original = noise(20, 24, 3)
    result = original.copy()
    result[:3] = result[-3:] = 0
    result[:, :3] = result[:, -3:] = 255

    assert published.psnr_y(result, original, 3) == float("inf")
    assert published.psnr_y(result, original, 2) < 40


def test_grey_that_is_one_off_has_the_psnr_of_lumas_narrower_range() -> None:
    original = np.full((12, 12, 3), 100, np.uint8)

    # One step of grey is 219/255 of a step of luma.
    expected = 20 * np.log10(255 / (219 / 255))
    assert published.psnr_y(original + np.uint8(1), original, 2) == pytest.approx(expected)


def nearest(pixels: Pixels, factor: int) -> Pixels:
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def write(folder: Path, *pictures: Pixels) -> None:
    folder.mkdir(parents=True)
    for index, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / f"{index}.png")


@pytest.mark.parametrize("inner", ["HR", "GTmod12", "original", "."])
def test_a_set_is_scored_as_computed_by_hand_wherever_it_lies(tmp_path: Path, inner: str) -> None:
    pictures = [np.array(photo(50 + i, 37)) for i in range(5)]
    write(tmp_path / "Set5" / inner, *pictures)

    score = published.score(tmp_path, "Set5", 3, nearest)

    expected = []
    for picture in pictures:
        cropped = picture[:36, : picture.shape[1] // 3 * 3].astype(float)
        small = bicubic.reduce(cropped.astype(np.uint8), 3)
        error = (nearest(small, 3) - cropped) @ np.array([65.481, 128.553, 24.966]) / 255
        expected.append(10 * np.log10(255**2 / np.mean(error[3:-3, 3:-3] ** 2)))
    assert score == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("name", ["{}x2.png", "{}.png"])
def test_reduced_pictures_that_come_with_a_set_are_used(tmp_path: Path, name: str) -> None:
    originals = [noise(21, 25, 3, seed) for seed in range(5)]
    write(tmp_path / "Set5" / "HR", *originals)
    folder = tmp_path / "Set5" / "LR_bicubic" / "X2"
    folder.mkdir(parents=True)
    for index, original in enumerate(originals):
        Image.fromarray(original[:20:2, :24:2]).save(folder / name.format(index))

    pairs = list(published.pairs(tmp_path, "Set5", 2))

    assert all((small == large[::2, ::2]).all() for small, large in pairs)
    assert pairs[0][1].shape == (20, 24, 3)


def test_grey_pictures_are_taken_as_three_equal_channels(tmp_path: Path) -> None:
    write(tmp_path / "Set5", *[noise(16, 16, 1, seed).squeeze(2) for seed in range(5)])

    small, original = next(published.pairs(tmp_path, "Set5", 2))

    assert small.shape == (8, 8, 3)
    assert (original[..., 0] == original[..., 2]).all()


def test_a_set_that_is_not_there_or_not_whole_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match=r"No pictures of Set5 .* HR, GTmod12, original"):
        published.score(tmp_path, "Set5", 2, nearest)

    write(tmp_path / "Set5" / "HR", noise(8, 8, 3))
    with pytest.raises(InvalidOptions, match="has 1 pictures; Set5 has 5"):
        published.score(tmp_path, "Set5", 2, nearest)


def test_models_that_are_missing_are_named_with_the_command_that_fetches_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert published.main(["--models", str(tmp_path), "--sets", str(tmp_path)]) == 2

    told = capsys.readouterr().err
    assert f"models --models {tmp_path} pull dat-light-x2 dat-light-x3 dat-light-x4" in told


@pytest.mark.parametrize(("off", "status"), [(0.02, 0), (-0.02, 0), (0.03, 1), (-0.03, 1)])
def test_a_figure_further_off_than_the_tolerance_fails_the_command(
    off: float, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = dict(published.PUBLISHED)
    scores["Set14", 4] = round(scores["Set14", 4] + off, 4)
    monkeypatch.setattr(published, "measure", lambda models, sets: scores)

    assert published.main(["--models", "m", "--sets", "s"]) == status

    assert f"| Set14 | 4× | {scores['Set14', 4]:.3f} | 28.87 | {off:+.3f} |" in (
        capsys.readouterr().out
    )
