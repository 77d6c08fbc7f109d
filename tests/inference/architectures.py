"""One small network of every architecture that spandrel knows for super-resolution.

Built from spandrel's own classes with the random weights that these begin with. `esrgan` and its
relatives, whose weights go by several names, are in `NAMINGS`.
"""

import re
import warnings
from collections.abc import Callable

import torch
from spandrel.architectures.ATD import ATD
from spandrel.architectures.AuraSR import AuraSR
from spandrel.architectures.Compact import Compact
from spandrel.architectures.CRAFT import CRAFT
from spandrel.architectures.DAT import DAT
from spandrel.architectures.DCTLSA import DCTLSA
from spandrel.architectures.DITN import DITN
from spandrel.architectures.DRCT import DRCT
from spandrel.architectures.ESRGAN import ESRGAN
from spandrel.architectures.FDAT import FDAT
from spandrel.architectures.GRL import GRL
from spandrel.architectures.HAT import HAT
from spandrel.architectures.IPT import IPT
from spandrel.architectures.MMRealSR import MMRealSR
from spandrel.architectures.MoESR import MoESR
from spandrel.architectures.MoSR import MoSR
from spandrel.architectures.OmniSR import OmniSR
from spandrel.architectures.PLKSR import PLKSR, RealPLKSR
from spandrel.architectures.RCAN import RCAN
from spandrel.architectures.RealCUGAN import UpCunet2x, UpCunet2x_fast, UpCunet3x, UpCunet4x
from spandrel.architectures.RGT import RGT
from spandrel.architectures.SAFMN import SAFMN
from spandrel.architectures.SeemoRe import SeemoRe
from spandrel.architectures.SPAN import SPAN
from spandrel.architectures.SwiftSRGAN import SwiftSRGAN
from spandrel.architectures.Swin2SR import Swin2SR
from spandrel.architectures.SwinIR import SwinIR
from torch import Tensor, nn

from tests.inference.networks import compact, esrgan, random_weights, span, swinir

State = dict[str, Tensor]

_ATTENTION = {"embed_dim": 12, "num_heads": [2], "upscale": 2}
_SWIN = {**_ATTENTION, "depths": [2], "window_size": 8, "img_size": 32}
_WIDER = {**_ATTENTION, "embed_dim": 32}
_DIRECT = {"upsampler": "pixelshuffledirect"}


def _mmrealsr() -> nn.Module:
    trunk = {"num_feat": 16, "num_block": 1, "num_grow_ch": 8}
    return MMRealSR(num_in_ch=3, num_out_ch=3, scale=4, num_feats=[8, 8, 8, 8], **trunk)


def _grl() -> nn.Module:
    heads = {"num_heads_window": [2], "num_heads_stripe": [2]}
    windows = {"window_size": 8, "stripe_size": [8, 8], "img_size": 32}
    return GRL(embed_dim=16, upscale=2, depths=[2], mlp_ratio=2, **heads, **windows, **_DIRECT)


def _aurasr() -> nn.Module:
    return AuraSR(
        dim=8,
        image_size=None,
        input_image_size=None,
        style_network={"dim_in": 8, "dim_out": 32, "depth": 1},
        up_dim_mults=(1, 1, 1, 2, 2),
        down_dim_mults=(1, 2, 2),
        attn_depths=(2, 2, 2, 1, 1),
        mid_attn_depth=1,
        self_attn_dim_head=4,
        skip_connect_scale=0.4,
    )


