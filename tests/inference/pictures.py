"""Makes picture files and colour profiles bit by bit, so that nothing under test makes them."""

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Samples = NDArray[np.integer]
Pixels = NDArray[np.uint8]

PHOTO = Path(__file__).parent.parent / "data" / "photos" / "rocket.jpg"

# x, y of the first pixel, and steps, of the seven passes: PNG specification, section 8.2.
ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def photo(width: int, height: int) -> Image.Image:
    """The middle of the rocket photo, where there is most to see, as RGB."""
    with Image.open(PHOTO) as image:
        x, y = (image.width - width) // 2, (image.height - height) // 2
        return image.crop((x, y, x + width, y + height))


def noise(height: int, width: int, channels: int, seed: int = 1) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def saved(image: Image.Image, file_format: str, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **how)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    """What Pillow makes of a file, decoded completely."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def decoded(data: bytes) -> NDArray[np.uint8]:
    """Pixels of a file as Pillow sees them, always (height, width, channels)."""
    pixels = np.asarray(opened(data))
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


# PNG


def chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def scanlines(samples: Samples, depth: int, interlaced: bool = False) -> bytes:
    """Unfiltered rows of samples of shape (height, width, samples per pixel)."""
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    parts = [samples[y::dy, x::dx] for x, y, dx, dy in passes]
    rows = [row for part in parts if part.size for row in part.reshape(len(part), -1)]
    return b"".join(b"\0" + _packed(row, depth) for row in rows)


def _packed(row: Samples, depth: int) -> bytes:
    if depth == 16:
        return row.astype(">u2").tobytes()
    bits = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, -depth:]
    return np.packbits(bits).tobytes()


def png_file(
    size: tuple[int, int],
    depth: int,
    colour_type: int,
    rows: bytes,
    *,
    interlaced: bool = False,
    before: bytes = b"",
    after: bytes = b"",
    idat: Sequence[bytes] | None = None,
) -> bytes:
    """`before` and `after` are whole chunks; `idat` replaces the compressed `rows`."""
    header = struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, interlaced)
    pixels = b"".join(chunk(b"IDAT", part) for part in (idat or [zlib.compress(rows)]))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + before + pixels + after + chunk(b"IEND", b"")


def one_colour_png(side: int) -> bytes:
    """A black RGB square of any size, without ever holding it."""
    deflate = zlib.compressobj(1)
    row = bytes(1 + 3 * side)
    parts = [deflate.compress(row) for _ in range(side)]
    return png_file((side, side), 8, 2, b"", idat=[b"".join([*parts, deflate.flush()])])


# EXIF and XMP

CANARY = b"CANARY-0b1c"
THUMBNAIL = b"\xff\xd8THUMBNAIL-0b1c\xff\xd9"


def exif_block(orientation: int, resolution: int | None = None) -> bytes:
    """Big-endian EXIF: orientation, an artist, a position on earth, and a thumbnail."""
    artist = CANARY + b"-exif\0"
    latitude = struct.pack(">6I", 52, 1, 31, 1, 12, 1)
    first = [(0x0112, 3, 1, struct.pack(">HH", orientation, 0)), (0x013B, 2, len(artist), artist)]
    if resolution is not None:
        rational = struct.pack(">II", resolution, 1)
        first += [(0x011A, 5, 1, rational), (0x011B, 5, 1, rational)]
        first += [(0x0128, 3, 1, struct.pack(">HH", 2, 0))]
    position = [(1, 2, 2, b"N\0\0\0"), (2, 5, 3, latitude)]
    gps_at = 8 + _length([*first, (0x8825, 4, 1, b"\0\0\0\0")])
    first.append((0x8825, 4, 1, struct.pack(">I", gps_at)))
    thumb_ifd = gps_at + _length(position)
    thumb = [(0x0201, 4, 1, b"\0\0\0\0"), (0x0202, 4, 1, struct.pack(">I", len(THUMBNAIL)))]
    thumb[0] = (0x0201, 4, 1, struct.pack(">I", thumb_ifd + _length(thumb)))
    return (
        b"Exif\0\0MM\0*\0\0\0\x08"
        + _directory(first, 8, thumb_ifd)
        + _directory(position, gps_at, 0)
        + _directory(thumb, thumb_ifd, 0)
        + THUMBNAIL
    )


_Entry = tuple[int, int, int, bytes]


def _length(entries: list[_Entry]) -> int:
    return 6 + sum(12 + (len(data) if len(data) > 4 else 0) for *_, data in entries)


def _directory(entries: list[_Entry], at: int, following: int) -> bytes:
    head, tail = struct.pack(">H", len(entries)), b""
    free = at + 6 + 12 * len(entries)
    for tag, kind, count, data in sorted(entries):
        value = data
        if len(data) > 4:
            value = struct.pack(">I", free + len(tail))
            tail += data
        head += struct.pack(">HHI", tag, kind, count) + value
    return head + struct.pack(">I", following) + tail


def xmp_block(orientation: int = 1, padding: int = 0) -> bytes:
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="%d">%s-xmp%s'
        b"</rdf:Description></x:xmpmeta>" % (orientation, CANARY, b" " * padding)
    )


# Colour profiles: ICC.1:2001-04, version 2


def _number(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_number, values))


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + b"\0\0"


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = b"A profile made for a test\0"
    described = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    tags = {b"desc": described, b"cprt": b"text\0\0\0\0none\0", b"wtpt": _xyz(*D50), **tags}
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I", start + len(body)) + b"\0\0\0\0" + b"\x02\x40\0\0"
    head += kind + space + connection + struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp"
    head = head.ljust(68, b"\0") + b"".join(map(_number, D50))
    return head.ljust(128, b"\0") + table + body


GAMMA = 563 / 256
D50 = (0.9642, 1.0, 0.8249)
D65_XY = (0.3127, 0.3290)
SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
P3_PRIMARIES = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))


def to_d50(primaries: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Linear RGB with a D65 white to XYZ adapted to D50 (Bradford)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    x, y = D65_XY
    white = np.array([x / y, 1, (1 - x - y) / y])
    to_xyz = columns * np.linalg.solve(columns, white)
    cone = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    adapt = np.linalg.inv(cone) @ np.diag((cone @ D50) / (cone @ white)) @ cone
    return adapt @ to_xyz


def rgb_profile(primaries: Sequence[tuple[float, float]] = P3_PRIMARIES) -> bytes:
    """Display P3's colours, or others, with a plain power for a tone curve."""
    matrix = to_d50(primaries)
    tags = {b"%cXYZ" % name: _xyz(*matrix[:, i]) for i, name in enumerate(b"rgb")}
    tags |= {b"%cTRC" % name: _gamma(GAMMA) for name in b"rgb"}
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float = 1.0) -> bytes:
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _gamma(gamma)})


