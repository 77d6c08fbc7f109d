"""The parts of the benchmarks that are arithmetic: no clock, no process."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from inference.bench import bars, codecs, peers, plots, quality, rates, seams, tables
from inference.bench.memory import mirrored
from inference.bench.setup import COMPACT, X4PLUS, Result
from inference.bench.work import flops_per_pixel
from inference.loader import describe
from inference.spandrel_import import spandrel
from tests.inference.networks import random_weights
from tests.inference.pictures import noise

Compact = spandrel.architectures.Compact.Compact
ESRGAN = spandrel.architectures.ESRGAN.ESRGAN


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Two that wait for each other on a busy machine take ten times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_psnr_is_that_of_the_definition() -> None:
    black = np.zeros((300, 20, 3), np.uint8)

    assert quality.psnr(black + np.uint8(255), black) == 0
    assert quality.psnr(black + np.uint8(1), black) == pytest.approx(48.1308, abs=1e-4)
    assert quality.psnr(black, black) == float("inf")


def test_rounding_alone_costs_what_theory_says() -> None:
    exact = np.random.default_rng(2).uniform(0, 255, (600, 400, 3))

    # An error uniform in ±½ has a mean square of 1/12.
    assert quality.psnr(np.rint(exact).astype(np.uint8), exact) == pytest.approx(58.92, abs=0.02)


def test_the_largest_difference_is_against_the_rounded_reference() -> None:
    exact = np.full((300, 4, 3), 99.6)
    picture = np.full((300, 4, 3), 100, np.uint8)

    assert quality.largest_difference(picture, exact) == 0
    picture[299, 3, 2] = 93
    assert quality.largest_difference(picture, exact) == 7


@pytest.mark.parametrize(
    ("network", "megaflop"),
    [
        (ESRGAN(in_nc=3, out_nc=3, num_filters=64, num_blocks=23, scale=4), 35.85),
        (ESRGAN(in_nc=3, out_nc=3, num_filters=64, num_blocks=6, scale=4), 11.41),
        (Compact(num_in_ch=3, num_out_ch=3, num_feat=64, num_conv=16, upscale=4), 1.238),
    ],
    ids=["x4plus", "anime-6b", "animevideov3"],
)
def test_work_counted_on_the_layers_is_what_was_counted_by_hand(
    network: nn.Module, megaflop: float
) -> None:
    descriptor = describe(network.state_dict())

    assert flops_per_pixel(descriptor, 8) / 1e6 == pytest.approx(megaflop, rel=1e-3)


def test_the_layers_are_left_as_they_were() -> None:
    descriptor = describe(random_weights(Compact(num_feat=8, num_conv=1)))
    flops_per_pixel(descriptor, 8)

    assert not any(layer._forward_hooks for layer in descriptor.model.modules())


def test_what_peers_compute_is_clipped_and_rounded_as_ours_is() -> None:
    planes = np.random.default_rng(3).uniform(-0.3, 1.3, (3, 40, 50)).astype(np.float32)

    pixels = peers.to_pixels(planes)

    assert pixels.dtype == np.uint8
    assert (pixels == np.rint(np.clip(planes, 0, 1) * 255).transpose(1, 2, 0)).all()


def test_a_matrix_product_has_a_rate() -> None:
    assert rates.matmul_tflops(torch.device("cpu"), torch.float32, 64, 1) > 0


def test_a_mirrored_photo_goes_on_where_the_photo_ends() -> None:
    photo = noise(5, 4, 3)

    large = mirrored(photo, 10, 12)

    assert large.shape == (12, 10, 3)
    assert (large[:5, :4] == photo).all()
    assert (large[5:10, :4] == photo[::-1]).all()
    assert (large[:5, 4:8] == photo[:, ::-1]).all()
    assert (large[10:, 8:] == photo[:2, :2]).all()


def test_pixels_at_cuts_are_those_within_four_pixels_of_one() -> None:
    near = seams.at_cuts(width=24, height=8, tile=12, scale=2)

    assert near.shape == (16, 48)
    assert near[0].nonzero()[0].tolist() == list(range(16, 32))  # 12 ± 4, twice as large
    assert (near == near[0]).all()  # 8 is less than a tile: no cut across


def test_encoders_of_16_bits_get_16_bits_and_the_others_8() -> None:
    ways = codecs.compared(noise(20, 30, 3), noise(20, 30, 3).astype(np.uint16) * 257)

    sizes = {name: way() for name, way in ways.items()}

    assert all(sizes.values())
    assert sizes["PNG 16, OpenCV's default"] > sizes["PNG 8, OpenCV's default"]


def results(seconds: float, size: tuple[int, int] = (640, 427)) -> Result:
    """As `networks` gives them: ours takes `seconds`, plain torch 60, OpenVINO 20."""
    ways = {
        "plain": {"seconds": 60.0},
        "fp32": {"seconds": 40.0},
        "auto": {"seconds": seconds},
        "openvino-bf16": {"seconds": 20.0},
    }
    return {"networks": {"size": list(size), "networks": {X4PLUS: ways, COMPACT: ways}}}


def verdicts(judged: list[Result]) -> dict[str, tuple[float, bool | None]]:
    return {bar["name"]: (bar["bar"], bar["met"]) for bar in judged}


@pytest.mark.parametrize(
    ("flags", "bar", "met"),
    [
        (["avx2", "avx512_bf16", "amx_bf16"], 6.0, False),
        (["avx2", "avx512_bf16"], 3.0, True),
        (["avx2"], 1.3, True),
    ],
)
def test_the_processors_flags_decide_about_the_bar(flags: list[str], bar: float, met: bool) -> None:
    told = verdicts(bars.judge(results(seconds=12), flags, "cpu"))  # 5 times as fast as plain

    assert told["x4plus against plain torch"] == (bar, met)
    assert ("x4plus against OpenVINO bf16" in told) == (bar == 3.0)
    assert ("Compact against OpenVINO bf16" in told) == (bar > 2)


def test_a_bar_is_met_by_the_very_figure_and_missed_below_it() -> None:
    flags = ["avx512_bf16"]

    assert verdicts(bars.judge(results(20), flags, "cpu"))["x4plus against plain torch"] == (
        3,
        True,
    )
    assert (
        verdicts(bars.judge(results(20.1), flags, "cpu"))["x4plus against plain torch"][1] is False
    )


def test_what_was_not_measured_or_on_another_picture_is_neither_met_nor_missed() -> None:
    told = verdicts(bars.judge(results(12, size=(320, 240)), ["avx2"], "cpu"))

    assert told["x4plus against plain torch"] == (1.3, None)
    assert {met for _, met in told.values()} == {None}


def test_bars_for_one_kind_of_gpu_hold_for_no_other() -> None:
    measured = {"gpu": {"model": X4PLUS, "megapixels": 2.6, "megapixels_small": 2.0, "psnr": 55.0}}

    there = verdicts(bars.judge(measured, [], "NVIDIA H200"))
    elsewhere = verdicts(bars.judge(measured, [], "NVIDIA L40S"))

    assert there["x4plus on the GPU"] == (2.5, True)
    assert there["small pictures' rate over a large one's"] == (0.8, False)
    assert "x4plus on the GPU" not in elsewhere
    assert elsewhere["x4plus on the GPU against fp32"] == (50, True)


def test_seams_memory_and_encoders_are_judged_by_their_worst_figure() -> None:
    measured: Result = {
        "encoders": {"mean": {codecs.OURS: {"ratio": 26.0, "size_ratio": 1.2}}},
        "memory": {
            "jobs": [
                {"model": X4PLUS, "input": [640, 427], "peak_memory": 1.1e9},
                {"model": COMPACT, "input": [6000, 4000], "peak_memory": 4.1e9},
            ]
        },
        "start": {"networks": {X4PLUS: {"total": 2.9}, COMPACT: {"total": 3.1}}},
        "seams": {
            "exact": [{"model": COMPACT, "largest": 0}, {"model": COMPACT, "largest": 2}],
            "reduced": [
                {
                    "model": COMPACT,
                    "psnr_whole": 55.0,
                    "psnr_tiled": 54.95,
                    "largest_at_cuts": 6.0,
                    "largest_elsewhere": 5.0,
                    "p999_at_cuts": 2.0,
                    "p999_elsewhere": 2.0,
                }
            ],
        },
    }

    told = verdicts(bars.judge(measured, [], "cpu"))

    assert told["PNG against Pillow's default"] == (25, True)
    assert told["PNG's size against Pillow's"] == (1.15, False)
    assert told["peak memory of x4plus, photo"] == (1.2, True)
    assert told["24 megapixels at 4×, Compact"] == (4, False)
    assert told["24 megapixels at 4×, x4plus"] == (4, None)
    assert told["cold start to the first call"] == (3, False)
    assert told["seams of Compact in fp32"] == (1, False)
    assert told["Compact at cuts over elsewhere, largest error"] == (1.1, False)
    assert told["Compact at cuts over elsewhere, 99.9th percentile"] == (1.1, True)
    assert told["Compact in tiles, loss of PSNR"] == (0.1, True)


def test_the_table_of_bars_says_what_was_missed_and_what_not_measured() -> None:
    told = bars.table(bars.judge(results(30), ["avx512_bf16"], "cpu"))

    assert "| x4plus against plain torch | 2.00 × | ≥ 3 × | **missed** |" in told
    assert "| x4plus against plain torch, in fp32 | 1.50 × | ≥ 1.3 × | met |" in told
    assert "| PNG's size against Pillow's | – | ≤ 1.15 × | not measured |" in told


def test_a_table_is_markdown() -> None:
    assert tables.markdown(("a", "b"), [(1, "x")]) == "| a | b |\n| --- | --- |\n| 1 | x |"
    assert tables.median([{"s": 3}, {"s": 1}, {"s": 2}], "s") == 2
    assert tables.number(None) == "–"


def test_plots_name_the_processors_flags(tmp_path) -> None:
    pytest.importorskip("matplotlib")
    ways = results(12)["networks"]["networks"][X4PLUS]
    for figures in ways.values():
        figures.update(ratio=60 / figures["seconds"], psnr=55.0, dtype="bf16")
    measured = {"networks": {"size": [640, 427], "networks": {X4PLUS: ways}}}
    where = {"date": "2026-11-24", "cores": 2, "flags": ["avx2", "avx512_bf16"]}

    (drawn,) = plots.draw(measured, where, tmp_path / "plots")

    text = drawn.read_text()
    assert "avx2 avx512_bf16" in text
    assert "12.00 s  5.0×  55 dB" in text
