"""Networks with random weights, built from spandrel's own classes."""

import torch
from spandrel.architectures.Compact import Compact
from spandrel.architectures.ESRGAN import ESRGAN
from spandrel.architectures.SPAN import SPAN
from spandrel.architectures.SwinIR import SwinIR
from torch import Tensor, nn

from inference.loader import describe
from inference.network import Network


def random_weights(network: nn.Module, seed: int = 7) -> dict[str, Tensor]:
    """Weights that keep a signal alive through the layers, so that a wrong pixel shows."""
    gain = 0.6 if isinstance(network, SPAN) else 1.2
    generator = torch.Generator().manual_seed(seed)
    state = network.state_dict()
    for name, value in state.items():
        if value.is_floating_point() and value.dim() >= 2:
            fan_in = value[0].numel()
            state[name] = torch.randn(value.shape, generator=generator) * (gain / fan_in**0.5)
    # Residuals around mid grey, so that little is lost to clipping.
    last = [name for name in state if name.endswith("bias") and state[name].numel() % 3 != 1][-1]
    state[last] = state[last] * 0 + 0.5
    return state


def esrgan(
    blocks: int = 1, scale: int = 4, shuffle: int | None = None, channels: int = 3
) -> nn.Module:
    """A small RRDBNet; `shuffle` folds that many pixels a side into channels, as x2plus does."""
    return ESRGAN(
        in_nc=channels * (shuffle or 1) ** 2,
        out_nc=channels,
        num_filters=16,
        num_blocks=blocks,
        scale=scale,
        shuffle_factor=shuffle,
    )


def compact(convolutions: int = 3, scale: int = 4, channels: int = 3) -> nn.Module:
    return Compact(
        num_in_ch=channels, num_out_ch=channels, num_feat=12, num_conv=convolutions, upscale=scale
    )


def span(scale: int = 4) -> nn.Module:
    return SPAN(num_in_ch=3, num_out_ch=3, feature_channels=16, upscale=scale)


def swinir(scale: int = 2) -> nn.Module:
    return SwinIR(
        upscale=scale,
        window_size=8,
        depths=[2],
        num_heads=[2],
        embed_dim=12,
        mlp_ratio=2,
        upsampler="pixelshuffledirect",
        img_size=64,
    )


def ready(network: nn.Module, dtype: torch.dtype = torch.float32) -> Network:
    """The network as the engine runs it."""
    return Network(describe(random_weights(network)), torch.device("cpu"), dtype)