def cmyk_profile(printable: bool = True) -> bytes:
    """A press like no other: C darkens, M and Y are the two colour axes of Lab, K is black.

    So every conversion can be done by hand: L = 255 - C, a = M, b = Y in bytes where K is 0.
    Its paper is yellowish, which is no reason for a white picture to be so.
    `printable`: whether it can also be converted to, and not only from.
    """
    corners = np.stack(np.meshgrid(*[(0, 255)] * 4, indexing="ij"), -1).reshape(-1, 4)
    lab = np.where(
        corners[:, 3:] == 0,
        np.stack([255 - corners[:, 0], corners[:, 1], corners[:, 2]], axis=1),
        (0, 128, 128),
    )
    tags = {b"wtpt": _xyz(0.93, 0.96, 0.60), b"A2B0": _table(4, lab)}
    if printable:
        corners = np.stack(np.meshgrid(*[(0, 255)] * 3, indexing="ij"), -1).reshape(-1, 3)
        inks = np.stack([255 - corners[:, 0], corners[:, 1], corners[:, 2], 0 * corners[:, 0]], 1)
        tags[b"B2A0"] = _table(3, inks)
    return _profile(b"prtr", b"CMYK", b"Lab ", tags)


def _table(inputs: int, nodes: NDArray[np.integer]) -> bytes:
    straight = bytes(range(256))
    outputs = nodes.shape[1]
    identity = b"".join(map(_number, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    head = b"mft1\0\0\0\0" + bytes((inputs, outputs, 2, 0)) + identity
    return head + straight * inputs + nodes.astype(np.uint8).tobytes() + straight * outputs


def srgb_from_xyz(xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """XYZ relative to D50, last axis, to sRGB from 0 to 255."""
    linear = np.clip(xyz @ np.linalg.inv(to_d50(SRGB_PRIMARIES)).T, 0, 1)
    return 255 * srgb_curve(linear)


def srgb_curve(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def srgb_from_p3(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What `rgb_profile()` says these numbers look like, in sRGB from 0 to 255."""
    return srgb_from_xyz((pixels / 255) ** GAMMA @ to_d50(P3_PRIMARIES).T)


def srgb_from_lab_bytes(lab: NDArray[np.integer]) -> NDArray[np.float64]:
    """Lab as `cmyk_profile` stores it to sRGB from 0 to 255."""
    light, a, b = np.moveaxis(np.asarray(lab, np.float64), -1, 0)
    y = (light / 2.55 + 16) / 116
    steps = np.stack([y + (a - 128) / 500, y, y - (b - 128) / 200], -1)
    cubes = np.where(steps > 6 / 29, steps**3, 3 * (6 / 29) ** 2 * (steps - 4 / 29))
    return srgb_from_xyz(cubes * np.array(D50))
