"""RRDBNet's trunk in few arrays, against torch's own."""

import copy

import pytest
import torch
from torch import nn

from inference.dense import Room, Trunk, settle
from inference.fused import AddedConv, fuse
from inference.loader import describe
from tests.inference.networks import esrgan, random_weights


def image(height: int, width: int) -> torch.Tensor:
    noise = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(5))
    return noise.contiguous(memory_format=torch.channels_last)


def model(blocks: int = 2) -> nn.Module:
    plain = describe(random_weights(esrgan(blocks))).model.eval().requires_grad_(False)
    return plain.to(memory_format=torch.channels_last)


def settled(plain: nn.Module) -> nn.Module:
    few = copy.deepcopy(plain)
    settle(few)
    return few


@pytest.mark.parametrize("laid_out", [False, True])
def test_every_number_is_that_of_the_trunk_that_was_replaced(laid_out: bool) -> None:
    plain = model()
    few = settled(plain)
    if laid_out:
        fuse(few)

    assert sum(isinstance(module, Trunk) for module in few.modules()) == 1
    with torch.inference_mode():
        # Larger and smaller in turn, and a batch: what lay there before must not show.
        for picture in (image(9, 14), image(40, 31), image(5, 6), torch.cat([image(7, 8)] * 2)):
            before = picture.clone()
            torch.testing.assert_close(few(picture), plain(picture), rtol=0, atol=1e-5)
            assert torch.equal(picture, before)


def test_in_bf16_it_is_no_further_from_the_truth_than_the_trunk_that_was_replaced() -> None:
    plain = model(blocks=4)
    few = settled(plain).to(torch.bfloat16)
    fuse(few)
    picture = image(40, 31)

    with torch.inference_mode():
        exact = plain(picture)
        ours = few(picture.bfloat16()) - exact
        theirs = plain.to(torch.bfloat16)(picture.bfloat16()) - exact

    assert ours.square().mean() <= theirs.square().mean()


@pytest.mark.parametrize("pixels", [(1, 1), (1, 63), (1, 65), (20, 33), (64, 100)])
def test_channels_come_beside_those_that_are_there(pixels: tuple[int, int]) -> None:
    parts = [torch.rand(2, channels, *pixels) for channels in (16, 8, 8, 4)]
    parts = [part.contiguous(memory_format=torch.channels_last) for part in parts]
    room = Room(parts[0], 36)

    seen = room.joined(parts[0], parts[1])
    assert torch.equal(seen, torch.cat(parts[:2], dim=1))
    for count in (3, 4):
        seen = room.grown(seen, parts[count - 1])
        assert torch.equal(seen, torch.cat(parts[:count], dim=1))


@pytest.mark.parametrize("laid_out", [False, True])
def test_a_convolution_is_added_where_the_image_is(laid_out: bool) -> None:
    convolution = nn.Conv2d(6, 16, 3, padding=1).requires_grad_(False)
    seen, onto = torch.rand(1, 6, 9, 7), torch.rand(1, 16, 9, 7)
    onto = onto.contiguous(memory_format=torch.channels_last)
    expected = onto + 0.2 * convolution(seen)
    adding = AddedConv(convolution, 0.2)
    if laid_out:
        adding.lay_out()

    with torch.inference_mode():
        result = adding(seen, onto)

    assert result.data_ptr() == onto.data_ptr()
    torch.testing.assert_close(onto, expected, rtol=0, atol=1e-6)


def test_trunks_with_shortcuts_of_their_own_stay() -> None:
    plus = model()
    plus.model[1].sub[0].RDB2.conv1x1 = nn.Conv2d(16, 32, 1, bias=False)

    settle(plus)

    assert type(plus.model[1]).__name__ == "ShortcutBlock"
    assert type(plus.model[1].sub[0].RDB2).__name__ == "ResidualDenseBlock_5C"