ARCHITECTURES: dict[str, Callable[[], nn.Module]] = {
    "ATD": lambda: ATD(category_size=16, num_tokens=8, reducted_dim=4, **_SWIN, **_DIRECT),
    "AuraSR": _aurasr,
    "CRAFT": lambda: CRAFT(depths=[2], **_WIDER),
    "Compact": compact,
    "DAT": lambda: DAT(depth=[2], split_size=[4, 8], img_size=16, **_WIDER, **_DIRECT),
    "DCTLSA": lambda: DCTLSA(nf=10, num_modules=6, upscale=2, num_head=2),
    "DITN": lambda: DITN(dim=60, ITL_blocks=1, SAL_blocks=1, UFONE_blocks=1, upscale=2),
    "DRCT": lambda: DRCT(gc=8, upsampler="pixelshuffle", **{**_SWIN, "depths": [6]}),
    "ESRGAN": esrgan,
    "ESRGAN, 2x, folded": lambda: esrgan(scale=4, shuffle=2),
    "ESRGAN, 1x, folded": lambda: esrgan(scale=4, shuffle=4),
    "ESRGAN+": lambda: ESRGAN(num_filters=16, num_blocks=1, scale=2, plus=True),
    "FDAT": lambda: FDAT(
        scale=2, embed_dim=16, num_groups=1, depth_per_group=2, num_heads=2, mid_dim=16
    ),
    "GRL": _grl,
    "HAT": lambda: HAT(squeeze_factor=6, num_feat=64, **_SWIN),
    "IPT": lambda: IPT(patch_size=24, n_feats=8, scale=[2], num_heads=2, num_layers=1),
    "MMRealSR": _mmrealsr,
    "MoESR": lambda: MoESR(scale=2, dim=16, n_blocks=2, n_block=1),
    "MoSR": lambda: MoSR(upscale=2, n_block=2, dim=16),
    "OmniSR": lambda: OmniSR(num_feat=16, block_num=1, res_num=1, up_scale=2),
    "PLKSR": lambda: PLKSR(dim=16, n_blocks=2, upscaling_factor=2),
    "RealPLKSR": lambda: RealPLKSR(dim=16, n_blocks=2, upscaling_factor=2),
    "RealPLKSR, dysample": lambda: RealPLKSR(dim=16, n_blocks=2, upscaling_factor=2, dysample=True),
    "RCAN": lambda: RCAN(scale=2, n_resgroups=1, n_resblocks=2, n_feats=16, reduction=4),
    "RealCUGAN 2x": UpCunet2x,
    "RealCUGAN 2x, pro": lambda: UpCunet2x(pro=True),
    "RealCUGAN 2x, fast": UpCunet2x_fast,
    "RealCUGAN 3x": UpCunet3x,
    "RealCUGAN 4x": UpCunet4x,
    "RGT": lambda: RGT(depth=[2], split_size=[8, 8], img_size=32, **_WIDER),
    "SAFMN": lambda: SAFMN(dim=16, n_blocks=2, upscaling_factor=2),
    "SeemoRe": lambda: SeemoRe(scale=2, num_experts=3, num_layers=2, embedding_dim=16),
    "SPAN": span,
    "SwiftSRGAN": lambda: SwiftSRGAN(num_channels=16, num_blocks=2, upscale_factor=2),
    "Swin2SR": lambda: Swin2SR(mlp_ratio=2, **_SWIN, **_DIRECT),
    "SwinIR": swinir,
}


# Where the weights that a class begins with let hardly a signal through.
_GAINS = {"FDAT": 2.5, "MMRealSR": 2, "SwiftSRGAN": 2}


def weights_of(name: str) -> State:
    """The weights of one of `ARCHITECTURES`, the same every time."""
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about how spandrel's classes call torch
        torch.manual_seed(0)
        network = ARCHITECTURES[name]()
    if isinstance(network, Compact | ESRGAN | SPAN | SwinIR):
        return random_weights(network)
    state = network.state_dict()
    for key, _ in network.named_parameters():
        if state[key].dim() >= 2:
            state[key] *= _GAINS.get(name, 1)
    return state


def as_esrgan(state: State) -> State:
    """The first release's names, which spandrel's class uses as well."""
    return state


def as_real_esrgan(state: State) -> State:
    """`conv_first`, `body.0.rdb1.conv1`, … of Real-ESRGAN and later BasicSR."""
    ends = ("conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last")
    return _renamed(state, r"body.\1.rdb\2.conv\3", "conv_first", ends)


def as_bsrgan(state: State) -> State:
    """`RRDB_trunk.0.RDB1.conv1`, … of BSRGAN, RealSR and early BasicSR."""
    ends = ("trunk_conv", "upconv1", "upconv2", "HRconv", "conv_last")
    return _renamed(state, r"RRDB_trunk.\1.RDB\2.conv\3", "conv_first", ends)


NAMINGS = {"ESRGAN": as_esrgan, "Real-ESRGAN": as_real_esrgan, "BSRGAN": as_bsrgan}


def _renamed(state: State, block: str, first: str, ends: tuple[str, ...]) -> State:
    """For 4x networks, whose last convolutions are model.3, .6, .8 and .10."""
    blocks = sum(name.endswith("RDB1.conv1.0.weight") for name in state)
    fixed = {"model.0": first, f"model.1.sub.{blocks}": ends[0]}
    fixed |= dict(zip(("model.3", "model.6", "model.8", "model.10"), ends[1:], strict=True))
    renamed = {}
    for name, value in state.items():
        stem, _, kind = name.rpartition(".")
        new = fixed.get(stem) or re.sub(
            r"^model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0$", block, stem
        )
        assert new != stem, name
        renamed[f"{new}.{kind}"] = value
    return renamed
