"""Whether a picture carries content credentials (C2PA), which no result can inherit.

A manifest is signed over the bytes of its file; another file with it would look tampered with.
Knows where each format keeps one, and nothing of what is in it. C2PA Technical Specification 2.1,
appendix A.3.
"""

import struct
from typing import BinaryIO

from inference import png
from inference.options import Format

NOT_CARRIED_OVER = (
    "The picture's content credentials (C2PA) are not carried over: they vouch for the original "
    "file only."
)

_JPEG_APP11, _JPEG_START_OF_SCAN, _JPEG_END = 0xEB, 0xDA, 0xD9


def has_manifest(source: BinaryIO, file_format: Format) -> bool:
    """Reads `source` from its start, skipping pixels."""
    if file_format == "png":
        return png.has_chunk(source, b"caBX")
    return _in_jpeg(source) if file_format == "jpg" else _in_webp(source)


def _in_jpeg(source: BinaryIO) -> bool:
    """Looks for a JUMBF box labelled c2pa in the segments before the pixels."""
    source.seek(2)
    while len(head := source.read(4)) == 4 and head[0] == 0xFF:
        _, marker, length = struct.unpack(">BBH", head)
        if marker in (_JPEG_START_OF_SCAN, _JPEG_END):
            return False
        if marker == _JPEG_APP11:
            data = source.read(max(0, length - 2))
            if data[:2] == b"JP" and b"jumb" in data[:32] and b"c2pa" in data[:96]:
                return True
        else:
            source.seek(max(0, length - 2), 1)
    return False


def _in_webp(source: BinaryIO) -> bool:
    source.seek(12)
    while len(head := source.read(8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        if kind == b"C2PA":
            return True
        source.seek(length + length % 2, 1)
    return False
