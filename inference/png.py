"""What Pillow does not tell of a PNG: whether a row is missing, its depth, what lies behind it.

Knows bytes only; Pillow accepts a PNG whose data ends early. Writing is in `png_writer`. Format:
W3C, Portable Network Graphics (PNG) Specification (Third Edition).
"""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"

GREY, RGB, GREY_ALPHA = 0, 2, 4
"""Colour types."""

_PIECE = 65536
_XMP = b"XML:com.adobe.xmp"
_LONGEST_TEXT = 1 << 20  # inflated; as Pillow's `MAX_TEXT_CHUNK`
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
_ADAM7_LAST = (0, 1, 1, 2)


def is_complete(source: BinaryIO) -> bool:
    """Whether a PNG's compressed data is intact and holds every row that its header promises.

    Reads from the start of `source`. Never holds more than 64 KiB of pixels, and stops inflating
    at the promised size.
    """
    try:
        return _is_complete(source)
    except zlib.error:
        return False


def _is_complete(source: BinaryIO) -> bool:
    expected = None
    inflate = zlib.decompressobj()
    produced = 0
    for kind, data, intact in _chunks(source, (b"IHDR", b"IDAT")):
        if not intact:
            return False
        if kind == b"IHDR":
            # Pillow believes the last of several headers; no picture has more than one.
            if expected is not None or len(data) != 13:
                return False
            expected = _expected_bytes(*struct.unpack(">IIBBBBB", data))
        if expected is None:
            return False
        if kind == b"IDAT":
            produced += sum(map(len, _inflated(data, inflate, expected - produced)))
    # A run of equal pixels can still be inside the decompressor when its input is used up.
    while expected is not None and produced < expected:
        more = inflate.decompress(b"", _PIECE)
        if not more:
            return False
        produced += len(more)
    return expected is not None


def _inflated(data: bytes, inflate: "zlib._Decompress", enough: int) -> Iterator[bytes]:
    """Pieces of what is in `data`, until there is enough of it."""
    # In short cuts, because the decompressor copies what it did not come to at every call.
    for start in range(0, len(data), _PIECE):
        cut = data[start : start + _PIECE]
        while cut and enough > 0:
            piece = inflate.decompress(cut, _PIECE)
            enough -= len(piece)
            cut = inflate.unconsumed_tail
            yield piece


def exif(source: BinaryIO) -> bytes | None:
    """The EXIF block of a PNG, which may lie before or behind the pixels."""
    blocks = (data for _, data, intact in _chunks(source, (b"eXIf",)) if intact)
    return next(blocks, None)


def bit_depth(source: BinaryIO) -> int:
    """Bits per sample of a PNG, which Pillow does not tell once it has reduced 16 to 8."""
    source.seek(24)
    return source.read(1)[0]


def colour_type(source: BinaryIO) -> int:
    """What a pixel is made of: `GREY`, `RGB`, `GREY_ALPHA`, and 3 for a palette, 6 for RGBA."""
    source.seek(25)
    return source.read(1)[0]


def transparent_colour(source: BinaryIO) -> tuple[int, ...] | None:
    """The samples of the one colour that is transparent in a grey or RGB picture."""
    for _, data, intact in _chunks(source, (b"tRNS",)):
        if intact and len(data) in (2, 6):
            return struct.unpack(f">{len(data) // 2}H", data)
    return None


def xmp(source: BinaryIO) -> bytes | None:
    """The XMP packet of a PNG, which may lie before or behind the pixels."""
    for _, data, intact in _chunks(source, (b"iTXt",)):
        keyword, _, rest = data.partition(b"\0")
        if not intact or keyword != _XMP or len(rest) < 4:
            continue
        # Compressed or not, by which method; a language, the keyword in that language, the text.
        text = rest[2:].split(b"\0", 2)[-1]
        return _inflated_text(text) if rest[0] else text
    return None


def _inflated_text(data: bytes) -> bytes | None:
    inflate = zlib.decompressobj()
    try:
        text = inflate.decompress(data, _LONGEST_TEXT)
    except zlib.error:
        return None
    return text if inflate.eof else None


def has_chunk(source: BinaryIO, kind: bytes) -> bool:
    return any(True for _ in _chunks(source, (kind,)))


def bare(source: BinaryIO) -> bytes:
    """The same picture as a file of header and pixels only, without palette and metadata."""
    kept = _chunks(source, (b"IHDR", b"IDAT"))
    return b"".join([SIGNATURE, *(_chunk(kind, data) for kind, data, _ in kept), _chunk(b"IEND")])


def _chunk(kind: bytes, data: bytes = b"") -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(data)), kind, data, struct.pack(">I", checksum)])


def _chunks(source: BinaryIO, kinds: tuple[bytes, ...]) -> Iterator[tuple[bytes, bytes, bool]]:
    """Kind, data and whether the checksum agrees, of the chunks of these kinds."""
    source.seek(0)
    if source.read(8) != SIGNATURE:
        return
    while len(head := source.read(8)) == 8 and head[4:] != b"IEND":
        length, kind = struct.unpack(">I4s", head)
        if kind not in kinds:
            source.seek(length + 4, 1)
            continue
        # A length of gigabytes in a small file only reads to the file's end.
        data = source.read(length)
        checksum = struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
        yield kind, data, source.read(4) == checksum


def _expected_bytes(
    width: int, height: int, depth: int, colour: int, _compression: int, _filter: int, adam7: int
) -> int | None:
    if colour not in _SAMPLES:
        return None
    bits = _SAMPLES[colour] * depth

    def of(columns: int, rows: int) -> int:
        return rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0

    if not adam7:
        return of(width, height)
    return sum(
        of(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in (*_ADAM7, _ADAM7_LAST)
    )
