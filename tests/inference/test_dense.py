"""Dense blocks that share their memory, against torch's own."""

import copy

import pytest
import torch
from torch import nn

from inference.dense import DenseBlock, share_room
from inference.loader import describe
from tests.inference.networks import esrgan, random_weights


def image(height: int, width: int) -> torch.Tensor:
    noise = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(5))
    return noise.contiguous(memory_format=torch.channels_last)


def model(blocks: int = 2) -> nn.Module:
    plain = describe(random_weights(esrgan(blocks))).model.eval().requires_grad_(False)
    return plain.to(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_every_number_is_that_of_the_blocks_that_were_replaced(dtype: torch.dtype) -> None:
    plain = model().to(dtype)
    sharing = copy.deepcopy(plain)

    room = share_room(sharing)

    assert sum(isinstance(module, DenseBlock) for module in sharing.modules()) == 2 * 3
    with torch.inference_mode(), room:
        # Larger and smaller in turn, and a batch: what lay there before must not show.
        for picture in (image(9, 14), image(40, 31), image(5, 6), torch.cat([image(7, 8)] * 2)):
            picture = picture.to(dtype).contiguous(memory_format=torch.channels_last)
            assert torch.equal(sharing(picture), plain(picture))


def test_the_room_is_empty_afterwards_also_when_something_goes_wrong() -> None:
    sharing = model()
    room = share_room(sharing)
    sharing.model[-1].register_forward_hook(lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError), torch.inference_mode(), room:
        sharing(image(8, 8))

    assert room._memory is None


def test_blocks_with_a_shortcut_of_their_own_stay() -> None:
    plus = model()
    plus.model[1].sub[0].RDB2.conv1x1 = nn.Conv2d(16, 32, 1, bias=False)

    share_room(plus)

    kinds = [type(getattr(plus.model[1].sub[0], f"RDB{n}")).__name__ for n in (1, 2, 3)]
    assert kinds == ["DenseBlock", "ResidualDenseBlock_5C", "DenseBlock"]
