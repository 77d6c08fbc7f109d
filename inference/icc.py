"""Colours of 16 bits to sRGB, for profiles that are curves and a matrix.

Pillow's colour management works in 8 bits. Most profiles of pictures (sRGB, Display P3, Adobe RGB,
ProPhoto, grey) say no more than a tone curve per channel and three primaries, which is arithmetic;
those with tables are not for here. Knows profiles and numbers, no files. Format: ICC.1:2022,
sections 8.3.3, 8.4.3, 10.6 and 10.18; lengths and places in a profile are not trusted.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference import colour

_LEVELS = np.linspace(0, 1, 65536)
_STRIP = 64  # rows at a time; floats take many times the memory

# Of a `para` curve, by its type: how many numbers it has.
_PARAMETERS = (1, 3, 4, 5, 7)


@dataclass(frozen=True)
class _Profile:
    curves: tuple[NDArray[np.float32], ...]
    """Linear light of each of the 65536 levels, for one or three channels."""
    matrix: NDArray[np.float64] | None
    """From linear RGB to XYZ relative to D50; `None` for grey."""


def to_srgb(pixels: NDArray[np.uint16], icc: bytes) -> NDArray[np.uint16] | None:
    """Convert from a grey profile (1 or 2 channels) or an RGB one (3 or 4) to sRGB.

    Relative colorimetric; colours that sRGB can't hold are clipped; alpha is kept. `None` when the
    profile is not made of curves and a matrix, or is damaged.
    """
    try:
        profile = _parse(icc, grey=pixels.shape[2] <= 2)
    except (KeyError, ValueError, struct.error, IndexError):
        return None
    out = pixels.copy()
    if profile.matrix is None:
        (curve,) = profile.curves
        out[..., 0] = _encoded(curve)[pixels[..., 0]]
        return out
    srgb = _parse(colour.srgb_profile(), grey=False).matrix
    assert srgb is not None
    matrix = np.linalg.solve(srgb, profile.matrix).T.astype(np.float32)
    for top in range(0, len(pixels), _STRIP):
        strip = pixels[top : top + _STRIP]
        linear = np.stack([curve[strip[..., c]] for c, curve in enumerate(profile.curves)], -1)
        out[top : top + _STRIP, :, :3] = _encoded(linear @ matrix)
    return out


def _encoded(linear: NDArray[np.float32]) -> NDArray[np.uint16]:
    """sRGB's own curve: IEC 61966-2-1."""
    light = linear.clip(0, 1)
    curved = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    encoded: NDArray[np.uint16] = np.rint(65535 * curved).astype(np.uint16)
    return encoded


def _parse(icc: bytes, grey: bool) -> _Profile:
    """Raises one of several errors for anything else than curves and a matrix."""
    if icc[20:24] != b"XYZ ":
        raise ValueError("Lab as the connection space comes with tables")
    (count,) = struct.unpack_from(">I", icc, 128)
    tags = {}
    for index in range(min(count, 100)):
        name, at, length = struct.unpack_from(">4sII", icc, 132 + 12 * index)
        tags[name] = icc[at : at + length]
    if any(name[:3] in (b"A2B", b"D2B") for name in tags):
        raise ValueError("tables, which go before curves")
    if grey:
        return _Profile((_curve(tags[b"kTRC"]),), None)
    columns = [_numbers(tags[name][8:20], 3) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    curves = tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
    return _Profile(curves, np.array(columns).T)


def _numbers(data: bytes, count: int) -> list[float]:
    return [value / 65536 for value in struct.unpack_from(f">{count}i", data)]


def _curve(tag: bytes) -> NDArray[np.float32]:
    curve = _table_or_power(tag) if tag[:4] == b"curv" else _parametric(tag)
    if not np.isfinite(curve).all():
        raise ValueError("a curve that is no curve")
    return curve.clip(0, 1).astype(np.float32)


def _table_or_power(tag: bytes) -> NDArray[np.float64]:
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return _LEVELS
    table = np.frombuffer(tag, ">u2", count, 12)
    if count == 1:
        return np.asarray(_LEVELS ** (table[0] / 256))
    return np.interp(_LEVELS, np.linspace(0, 1, count), table / 65535)


def _parametric(tag: bytes) -> NDArray[np.float64]:
    if tag[:4] != b"para":
        raise ValueError("a kind of curve that is not known")
    (kind,) = struct.unpack_from(">H", tag, 8)
    g, *rest = _numbers(tag[12:], _PARAMETERS[kind])
    if kind == 0:
        return np.asarray(_LEVELS**g)
    a, b, *rest = rest
    # Types 1 and 2 turn where the power starts and are constant below, types 3 and 4 are straight.
    if kind <= 2:
        offset = rest[0] if kind == 2 else 0.0
        slope, turn, straight = 0.0, -b / a if a else np.inf, offset
    else:
        slope, turn = rest[:2]
        offset, straight = rest[2:] if kind == 4 else (0.0, 0.0)
    power = np.maximum(a * _LEVELS + b, 0) ** g + offset
    return np.where(turn <= _LEVELS, power, slope * _LEVELS + straight)
