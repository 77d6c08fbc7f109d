"""A PNG writer that needs a strip at a time, and works on several at once.

Knows bytes and rows only; Pillow writes whole pictures. Formats: W3C, Portable Network Graphics
(PNG) Specification (Third Edition); RFC 1950 and RFC 1951 for the compressed data.

Rows collect in strips of about a quarter of a megabyte. A strip is filtered and deflated on its
own by one of a few threads (numpy and isa-l let the others run), ends on a whole byte, and goes to
the sink in its turn. Which rows make a strip follows from the width alone, so the same picture
gives the same bytes whatever the bands that it arrived in, and however many threads there are.
"""

import os
import struct
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from inference.geometry import Size
from inference.png import SIGNATURE
from inference.samples import Pixels
from inference.streams import Sink

Bytes = NDArray[np.uint8]

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_STRIP_BYTES = 1 << 18
_MOST_THREADS = 4
_SUB, _UP, _AVERAGE = 1, 2, 3
# So many rows share a filter; one of them is looked at to choose it.
_GROUP = 8
# A method of deflate with a window of 32 KiB, and no claim about the effort (RFC 1950, 2.2).
_ZLIB_HEADER = b"\x78\x01"
_ADLER_BASE = 65521  # the largest prime below 65536


class PngWriter:
    """Writes a PNG of 8 or 16 bits to a stream while the rows are still being made.

    `extra` chunks (colour profile, resolution, EXIF) go before the pixels, in the order given.
    Compression is deflate as isa-l's level 1. Holds as many strips as it has threads and one more,
    whatever the picture's height. To be closed in every case; a `with` statement does.
    """

    def __init__(
        self,
        sink: Sink,
        size: Size,
        channels: int,
        extra: tuple[tuple[bytes, bytes], ...] = (),
        bits: int = 8,
    ) -> None:
        """`channels`: grey, grey and alpha, RGB, or RGBA. `bits` of a sample: 8 or 16."""
        self._sink = sink
        self._size = size
        self._channels = channels
        self._sample = np.dtype(f">u{bits // 8}")
        self._reach = channels * bits // 8
        self._row_bytes = size.width * self._reach
        self._rows = 0
        groups = max(1, _STRIP_BYTES // (_GROUP * self._row_bytes))
        self._strip_rows = min(groups * _GROUP, size.height)
        self._strip = self._blank_strip()
        self._filled = 0
        self._threads = min(_MOST_THREADS, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(self._threads, "png")
        self._pending: deque[Future[_Deflated]] = deque()
        self._ahead = _ZLIB_HEADER
        self._adler = 1
        sink.write(SIGNATURE)
        header = struct.pack(">IIBBBBB", *size, bits, _COLOUR_TYPES[channels], 0, 0, 0)
        self._chunk(b"IHDR", header)
        for kind, data in extra:
            self._chunk(kind, data)

    def __enter__(self) -> "PngWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, rows: Pixels) -> None:
        """Append rows of shape (any number, width, channels), uint8 or uint16 as `bits` says.

        They are copied. Raises what the sink raises, and what went wrong with an earlier strip.
        """
        assert rows.dtype.itemsize == self._sample.itemsize, f"rows of {rows.dtype}"
        assert rows.shape[1:] == (self._size.width, self._channels), f"rows of {rows.shape}"
        assert self._rows + len(rows) <= self._size.height, "more rows than the picture has"
        while len(rows):
            taken = rows[: self._strip_rows - self._filled]
            into = self._strip[1 + self._filled :][: len(taken), self._reach :]
            into.view(self._sample)[...] = taken.reshape(len(taken), -1)
            rows = rows[len(taken) :]
            self._filled += len(taken)
            self._rows += len(taken)
            if self._filled == self._strip_rows or self._rows == self._size.height:
                self._hand_over()

    def finish(self) -> None:
        """Write what is left. The picture is complete only after this."""
        assert self._rows == self._size.height, "rows are missing"
        while self._pending:
            self._put_out(self._pending.popleft().result())
        self._chunk(b"IEND", b"")
        self.close()

    def close(self) -> None:
        """End all threads; strips that have not been written are dropped. May be called twice."""
        self._pending.clear()
        self._pool.shutdown(cancel_futures=True)

    def _blank_strip(self) -> Bytes:
        """A row for the one above, then the strip's own; a pixel of zeros left of each.

        That is how the filters see the world outside the picture (section 9.2).
        """
        strip = np.empty((1 + self._strip_rows, self._reach + self._row_bytes), np.uint8)
        strip[0] = 0
        strip[:, : self._reach] = 0
        return strip

    def _hand_over(self) -> None:
        full, self._strip = self._strip[: 1 + self._filled], self._blank_strip()
        self._strip[0] = full[-1]
        self._filled = 0
        is_last = self._rows == self._size.height
        self._pending.append(self._pool.submit(_deflated, full, self._reach, is_last))
        if len(self._pending) > self._threads:
            self._put_out(self._pending.popleft().result())

    def _put_out(self, strip: "_Deflated") -> None:
        self._adler = _adler_of_both(self._adler, strip.adler, strip.length)
        tail = struct.pack(">I", self._adler) if strip.is_last else b""
        self._chunk(b"IDAT", self._ahead + strip.data + tail)
        self._ahead = b""

    def _chunk(self, kind: bytes, data: bytes) -> None:
        checksum = isal_zlib.crc32(data, isal_zlib.crc32(kind))
        length = struct.pack(">I", len(data))
        self._sink.write(b"".join((length, kind, data, struct.pack(">I", checksum))))


@dataclass(frozen=True)
class _Deflated:
    """A strip as it goes into the file."""

    data: bytes
    adler: int
    """Adler-32 of the strip before it was deflated."""
    length: int
    """Bytes before it was deflated."""
    is_last: bool


def _deflated(strip: Bytes, reach: int, is_last: bool) -> _Deflated:
    rows = _filtered(strip, reach)
    deflate = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)
    data = deflate.compress(rows)
    # A sync flush ends the block on a whole byte without ending the stream, so the next strip's
    # blocks can follow, which look back at nothing (RFC 1951, 3.2.4).
    data += deflate.flush(isal_zlib.Z_FINISH if is_last else isal_zlib.Z_SYNC_FLUSH)
    return _Deflated(data, isal_zlib.adler32(rows), rows.size, is_last)


def _adler_of_both(first: int, second: int, second_length: int) -> int:
    """Adler-32 of two pieces laid end to end, from theirs and the second one's length.

    With the sums a and b of RFC 1950, section 8.2: the second piece began to count at 1 where it
    should have begun at the first one's a, and each of its bytes carried that into b. The same
    arithmetic as zlib's `adler32_combine`.
    """
    (b1, a1), (b2, a2) = divmod(first, 1 << 16), divmod(second, 1 << 16)
    a = (a1 + a2 - 1) % _ADLER_BASE
    b = (b1 + b2 + second_length * (a1 - 1)) % _ADLER_BASE
    return b << 16 | a


def _filtered(strip: Bytes, reach: int) -> Bytes:
    """The strip's rows through their filters, each with its filter's number in front.

    The filters are Sub, Up and Average. Average is the best of them on most photos and on nearly
    all enlarged ones, and Paeth, which compares three values for every byte, costs four times the
    rest of the work for nothing: on pictures from networks it compresses less well than Average.
    """
    rows = len(strip) - 1
    out = np.empty((rows, 1 + strip.shape[1] - reach), np.uint8)
    kinds = _best_filters(strip, reach)
    changes = np.flatnonzero(np.diff(kinds)) + 1
    for first, last in zip((0, *changes), (*changes, len(kinds)), strict=True):
        top, bottom = first * _GROUP, min(rows, last * _GROUP)
        out[top:bottom, 0] = kinds[first]
        _residuals(kinds[first], strip[top : bottom + 1], reach, out[top:bottom, 1:])
    return out


def _best_filters(strip: Bytes, reach: int) -> NDArray[np.intp]:
    """A filter for every group of rows: the one that leaves least of the group's middle row.

    Least is the smallest sum of absolute differences, the specification's own heuristic (section
    12.7). Looking at all rows takes as long as compressing them, and saves half a percent.
    """
    rows = len(strip) - 1
    middle = np.minimum(np.arange(0, rows, _GROUP) + _GROUP // 2, rows - 1)
    pairs = strip[np.stack([middle, middle + 1], axis=1)]
    sums = []
    for kind in (_SUB, _UP, _AVERAGE):
        left_over = np.empty((len(pairs), strip.shape[1] - reach), np.uint8)
        _residual(kind, pairs[:, 1, reach:], pairs[:, 1, :-reach], pairs[:, 0, reach:], left_over)
        sums.append(np.minimum(left_over, -left_over).sum(axis=1, dtype=np.uint64))
    best: NDArray[np.intp] = np.argmin(sums, axis=0)
    return 1 + best


def _residuals(kind: int, strip: Bytes, reach: int, out: Bytes) -> None:
    _residual(kind, strip[1:, reach:], strip[1:, :-reach], strip[:-1, reach:], out)


def _residual(kind: int, rows: Bytes, left: Bytes, above: Bytes, out: Bytes) -> None:
    """What a filter leaves, modulo 256 (section 9.2)."""
    if kind == _SUB:
        np.subtract(rows, left, out=out)
    elif kind == _UP:
        np.subtract(rows, above, out=out)
    else:
        # The mean rounded down, without a ninth bit.
        mean = left ^ above
        mean >>= 1
        mean += left & above
        np.subtract(rows, mean, out=out)
