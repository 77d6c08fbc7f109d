"""All results of a batch as one ZIP, made on the way."""

import io
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from app import archive, delivery
from db import counts, files
from db.upkeep import Metric
from db.views import BatchView
from db.work import Cause, File, Role
from tests.app.own_files import Site, a_finished_batch, file_of, open_site
from tests.db.situations import a_batch

SUFFIX = "_4x_realesrgan-x4plus"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with open_site(tmp_path, monkeypatch) as site:
        yield site


def address(batch: BatchView) -> str:
    return f"/batches/{batch.id}/download"


def collect(pieces: Iterator[bytes], into: bytearray) -> None:
    for piece in pieces:
        into += piece


def result_ids(batch: BatchView) -> list:
    return [file_of(job, Role.RESULT).id for job in batch.jobs]


def test_all_results_are_in_it_under_their_names_and_as_they_are(site: Site) -> None:
    pictures = [("cat.png", b"cat" * 200_000), ("Hund ü.jpg", b""), ("東京 🐈.webp", b"x")]
    batch = a_finished_batch(site, site.ada, pictures)
    with site.client(site.ada) as client:
        answer = client.get(address(batch))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    day = batch.created_at.date().isoformat()
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="imagesupscaler_{day}_3-pictures.zip"'
    )
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-length"] == str(len(answer.content))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
        assert zipped.testzip() is None
        assert {entry.filename: zipped.read(entry) for entry in zipped.infolist()} == {
            f"cat{SUFFIX}.png": pictures[0][1],
            f"Hund ü{SUFFIX}.png": b"",
            f"東京 🐈{SUFFIX}.png": b"x",
        }
        for entry in zipped.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.date_time[:3] == batch.created_at.timetuple()[:3]
            assert entry.filename.isascii() or entry.flag_bits & 0x800


def test_names_that_a_file_system_may_confuse_are_counted_and_none_is_a_path(
    site: Site, tmp_path: Path
) -> None:
    names = ["cat.png", "CAT.jpg", "cat.webp", "../../cat.png", "/etc/cat.png", "CON.png", "...png"]
    names += [
        "cat (2).png",
        "a" * 400 + ".png",
        "a" * 401 + ".png",
        "🐈" * 200 + ".png",
        "a:b?.png",
    ]
    batch = a_finished_batch(site, site.ada, [(name, name.encode()) for name in names])
    with site.client(site.ada) as client:
        data = client.get(address(batch)).content

    with zipfile.ZipFile(io.BytesIO(data)) as zipped:
        found = zipped.namelist()
        assert [zipped.read(entry).decode() for entry in found] == names
        zipped.extractall(tmp_path / "out")
    assert found[:4] == [
        f"cat{SUFFIX}.png",
        f"CAT{SUFFIX} (2).png",
        f"cat{SUFFIX} (3).png",
        f"cat{SUFFIX} (4).png",
    ]
    assert len({name.casefold() for name in found}) == len(names)
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(found)
    for name in found:
        assert len(name.encode()) <= 255
        assert name.endswith(".png")
        assert SUFFIX in name
        assert not re.search(r'[<>:"/\\|?*\x00-\x1f]|^\.|^con[._]', name, re.IGNORECASE)


def test_one_picture_is_called_one(site: Site) -> None:
    batch = a_finished_batch(site, site.ada, [("cat.png", b"x")])
    with site.client(site.ada) as client:
        head = client.head(address(batch))

    assert head.headers["content-disposition"].endswith('_1-picture.zip"')
    assert int(head.headers["content-length"]) > 100
    assert counts.total(site.service.store, Metric.DOWNLOADED) == 0


def test_what_was_deleted_is_left_out_and_when_all_was_it_is_gone(site: Site) -> None:
    batch = a_finished_batch(site, site.ada, [("a.png", b"a"), ("b.png", b"b")])
    first, second = result_ids(batch)
    with site.client(site.ada) as client:
        files.erase(site.service.store, [first], Cause.USER)
        with zipfile.ZipFile(io.BytesIO(client.get(address(batch)).content)) as zipped:
            assert zipped.namelist() == [f"b{SUFFIX}.png"]
        files.erase(site.service.store, [second], Cause.USER)
        assert client.get(address(batch)).status_code == 410


