"""Previews: a picture as a Deep Zoom pyramid of small tiles, in one file.

Written while the picture's rows pass, read tile by tile. Knows rows and streams, and nothing of
upscaling or of who looks; imports no torch. Levels are those of Microsoft's Deep Zoom File Format.

The file is a ZIP without compression: `{level}/{x}_{y}.webp` for every tile, and `info.json` last,
beside the directory that a reader needs in any case, so that both are usually one read. It says
`width`, `height`, `tile_size`, `levels` and `channels`.
"""

import io
import json
import struct
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from inference.errors import DamagedPreview, NoSuchTile
from inference.geometry import Size
from inference.metadata import Metadata
from inference.preview_tiles import TileColours, halved
from inference.samples import Pixels, to_8_bits
from inference.streams import Sink

_Pixels = NDArray[np.uint8]

TILE_SIZE = 512
_INFO = "info.json"
_THREADS = 2  # halve the time
# Rows halved at a time: even, so that no pair is torn apart, and few, so that they cost no memory.
_STRIP = 64


@dataclass(frozen=True)
class Previews:
    """Two sinks for the previews of one picture, before and after. They need `write` only."""

    original: Sink
    result: Sink


def level_sizes(size: Size) -> list[Size]:
    """The sizes of all levels: a single pixel first, the picture itself last."""
    top = (max(size) - 1).bit_length()
    return [
        Size(-(-size.width >> (top - level)), -(-size.height >> (top - level)))
        for level in range(top + 1)
    ]


