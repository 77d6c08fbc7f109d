"""The form in which bytes are stored: AES-256-GCM in chunks.

A header (magic, version, size of a chunk), then chunks of ciphertext, each with its tag. Header,
file id, index and "this is the last one" are bound to every chunk, so that a file which was cut,
extended, reordered or put in another one's place does not open. The nonce is the index: every file
has a key of its own that encrypts each index once.

Knows bytes and keys. Knows no path, no row, no clock.
"""

import io
import struct
from collections.abc import Callable
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from db.errors import DamagedFile

CHUNK = 256 * 1024
"""Plain bytes per chunk: what a single preview tile has to decrypt, at 0.006 % more storage."""

TAG = 16
KEY_BYTES = 32
_MAGIC = b"IUPS"
_VERSION = 1
_HEADER = struct.Struct(">4sBxxxI")
_BOUND = struct.Struct(">16sQ?")
HEADER_BYTES = _HEADER.size


def new_key() -> bytes:
    return AESGCM.generate_key(bit_length=8 * KEY_BYTES)


def plain_size(stored: int, chunk: int = CHUNK) -> int:
    """Plain bytes in a stored file of `stored` bytes. An empty file has one empty chunk."""
    body = max(stored - HEADER_BYTES, 0)
    chunks = max(1, -(-body // (chunk + TAG)))
    return body - chunks * TAG


class _Chunks:
    """Encrypts and decrypts the chunks of one file."""

    def __init__(self, key: bytes, file_id: UUID, header: bytes) -> None:
        self._aead = AESGCM(key)
        self._file_id = file_id.bytes
        self._header = header

    def seal(self, index: int, last: bool, plain: bytes | memoryview) -> bytes:
        return self._aead.encrypt(self._nonce(index), plain, self._bound(index, last))

    def open(self, index: int, last: bool, sealed: bytes) -> bytes:
        try:
            return self._aead.decrypt(self._nonce(index), sealed, self._bound(index, last))
        except InvalidTag as error:
            raise DamagedFile from error

    def _nonce(self, index: int) -> bytes:
        return index.to_bytes(12, "big")

    def _bound(self, index: int, last: bool) -> bytes:
        return self._header + _BOUND.pack(self._file_id, index, last)


class Encryptor:
    """Turns a stream of plain bytes into stored ones, handing them to `write` chunk by chunk."""

    def __init__(self, key: bytes, file_id: UUID, write: Callable[[bytes], None]) -> None:
        self._header = _HEADER.pack(_MAGIC, _VERSION, CHUNK)
        self._chunks = _Chunks(key, file_id, self._header)
        self._write = write
        self._index = 0
        self._plain = bytearray()
        self.size = 0

    def update(self, data: bytes | memoryview) -> None:
        view = memoryview(data).cast("B")
        self.size += len(view)
        while view:
            # A full chunk stays until more comes: only then is it known not to be the last.
            if len(self._plain) == CHUNK:
                self._flush(last=False)
            room = CHUNK - len(self._plain)
            self._plain += view[:room]
            view = view[room:]

    def finish(self) -> None:
        self._flush(last=True)

    def _flush(self, last: bool) -> None:
        if self._index == 0:
            self._write(self._header)
        self._write(self._chunks.seal(self._index, last, bytes(self._plain)))
        self._plain.clear()
        self._index += 1


class Decryptor(io.RawIOBase):
    """Plain bytes of a stored file: seekable; reads the chunks that a range touches, no other.

    `allowed` is asked before each chunk and raises when reading must stop. Owns `stored` and closes
    it. Raises `DamagedFile` instead of returning a byte that was not written.
    """

    def __init__(
        self,
        key: bytes,
        file_id: UUID,
        stored: io.BufferedIOBase | io.RawIOBase,
        size: int,
        allowed: Callable[[], None],
    ) -> None:
        self._stored = stored
        self._allowed = allowed
        header = stored.read(HEADER_BYTES) or b""
        if len(header) < HEADER_BYTES:
            raise DamagedFile
        magic, version, self._chunk = _HEADER.unpack(header)
        if (magic, version) != (_MAGIC, _VERSION) or not self._chunk:
            raise DamagedFile
        # Cut at the end of a chunk, a file would only betray itself when its end is read.
        if size < 0 or plain_size(stored.seek(0, io.SEEK_END), self._chunk) != size:
            raise DamagedFile
        self._chunks = _Chunks(key, file_id, header)
        self._last = max(0, -(-size // self._chunk) - 1)
        self._size = size
        self._position = 0
        self._at: tuple[int, bytes] | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("before the start of the file")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer)
        index, start = divmod(self._position, self._chunk)
        if self._position >= self._size or not target:
            return 0
        plain = self._plain_chunk(index)
        length: int = min(len(target), len(plain) - start)
        target[:length] = plain[start : start + length]
        self._position += length
        return length

    def close(self) -> None:
        if not self.closed:
            self._stored.close()
        super().close()

    def _plain_chunk(self, index: int) -> bytes:
        self._allowed()
        if self._at is None or self._at[0] != index:
            self._stored.seek(HEADER_BYTES + index * (self._chunk + TAG))
            sealed = self._stored.read(self._chunk + TAG) or b""
            self._at = index, self._chunks.open(index, index == self._last, sealed)
        return self._at[1]
