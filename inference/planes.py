"""Between a picture's channels and the planes of a network.

Which channels each run of a network takes, how they become a tensor, and how a result goes back.
Knows pixels and tensors; nothing of networks, tiles or files.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inference.samples import Pixels, peak
from inference.transfers import upload

Taken = tuple[int | None, ...]
"""The picture's channel for each plane of a network; `None` is an opaque plane."""


def runs(channels: int, planes: int) -> list[Taken]:
    """What each run of a network of 1, 3 or 4 planes takes of a picture of 1 to 4 channels.

    Alpha runs on its own, as a grey picture, unless the network has a plane for it.
    """
    alpha = channels - 1 if channels in (2, 4) else None
    if planes == 1:
        return [(c,) for c in range(channels)]
    rgb = (0, 1, 2) if channels >= 3 else (0, 0, 0)
    if planes == 4:
        return [(*rgb, alpha)]
    return [rgb] if alpha is None else [rgb, (alpha,) * 3]


def tensor(
    window: Pixels,
    taken: Taken,
    device: torch.device,
    dtype: torch.dtype,
    padding: Callable[[int, int], tuple[int, int]],
) -> Tensor:
    """Planes of shape (1, C, H, W) in [0, 1], padded to the sizes that the network accepts.

    `padding(width, height)` gives the columns and rows to add at the right and at the bottom.
    """
    white = peak(window)
    planes = np.stack(
        [np.full_like(window[..., 0], white) if c is None else window[..., c] for c in taken]
    )[None]
    if planes.dtype == np.uint8:
        image = upload(planes, device).to(dtype).div_(255)
    else:
        # Divided before it is shortened: fp16 ends at 65504. And widened here, because only some
        # devices convert from uint16.
        image = upload(planes.astype(np.float32), device).div_(white).to(dtype)
    height, width = window.shape[:2]
    pad_w, pad_h = padding(width, height)
    # The edge's own pixels, mirrored as far as there are any, then repeated.
    mirror_w, mirror_h = min(pad_w, width - 1), min(pad_h, height - 1)
    if mirror_w or mirror_h:
        image = nn.functional.pad(image, (0, mirror_w, 0, mirror_h), "reflect")
    if pad_w > mirror_w or pad_h > mirror_h:
        image = nn.functional.pad(image, (0, pad_w - mirror_w, 0, pad_h - mirror_h), "replicate")
    return image.contiguous(memory_format=torch.channels_last)


def samples(strip: Tensor, taken: Taken, height: int, width: int, white: int) -> Tensor:
    """Round a strip of shape (N, C, h, w) to whole numbers from 0 to `white`, on its own device.

    The result has shape (N, height, width, channels), without what the network's sizes had added
    on the right and at the bottom, and in uint8, or int32 where that does not hold `white`. Its
    channels are those that were `taken`, in the picture's order; repeated ones are averaged.
    """
    values = strip[:, :, :height, :width].float().clamp(0, 1).mul_(white)
    kept = made(taken)
    planes = [
        [index for index, taking in enumerate(taken) if taking == channel]
        for channel in range(kept.start, kept.stop)
    ]
    if any(len(same) > 1 for same in planes):
        means = [values[:, same].mean(dim=1, keepdim=True) for same in planes]
        values = torch.cat(means, dim=1)
    rounded = values[:, : len(planes)].round_()
    return rounded.to(torch.uint8 if white == 255 else torch.int32).permute(0, 2, 3, 1)


def made(taken: Taken) -> slice:
    """The channels of the picture that a run makes. They are always neighbours."""
    channels = [channel for channel in taken if channel is not None]
    return slice(min(channels), max(channels) + 1)


def confine_alpha(result: NDArray[Any], alpha: NDArray[Any], scale: int) -> None:
    """Keep alpha between the least and the most of each pixel's 3x3 neighbourhood, in place.

    `result` and `alpha` have two dimensions and the same dtype.

    Networks leave solid areas one or two steps off, which shows as a veil or as pinholes.
    """
    near = torch.from_numpy(np.pad(alpha, 1, "edge").astype(np.float32))[None]
    most = nn.functional.max_pool2d(near, 3, stride=1)[0]
    least = -nn.functional.max_pool2d(-near, 3, stride=1)[0]
    for bound, limit in ((np.maximum, least), (np.minimum, most)):
        grown = limit.numpy().astype(alpha.dtype).repeat(scale, axis=0).repeat(scale, axis=1)
        bound(result, grown, out=result)