class PyramidWriter:
    """Writes the pyramid of a picture whose rows arrive once, from top to bottom.

    Holds one row of tiles per level: 512 rows of the picture, and as much again for all the levels
    below, whatever the height. The same picture gives the same bytes, however its rows were cut.

    Transparent pixels should have the colours of what is around them (`colour.bleed`): WebP mixes
    neighbours' colours, and black that is stored there would show as a fringe of up to 30 steps.
    """

    def __init__(
        self,
        sink: Sink,
        size: Size,
        channels: int,
        metadata: Metadata,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """`sink` needs `write` only, and is not closed.

        `channels` and `metadata` as in `Picture`; of the latter, what concerns colour is used.
        `check` is called many times a second by `push`, and what it raises leaves it.
        """
        self._file = _TileFile(sink, TileColours.of(metadata, channels), check)
        sizes = level_sizes(size)
        self._info = {
            "width": size.width,
            "height": size.height,
            "tile_size": TILE_SIZE,
            "levels": len(sizes),
            "channels": channels,
        }
        below: _Level | None = None
        for number, level_size in enumerate(sizes):
            below = _Level(number, level_size, channels, self._file, below)
        assert below is not None
        self._top = below

    def push(self, rows: Pixels) -> None:
        """Take the next rows, shape (any number, width, channels). 16 bits become 8."""
        for top in range(0, len(rows), TILE_SIZE):
            self._top.push(to_8_bits(rows[top : top + TILE_SIZE]))

    def finish(self) -> None:
        """Write what is left. The bytes in the sink are a pyramid only after this."""
        assert self._top.is_complete, "rows are missing"
        self._file.finish(self._info)

    def close(self) -> None:
        """End the threads that encode, whether finished or not. May be called twice."""
        self._file.close()


def _name(level: int, x: int, y: int) -> str:
    return f"{level}/{x}_{y}.webp"


class _Level:
    """One level: collects a row of tiles, hands its tiles out and its rows, halved, on."""

    def __init__(
        self,
        number: int,
        size: Size,
        channels: int,
        file: "_TileFile",
        below: "_Level | None",
    ) -> None:
        self._number = number
        self._height = size.height
        self._file = file
        self._below = below
        self._band = np.empty((min(TILE_SIZE, size.height), size.width, channels), np.uint8)
        self._filled = 0
        self._top = 0

    @property
    def is_complete(self) -> bool:
        return self._top == self._height

    def push(self, rows: _Pixels) -> None:
        while len(rows):
            wanted = min(TILE_SIZE, self._height - self._top) - self._filled
            assert wanted, "more rows than the picture has"
            taken = rows[:wanted]
            self._band[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            rows = rows[len(taken) :]
            if len(taken) == wanted:
                self._pass_on(self._band[: self._filled])

    def _pass_on(self, band: _Pixels) -> None:
        lefts = range(0, band.shape[1], TILE_SIZE)
        tiles = (band[:, left : left + TILE_SIZE] for left in lefts)
        self._file.keep(self._number, self._top // TILE_SIZE, tiles)
        # Not sooner, though any two rows could be halved: the order of the tiles in the file would
        # depend on how the rows arrive.
        if self._below:
            for top in range(0, len(band), _STRIP):
                self._below.push(halved(band[top : top + _STRIP]))
                self._file.check()
        self._top += len(band)
        self._filled = 0


class _TileFile:
    """Encodes tiles and stores them in the order they come."""

    def __init__(self, sink: Sink, colours: TileColours, check: Callable[[], None]) -> None:
        self._zip = _Zip(_WriteOnly(sink), "w")
        self._colours = colours
        self.check = check
        self._pool = ThreadPoolExecutor(_THREADS)

    def keep(self, level: int, y: int, tiles: Iterator[_Pixels]) -> None:
        """Store row `y` of a level's tiles."""
        for x, data in enumerate(self._encoded(tiles)):
            self._store(_name(level, x, y), data)
            self.check()

    def finish(self, info: dict[str, int]) -> None:
        self._store(_INFO, json.dumps(info).encode())
        self._zip.close()
        self.close()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _encoded(self, tiles: Iterator[_Pixels]) -> Iterator[bytes]:
        """The tiles' files in order; only as many are in work as there are threads, and one."""
        pending: deque[Future[bytes]] = deque()
        for tile in tiles:
            pending.append(self._pool.submit(self._colours.webp, tile))
            if len(pending) > _THREADS:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    def _store(self, name: str, data: bytes) -> None:
        member = zipfile.ZipInfo(name)  # its date is 1980, whatever the day
        member.create_system = 3  # or the file would tell the kind of machine
        self._zip.writestr(member, data)


class _Zip(zipfile.ZipFile):
    def __del__(self) -> None:
        """Unlike its base, gives no directory to what was abandoned: it would look whole."""


class _WriteOnly:
    """What the ZIP writer sees of a sink.

    Where it can seek, it goes back to fill in lengths, which no encrypting writer could.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: bytes) -> int:
        self._sink.write(data)
        return len(data)

    def flush(self) -> None:
        """Left to the owner of the sink, as is closing it."""

    def close(self) -> None:
        """Never called, but part of what a ZIP writer may ask for."""


@dataclass(frozen=True)
class Directory:
    """What a pyramid says about itself, and where its tiles lie. Holds nothing of the picture."""

    width: int
    """Of the picture, in pixels."""
    height: int
    tile_size: int
    """Side of a tile; those at the right and at the bottom end with their level. No overlap."""
    levels: int
    """The last one, `levels - 1`, has the picture's size; see `level_sizes`."""
    channels: int
    """Of the picture, as in `Picture.pixels`. 2 and 4 have alpha."""
    places: Mapping[str, tuple[int, int, int]] = field(repr=False)
    """By a tile's name: where its entry begins, its bytes, their CRC-32."""


class PyramidReader:
    """Gives the tiles of a stored pyramid.

    Reads the directory and `info.json` when it is made, and then of each tile its own bytes.
    """

    directory: Directory

    def __init__(self, stream: BinaryIO, directory: Directory | None = None) -> None:
        """`stream` is seekable, and stays open and the caller's. With the `directory` that an
        earlier reader of the same pyramid had, nothing is read.

        Raises `DamagedPreview` when it is no pyramid, and the `OSError` of the stream.
        """
        self._stream = stream
        self.directory = directory or _directory(stream)

    @property
    def width(self) -> int:
        return self.directory.width

    @property
    def height(self) -> int:
        return self.directory.height

    @property
    def tile_size(self) -> int:
        return self.directory.tile_size

    @property
    def levels(self) -> int:
        return self.directory.levels

    @property
    def channels(self) -> int:
        return self.directory.channels

    def tile(self, level: int, x: int, y: int) -> bytes:
        """The WebP file of one tile, column `x` and row `y` of its level.

        Raises `NoSuchTile` when the pyramid has none there, `DamagedPreview` when its bytes are not
        what was written, and the `OSError` of the stream.
        """
        name = _name(level, x, y)
        if name not in self.directory.places:
            raise NoSuchTile(f"The preview has no tile {x}, {y} at level {level}.")
        start, size, checksum = self.directory.places[name]
        with _damage_told():
            self._stream.seek(start)
            named, extra = _LOCAL.unpack(self._stream.read(_LOCAL.size))
            if self._stream.read(named) != name.encode():
                raise zipfile.BadZipFile("another entry")
            self._stream.seek(extra, io.SEEK_CUR)
            data = self._stream.read(size)
            if len(data) != size or zlib.crc32(data) != checksum:
                raise zipfile.BadZipFile("other bytes")
        return data


# Of an entry's own header, the lengths of its name and of what else it says.
_LOCAL = struct.Struct("<26xHH")


def _directory(stream: BinaryIO) -> Directory:
    with _damage_told(), zipfile.ZipFile(stream) as archive:
        info = json.loads(archive.read(_INFO))
        places = {}
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED:
                raise zipfile.BadZipFile("a compressed entry")
            places[entry.filename] = entry.header_offset, entry.file_size, entry.CRC
        numbers = ("width", "height", "tile_size", "levels", "channels")
        return Directory(**{name: int(info[name]) for name in numbers}, places=places)


# What `zipfile` and `json` raise on damage: lengths and offsets beyond the file, unknown methods,
# names that don't decode, another shape of JSON.
_DAMAGE = (
    zipfile.BadZipFile,
    ArithmeticError,
    EOFError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None  # `zipfile` takes a failing disk for no ZIP
        raise DamagedPreview("The preview is damaged or incomplete.") from error
