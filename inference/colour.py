"""Colour profiles and colour models, outside the network's view.

The network works on the picture's own RGB numbers, whatever RGB profile they have: photos in
Display P3 or Adobe RGB have tone curves like sRGB's, and a detour through sRGB would clip the
colours that sRGB cannot hold. The profile is passed on instead, so colours stay what they were.
"""

import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from inference.samples import Pixels

Space = Literal["RGB ", "GRAY", "CMYK"]


def profile_space(icc: bytes | None) -> str | None:
    """The colour model that an ICC profile describes (`"RGB "`, `"GRAY"`, `"CMYK"`, …).

    `None` for no profile or one that cannot be read. ICC.1:2022, section 7.2.
    """
    if icc is None:
        return None
    try:
        ImageCms.ImageCmsProfile(io.BytesIO(icc))
    except (OSError, ImageCms.PyCMSError):
        return None
    return icc[16:20].decode("latin-1")


def srgb_profile() -> bytes:
    """An sRGB profile as bytes."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """Convert from the given profile to sRGB: L stays L, RGB and CMYK become RGB.

    Alpha is kept. Raises `ImageCms.PyCMSError` when the profile does not fit the picture.
    """
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colour = image.convert(image.mode.removesuffix("A")) if alpha else image
    converted = _convert(colour, icc, srgb_profile(), "RGB")
    if image.mode in ("L", "LA"):
        converted = converted.convert("L")
    if alpha:
        converted.putalpha(alpha)
    return converted


def to_cmyk(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Convert sRGB to CMYK, by the given profile or, without one, by full black replacement.

    The latter inverts exactly what Pillow does to show a CMYK picture that has no profile, with as
    much of every colour as possible printed in black.
    """
    if icc is not None:
        return _convert(image, srgb_profile(), icc, "CMYK")
    rgb = np.asarray(image).astype(np.float32)
    white = rgb.max(axis=2, keepdims=True)
    inks = np.where(white > 0, 255 - 255 * rgb / np.maximum(white, 1), 0)
    cmyk = np.concatenate([inks, 255 - white], axis=2)
    return Image.frombytes("CMYK", image.size, np.rint(cmyk).astype(np.uint8).tobytes())


def _convert(image: Image.Image, source: bytes, target: bytes, mode: str) -> Image.Image:
    # Relative colorimetric with black point compensation is what photo editors convert with.
    converted = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(source)),
        ImageCms.ImageCmsProfile(io.BytesIO(target)),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode=mode,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None
    # Pillow notes the target profile on the result, and would write it into files unasked.
    converted.info.pop("icc_profile", None)
    return converted


_STRIP = 64  # rows that become floats at a time; even, so that no pair is torn apart


def bleed(pixels: Pixels) -> Pixels:
    """Give fully transparent pixels the colours of what is visible around them.

    `pixels` has shape (height, width, 2 or 4), alpha last; a new array of the same shape is
    returned, alpha and all visible pixels unchanged. Without this the network mixes whatever lies
    beneath the transparency, usually black, into every edge. Colours spread from coarse to fine
    through a pyramid ("pull-push": Gortler et al., The Lumigraph, 1996).
    """
    out = pixels.copy()
    if not pixels[..., -1].any():
        out[..., :-1] = 0
        return out
    if pixels[..., -1].all():
        return out
    # The finest level, which has most of the pixels, is never held in floats.
    sums = [_halved_visible(pixels[top : top + _STRIP]) for top in range(0, len(pixels), _STRIP)]
    colours, weights = (np.concatenate(part) for part in zip(*sums, strict=True))
    around = np.rint(_pull_push(colours, weights))
    for top in range(0, len(pixels), _STRIP):
        strip = out[top : top + _STRIP]
        near = _doubled(around[top // 2 : (top + _STRIP) // 2], strip.shape[:2])
        np.copyto(strip[..., :-1], near, where=strip[..., -1:] == 0, casting="unsafe")
    return out


def _halved_visible(rows: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The sums of two by two visible pixels, and how many they are."""
    visible = (rows[..., -1:] > 0).astype(np.float32)
    return _halve(rows[..., :-1] * visible), _halve(visible)


def _pull_push(colours: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill where `weights` is 0; `colours` are already multiplied by them.

    Some weight must be positive: then the last level, a single pixel, has weight.
    """
    filled: NDArray[np.float32] = np.divide(colours, np.maximum(weights, 1e-6), dtype=np.float32)
    if weights.all():
        return filled
    coarse = _pull_push(_halve(colours), _halve(weights))
    return np.where(weights > 0, filled, _doubled(coarse, weights.shape[:2]))


def _doubled(array: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    height, width = shape
    return array.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]


def _halve(array: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = array.shape[:2]
    even = np.pad(array, ((0, height % 2), (0, width % 2), (0, 0)))
    blocks = even.reshape(-(-height // 2), 2, -(-width // 2), 2, -1)
    sums: NDArray[np.float32] = blocks.sum((1, 3))
    return sums
