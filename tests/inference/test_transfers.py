"""What goes to a device and comes back is the same, however it travels."""

import numpy as np
import pytest
import torch

from inference.transfers import Download, upload

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
        ],
    ),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_numbers_come_back_as_they_went(device: str, dtype: type) -> None:
    numbers = np.arange(2 * 3 * 40 * 50).reshape(2, 3, 40, 50).astype(dtype)

    there = upload(numbers, torch.device(device))
    total = there.sum(dtype=torch.float32)
    same, summed = Download(there, total).wait()

    assert there.device.type == device
    assert same.dtype == dtype
    assert np.array_equal(same, numbers)
    assert summed == np.float32(numbers.sum(dtype=np.float64))


@pytest.mark.parametrize("device", DEVICES)
def test_a_tensor_s_order_in_memory_makes_no_difference(device: str) -> None:
    numbers = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)

    [turned] = Download(upload(numbers, torch.device(device)).permute(0, 2, 3, 1)).wait()

    assert np.array_equal(turned, numbers.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("device", DEVICES)
def test_work_that_goes_on_does_not_touch_what_is_on_its_way(device: str) -> None:
    there = torch.zeros(1 << 20, device=device)
    arriving = [Download(there + step) for step in range(20)]

    for step, one in enumerate(arriving):
        [numbers] = one.wait()
        assert (numbers == step).all()
