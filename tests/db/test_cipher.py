"""What is decrypted is what was encrypted, or nothing."""

import io
from itertools import pairwise
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db import cipher
from db.errors import DamagedFile

CHUNK = cipher.CHUNK
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 17]
PLAIN = bytes(range(251)) * (3 * CHUNK // 251)


class Sealed:
    """A stored file, with the key to it."""

    def __init__(self, plain: bytes) -> None:
        self.plain, self.key, self.file_id = plain, cipher.new_key(), uuid4()
        parts: list[bytes] = []
        encryptor = cipher.Encryptor(self.key, self.file_id, parts.append)
        encryptor.update(plain)
        encryptor.finish()
        assert encryptor.size == len(plain)
        self.stored = b"".join(parts)

    @property
    def chunks(self) -> list[bytes]:
        body, step = self.stored[cipher.HEADER_BYTES :], CHUNK + cipher.TAG
        return [body[at : at + step] for at in range(0, len(body), step)]

    @property
    def header(self) -> bytes:
        return self.stored[: cipher.HEADER_BYTES]

    def opened(self, stored=None, *, size=None, key=None, file_id=None, allowed=lambda: None):
        raw = cipher.Decryptor(
            key or self.key,
            file_id or self.file_id,
            io.BytesIO(self.stored if stored is None else stored),
            len(self.plain) if size is None else size,
            allowed,
        )
        return io.BufferedReader(raw)


THREE = Sealed(PLAIN[: 2 * CHUNK + 1000])


@pytest.mark.parametrize("size", SIZES)
def test_any_size_comes_back_and_is_known_from_the_stored_size(size):
    sealed = Sealed(PLAIN[:size])
    assert sealed.opened().read() == sealed.plain
    assert cipher.plain_size(len(sealed.stored)) == size


def test_the_same_bytes_are_stored_differently_every_time():
    assert Sealed(b"same").chunks != Sealed(b"same").chunks


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, len(THREE.plain)), max_size=8))
def test_it_does_not_matter_in_which_pieces_bytes_are_written(cuts):
    parts: list[bytes] = []
    encryptor = cipher.Encryptor(THREE.key, THREE.file_id, parts.append)
    edges = [0, *sorted(cuts), len(THREE.plain)]
    for start, end in pairwise(edges):
        encryptor.update(memoryview(THREE.plain)[start:end])
    encryptor.finish()
    assert b"".join(parts) == THREE.stored


@settings(max_examples=200, deadline=None)
@given(
    moves=st.lists(
        st.tuples(
            st.sampled_from([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END]),
            st.integers(-3 * CHUNK, 3 * CHUNK),
            st.integers(-1, CHUNK + 5000),
        ),
        max_size=12,
    )
)
def test_every_seek_and_read_is_that_of_the_plain_bytes(moves):
    plain = io.BytesIO(THREE.plain)
    with THREE.opened() as stream:
        for whence, offset, length in moves:
            base = {0: 0, 1: plain.tell(), 2: len(THREE.plain)}[whence]
            if base + offset < 0:
                continue
            assert stream.seek(offset, whence) == plain.seek(base + offset)
            assert stream.read(length) == plain.read(length)


def test_a_range_reads_the_chunks_that_it_touches_and_no_other():
    read = []

    class Watched(io.BytesIO):
        def read(self, size=-1):
            read.append((self.tell(), size))
            return super().read(size)

    raw = cipher.Decryptor(
        THREE.key, THREE.file_id, Watched(THREE.stored), len(THREE.plain), lambda: None
    )
    read.clear()
    raw.seek(CHUNK + 100)
    assert raw.read(10) == THREE.plain[CHUNK + 100 : CHUNK + 110]
    assert read == [(cipher.HEADER_BYTES + CHUNK + cipher.TAG, CHUNK + cipher.TAG)]


def test_reading_stops_when_it_is_no_longer_allowed():
    allowed = [True]

    def check():
        if not allowed:
            raise PermissionError

    stream = THREE.opened(allowed=check)
    assert stream.read(10)
    allowed.clear()
    with pytest.raises(PermissionError):
        stream.read()


def swapped(sealed):
    first, second, *rest = sealed.chunks
    return b"".join([sealed.header, second, first, *rest])


TAMPERED = {
    "nothing but a header": lambda s: s.header,
    "empty": lambda s: b"",
    "cut in a chunk": lambda s: s.stored[:-1],
    "cut after a chunk": lambda s: s.header + b"".join(s.chunks[:-1]),
    "first chunk missing": lambda s: s.header + b"".join(s.chunks[1:]),
    "chunks swapped": swapped,
    "chunk repeated": lambda s: s.header + s.chunks[0] * 2 + s.chunks[2],
    "longer": lambda s: s.stored + b"x",
    "other magic": lambda s: b"X" + s.stored[1:],
    "other version": lambda s: s.stored[:4] + b"\x02" + s.stored[5:],
    "no size of chunks": lambda s: s.stored[:8] + bytes(4) + s.stored[12:],
    "other reserved bytes": lambda s: s.stored[:6] + b"\x01" + s.stored[7:],
    "one bit": lambda s: s.stored[:5000] + bytes([s.stored[5000] ^ 1]) + s.stored[5001:],
}


@pytest.mark.parametrize("how", TAMPERED)
@pytest.mark.parametrize("size_is_known", [True, False])
def test_bytes_that_were_not_written_are_never_returned(how, size_is_known):
    stored = TAMPERED[how](THREE)
    size = len(THREE.plain) if size_is_known else cipher.plain_size(len(stored))
    with pytest.raises(DamagedFile):
        THREE.opened(stored, size=size).read()


def test_a_file_in_the_place_of_another_does_not_open():
    other = Sealed(THREE.plain)
    with pytest.raises(DamagedFile):
        THREE.opened(other.stored).read()
    with pytest.raises(DamagedFile):
        THREE.opened(file_id=other.file_id).read()
    with pytest.raises(DamagedFile):
        THREE.opened(key=other.key).read()


def test_seeking_before_the_start_is_an_error():
    with THREE.opened() as stream, pytest.raises(ValueError, match="before the start"):
        stream.seek(-1)
