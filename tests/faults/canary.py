"""Finds a picture and its traces on every surface of a folder, however they are encoded.

A canary is 24 bytes that exist nowhere else, put into a picture's pixels and its metadata; the
picture itself is recognised by what it looks like. Searched for are the bytes of every file: raw,
as base64 in each of its three alignments, as hexadecimal digits, as UTF-16, and the same again in
whatever gzip, zlib or ZIP can unpack; and every picture that can be decoded from any place in any
file, whatever its format and size.
"""

import base64
import io
import re
import secrets
import struct
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

_DEPTH = 3
_UNPACKED_AT_MOST = 64_000_000
_GZIP = re.compile(rb"\x1f\x8b\x08")
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_ZIP = re.compile(rb"PK\x03\x04")
_PICTURES = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF....WEBP|GIF8[79]a|BM(?=....\0{4})", re.S
)
_SIDE = 24
_ALIKE = 0.9


def _new_bytes() -> bytes:
    return secrets.token_urlsafe(18).encode()


@dataclass(frozen=True)
class Canary:
    """The bytes and the picture that carries them."""

    text: bytes = field(default_factory=_new_bytes)
    seed: int = field(default_factory=lambda: secrets.randbelow(2**32))

    def image(self, width: int = 96, height: int = 64) -> Image.Image:
        """Blurred spots that no other seed makes, with the canary in its first pixels."""
        spots = np.random.default_rng(self.seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        image = Image.fromarray(spots).resize((width, height), Image.Resampling.BICUBIC)
        pixels = np.asarray(image).copy()
        pixels[0, : len(self.text) // 3] = np.frombuffer(self.text, np.uint8).reshape(-1, 3)
        return Image.fromarray(pixels)

    def picture(self) -> bytes:
        """What a user hands in."""
        comment = PngImagePlugin.PngInfo()
        comment.add_text("Comment", self.text.decode())
        stream = io.BytesIO()
        self.image().save(stream, "PNG", pnginfo=comment)
        return stream.getvalue()

    def is_shown_by(self, image: Image.Image) -> bool:
        """Whether a picture looks like this one, whatever its size."""
        ours, theirs = _look(self.image()), _look(image)
        return bool(float((ours * theirs).mean()) > _ALIKE)


def _look(image: Image.Image) -> np.ndarray:
    small = image.convert("RGB").convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    grey = np.asarray(small, dtype=np.float64)
    return (grey - grey.mean()) / (grey.std() or 1.0)


@dataclass(frozen=True)
class Hit:
    """Where something was found: what, in which encoding, in which file."""

    what: str
    how: str
    where: str


def encodings(secret: bytes) -> Mapping[str, bytes]:
    """Every form in which `secret` may stand in a file."""
    forms = {
        "raw": secret,
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        "utf-16-le": secret.decode("latin-1").encode("utf-16-le"),
        "utf-16-be": secret.decode("latin-1").encode("utf-16-be"),
    }
    for before in range(3):
        text = base64.b64encode(bytes(before) + secret)
        # Without the digits that also depend on what stands before and behind.
        own = text[-(-8 * before // 6) : 8 * (before + len(secret)) // 6]
        forms[f"base64+{before}"] = own
        forms[f"base64url+{before}"] = own.translate(bytes.maketrans(b"+/", b"-_"))
    return forms


def search(
    surfaces: Collection[Path], secrets: Mapping[str, bytes], canary: Canary | None = None
) -> set[Hit]:
    """Everything of `secrets` and of the canary that any file under `surfaces` holds.

    Links are not followed: models lie behind one.
    """
    needles = {
        (what, how): form
        for what, secret in secrets.items()
        for how, form in encodings(secret).items()
    }
    if canary is not None:
        needles |= {("canary", how): form for how, form in encodings(canary.text).items()}
    hits = set[Hit]()
    for surface in surfaces:
        for path in sorted(surface.rglob("*")) if surface.is_dir() else [surface]:
            name = str(path.relative_to(surface.parent))
            for (what, how), form in needles.items():
                if form in name.encode():
                    hits.add(Hit(what, f"name, {how}", name))
            if path.is_file() and not path.is_symlink():
                hits |= {
                    Hit(what, how, name)
                    for what, how in _found(path.read_bytes(), needles, canary, _DEPTH)
                }
    return hits


def _found(
    data: bytes, needles: Mapping[tuple[str, str], bytes], canary: Canary | None, depth: int
) -> Iterator[tuple[str, str]]:
    for (what, how), form in needles.items():
        if form in data:
            yield what, how
    if canary is not None:
        for start in _PICTURES.finditer(data):
            if _shows(data[start.start() :], canary):
                yield "canary", "picture"
    if depth:
        for how, unpacked in _unpacked(data):
            for what, inner in _found(unpacked, needles, canary, depth - 1):
                yield what, f"{how}: {inner}"


def _shows(data: bytes, canary: Canary) -> bool:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return canary.is_shown_by(image)
    except Exception:  # whatever begins like a picture and is none
        return False


def _unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    for start in _GZIP.finditer(data):
        yield from _inflated("gzip", data[start.start() :], 31)
    for start in _ZLIB.finditer(data):
        yield from _inflated("zlib", data[start.start() :], 15)
    for start in _ZIP.finditer(data):
        header = data[start.start() : start.start() + 30]
        if len(header) == 30:
            method, name, extra = (
                *struct.unpack("<H", header[8:10]),
                *struct.unpack("<HH", header[26:30]),
            )
            if method == zlib.DEFLATED:
                yield from _inflated("zip", data[start.start() + 30 + name + extra :], -15)


def _inflated(how: str, data: bytes, window: int) -> Iterator[tuple[str, bytes]]:
    """What can be unpacked of a stream, also of one that is cut."""
    stream, out = zlib.decompressobj(window), bytearray()
    try:
        for start in range(0, len(data), 4096):
            out += stream.decompress(data[start : start + 4096], _UNPACKED_AT_MOST - len(out))
            if stream.eof or len(out) >= _UNPACKED_AT_MOST:
                break
    except zlib.error:
        pass
    if out:
        yield how, bytes(out)
