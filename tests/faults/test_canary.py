"""The search finds what is planted: only then is it worth something that it finds nothing."""

import base64
import gzip
import io
import sqlite3
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.faults.canary import Canary, search

CANARY = Canary()


def zipped(data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member", data)
    return stream.getvalue()


def saved(image: Image.Image, output_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, output_format, **options)
    return stream.getvalue()


PLANTED: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda text: text,
    "base64": base64.b64encode,
    "base64, one byte later": lambda text: base64.b64encode(b"x" + text + b"yz"),
    "base64, two bytes later": lambda text: base64.b64encode(b"xy" + text),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(b"x" + text),
    "hex": lambda text: text.hex().encode(),
    "HEX": lambda text: text.hex().upper().encode(),
    "UTF-16 LE": lambda text: text.decode().encode("utf-16-le"),
    "UTF-16 BE": lambda text: text.decode().encode("utf-16-be"),
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "zip": zipped,
    "base64 in gzip in zip": lambda text: zipped(gzip.compress(base64.b64encode(text))),
    "PNG": lambda _: saved(CANARY.image(), "PNG"),
    "JPEG, smaller": lambda _: saved(CANARY.image().resize((60, 40)), "JPEG", quality=60),
    "WEBP, larger": lambda _: saved(CANARY.image().resize((384, 256)), "WEBP", quality=50),
    "BMP": lambda _: saved(CANARY.image(), "BMP"),
    "grey JPEG in gzip": lambda _: gzip.compress(saved(CANARY.image().convert("L"), "JPEG")),
}


def in_a_stray_file(folder: Path, planted: bytes) -> None:
    (folder / "stray" / "deep").mkdir(parents=True)
    (folder / "stray" / "deep" / "file").write_bytes(b"before " + planted + b" behind")


def in_a_log_line(folder: Path, planted: bytes) -> None:
    (folder / "worker.log").write_bytes(b'{"event": "' + planted + b'"}\n')


def in_a_database_row(folder: Path, planted: bytes) -> None:
    with sqlite3.connect(folder / "app.db") as rows:
        rows.execute("CREATE TABLE planted (data)")
        # Whatever is longer than a page would lie in pieces.
        rows.execute("INSERT INTO planted VALUES (?)", (planted,))
    rows.close()


@pytest.mark.parametrize("how", PLANTED)
@pytest.mark.parametrize("plant", [in_a_stray_file, in_a_log_line])
def test_a_planted_canary_is_found(
    tmp_path: Path, plant: Callable[[Path, bytes], None], how: str
) -> None:
    plant(tmp_path, PLANTED[how](CANARY.text))

    assert {hit.what for hit in search([tmp_path], {}, CANARY)} == {"canary"}


@pytest.mark.parametrize("how", [how for how in PLANTED if how.startswith(("raw", "base", "hex"))])
def test_a_planted_canary_is_found_in_a_row(tmp_path: Path, how: str) -> None:
    in_a_database_row(tmp_path, PLANTED[how](CANARY.text))

    assert {hit.what for hit in search([tmp_path], {}, CANARY)} == {"canary"}


def test_a_canary_in_a_name_is_found(tmp_path: Path) -> None:
    (tmp_path / f"x{CANARY.text.decode()}y").touch()

    assert search([tmp_path], {}, CANARY)


def test_another_canary_is_not_found(tmp_path: Path) -> None:
    for number, encode in enumerate(PLANTED.values()):
        (tmp_path / str(number)).write_bytes(encode(CANARY.text))
    (tmp_path / "noise").write_bytes(Canary().text * 1000)

    assert search([tmp_path], {}, Canary()) == set()
    assert len({hit.where for hit in search([tmp_path], {}, CANARY)}) == len(PLANTED)