def test_it_is_gone_after_48_hours(site: Site) -> None:
    batch = a_finished_batch(site, site.ada, [("a.png", b"a")])
    with site.client(site.ada) as client:
        site.machine.passes(hours=48)
        assert client.get(address(batch)).status_code == 410


def test_others_and_strangers_find_nothing(site: Site) -> None:
    batch = a_finished_batch(site, site.ada, [("a.png", b"a")])
    with site.client(site.bob) as client:
        answers = [client.get(address(batch)), client.get(f"/batches/{uuid4()}/download")]
        assert client.get("/batches/1/download").status_code == 404
    with site.client(None) as client:
        assert client.get(address(batch)).status_code == 401

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def test_a_batch_without_a_result_has_nothing_to_download(site: Site) -> None:
    batch_id = a_batch(site.service.store, site.ada)
    with site.client(site.ada) as client:
        answer = client.get(f"/batches/{batch_id}/download")

    assert answer.status_code == 404


def test_damage_is_told_before_the_first_byte(site: Site) -> None:
    batch = a_finished_batch(site, site.ada, [("a.png", b"a"), ("b.png", b"b" * 10)])
    stored = files.find(site.service.store, result_ids(batch)[1], site.ada)
    path = site.service.store.blobs.path(stored.blob_name)
    path.write_bytes(path.read_bytes()[:-1])
    with site.client(site.ada) as client:
        answer = client.get(address(batch))

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "FILE_DAMAGED")


def test_every_result_counts_as_downloaded_when_all_was_sent(site: Site) -> None:
    batch = a_finished_batch(site, site.ada, [("a.png", b"a"), ("b.png", bytes(24 << 20))])
    with site.client(site.ada) as client:
        with client.stream("GET", address(batch)) as answer:
            next(answer.iter_raw())
        time.sleep(0.5)
        assert counts.total(site.service.store, Metric.DOWNLOADED) == 0

        assert len(client.get(address(batch)).content) > 24 << 20

    until = time.monotonic() + 10
    while counts.total(site.service.store, Metric.DOWNLOADED) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    assert counts.total(site.service.store, Metric.DOWNLOADED) == 2
    with site.service.store.reading() as rows:
        noted = select(File.first_downloaded_at).where(File.id.in_(result_ids(batch)))
        assert None not in rows.scalars(noted).all()


def test_what_goes_while_it_is_sent_does_not_look_whole(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "CHECK_EVERY", 0)
    batch = a_finished_batch(site, site.ada, [("a.png", bytes(24 << 20)), ("b.png", b"b")])
    got = bytearray()
    with site.client(site.ada) as client, client.stream("GET", address(batch)) as answer:
        pieces = answer.iter_raw()
        got += next(pieces)
        files.erase(site.service.store, result_ids(batch)[1:], Cause.USER)
        with pytest.raises(httpx.RemoteProtocolError):
            collect(pieces, got)

    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(got))


def test_the_length_is_known_beforehand_also_where_it_needs_zips_longer_form(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 5_000)
    batch = a_finished_batch(
        site, site.ada, [("a.png", b"a" * 9_000), ("ü.png", b"b"), ("c.png", b"c" * 4_999)]
    )
    members = archive.members_of(batch)

    whole = b"".join(archive.zip_of(site.service.store, batch, members, site.ada))

    assert len(whole) == archive.length(batch, members)
    assert b"PK\x06\x06" in whole
    with zipfile.ZipFile(io.BytesIO(whole)) as zipped:
        assert zipped.testzip() is None
        assert [len(zipped.read(name)) for name in zipped.namelist()] == [9_000, 1, 4_999]


def test_it_holds_a_chunk_and_no_picture(site: Site) -> None:
    batch = a_finished_batch(site, site.ada, [("a.png", bytes(3 << 20)), ("b.png", bytes(1 << 20))])
    members = archive.members_of(batch)

    pieces = [len(p) for p in archive.zip_of(site.service.store, batch, members, site.ada)]

    assert sum(pieces) > 4 << 20
    assert max(pieces) < 300_000
