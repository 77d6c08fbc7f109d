"""Pictures go out to their owner alone, decrypted on the way, whole or in a range."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from app import delivery
from app.delivery import attachment
from db import counts, files
from db.cipher import CHUNK
from db.upkeep import Metric
from db.work import Cause, File, Role
from pages import shapes
from tests.app.own_files import Site, a_picture, file_of, open_site
from tests.db.situations import set_columns
from tests.tasks.pictures import picture

BIG = bytes(range(256)) * 4 * 1024 * 3 + b"end"  # three chunks of the storage and a bit
RESULT = "cat_4x_realesrgan-x4plus.png"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with open_site(tmp_path, monkeypatch) as site:
        yield site


def result(site: Site, data: bytes = BIG, name: str = "cat.png") -> str:
    return f"/files/{file_of(a_picture(site, site.ada, name, data), Role.RESULT).id}"


def downloads(site: Site) -> int:
    """Those that were counted; what is counted is counted when the last byte has been sent."""
    site.client(None).close()
    return counts.total(site.service.store, Metric.DOWNLOADED)


def eventually(wanted: object, found: object) -> bool:
    until = time.monotonic() + 10
    while found() != wanted and time.monotonic() < until:
        time.sleep(0.02)
    return found() == wanted


def test_a_result_comes_whole_and_as_nothing_but_a_file_to_save(site: Site) -> None:
    address = result(site)
    with site.client(site.ada) as client:
        answer = client.get(f"{address}/any%20name.html")

    assert answer.status_code == 200
    assert answer.content == BIG
    assert answer.headers["content-length"] == str(len(BIG))
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == f'attachment; filename="{RESULT}"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["accept-ranges"] == "bytes"
    assert "last-modified" not in answer.headers


def test_every_address_of_a_batch_as_json_leads_to_its_file(site: Site) -> None:
    job = a_picture(site, site.ada, "tiles")
    addresses = shapes.job(job, site.service.store.clock.now())["files"]
    with site.client(site.ada) as client:
        answers = {slot: client.get(at) for slot, at in addresses.items() if at}

    assert {slot: (a.status_code, len(a.content)) for slot, a in answers.items()} == {
        slot: (200, file_of(job, role).size)
        for slot, role in (
            ("original", Role.ORIGINAL),
            ("result", Role.RESULT),
            ("preview", Role.PREVIEW),
        )
    }
    named = addresses["result"].rpartition("/")[2]
    assert named in answers["result"].headers["content-disposition"]


def test_whose_it_is_not_and_what_is_not_there_are_the_same_answer(site: Site) -> None:
    address = result(site)
    with site.client(site.bob) as client:
        others = [client.get(address), client.get(f"{address}/x.png"), client.head(address)]
        missing = [client.get(f"/files/{uuid4()}"), client.get(f"/files/{uuid4()}/x.png")]

    assert {answer.status_code for answer in [*others, *missing]} == {404}
    assert len({answer.content for answer in [*others[:2], *missing]}) == 1


@pytest.mark.parametrize(
    "file_id",
    ["1", "None", "..", "%2e%2e", "{0}x", "urn:uuid:{0}", "{{{0}}}", "{1}", "%00", "é", "{0}%00"],
)
def test_what_is_no_id_belongs_to_nothing(site: Site, file_id: str) -> None:
    own = result(site).rpartition("/")[2]
    with site.client(site.ada) as client:
        answer = client.get("/files/" + file_id.format(own, own.replace("-", "")))

    assert answer.status_code == 404


def test_the_same_for_who_is_signed_out(site: Site) -> None:
    with site.client(None) as client:
        assert client.get(result(site)).status_code == 401


def test_from_48_hours_on_it_is_gone_whether_or_not_anything_was_swept(site: Site) -> None:
    address = result(site)
    with site.client(site.ada) as client, site.client(site.bob) as other:
        site.machine.passes(hours=47, minutes=59, seconds=59)
        assert client.get(address).status_code == 200
        site.machine.passes(seconds=1)
        answer = client.get(address)
        assert other.get(address).status_code == 404

    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "GONE")


def test_what_its_owner_has_deleted_is_gone(site: Site) -> None:
    address = result(site)
    files.erase(site.service.store, ids_of(site), Cause.USER)
    with site.client(site.ada) as client:
        assert client.get(address).status_code == 410


def ids_of(site: Site) -> list:
    with site.service.store.reading() as rows:
        return list(rows.scalars(select(File.id)))


def test_damage_is_told_instead_of_a_single_byte_of_it(site: Site) -> None:
    address = result(site)
    for name, _ in list(site.service.store.blobs.finished()):
        path = site.service.store.blobs.path(name)
        path.write_bytes(path.read_bytes()[:-1])
    with site.client(site.ada) as client:
        answer = client.get(address)

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "FILE_DAMAGED")
    assert "content-disposition" not in answer.headers


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, len(BIG)),
        ("bytes=5-9", 5, 10),
        ("bytes=-1", len(BIG) - 1, len(BIG)),
        ("bytes=-999999999", 0, len(BIG)),
        (f"bytes={CHUNK - 1}-{CHUNK}", CHUNK - 1, CHUNK + 1),
        (f"bytes={CHUNK * 2}-{CHUNK * 90}", CHUNK * 2, len(BIG)),
        (f"bytes={len(BIG) - 1}-", len(BIG) - 1, len(BIG)),
        ("BYTES=5-9", 5, 10),
    ],
)
def test_a_range_is_just_that_part(site: Site, asked: str, start: int, end: int) -> None:
    address = result(site)
    with site.client(site.ada) as client:
        answer = client.get(address, headers={"range": asked})

    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(BIG)}"
    assert answer.headers["content-length"] == str(end - start)
    assert answer.content == BIG[start:end]


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=1-2,4-5",
        "bytes=9-5",
        "bytes=-",
        "bytes=x-y",
        "lines=1-2",
        "bytes",
        "bytes=1-2-3",
        "bytes= 1-2",
        "bytes=" + "9" * 5000 + "-",
        "bytes=²-³",
    ],
)
def test_a_range_that_is_not_understood_gives_the_whole(site: Site, asked: str) -> None:
    address = result(site, b"small")
    with site.client(site.ada) as client:
        answer = client.get(address, headers={"range": asked.encode("latin-1")})

    assert (answer.status_code, answer.content) == (200, b"small")


@pytest.mark.parametrize("asked", ["bytes=5-", "bytes=5-9", "bytes=999999999-", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(site: Site, asked: str) -> None:
    address = result(site, b"small")
    with site.client(site.ada) as client:
        answer = client.get(address, headers={"range": asked})

    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */5"


def test_a_download_goes_on_where_it_broke_off_if_it_is_the_same_file(site: Site) -> None:
    address = result(site, b"small")
    with site.client(site.ada) as client:
        etag = client.head(address).headers["etag"]
        same = client.get(address, headers={"range": "bytes=2-", "if-range": etag})
        other = client.get(address, headers={"range": "bytes=2-", "if-range": '"other"'})

    assert (same.status_code, same.content) == (206, b"all")
    assert (other.status_code, other.content) == (200, b"small")


def test_a_head_says_what_a_get_would_and_sends_nothing(site: Site) -> None:
    address = result(site)
    with site.client(site.ada) as client:
        head = client.head(address, headers={"range": "bytes=1-2"})
        get = client.get(address)

    assert (head.status_code, head.content) == (200, b"")
    assert {k: v for k, v in head.headers.items() if k != "date"} == {
        k: v for k, v in get.headers.items() if k != "date"
    }


def test_a_download_counts_when_all_of_the_result_was_sent(site: Site) -> None:
    job = a_picture(site, site.ada, data=BIG)
    address = f"/files/{file_of(job, Role.RESULT).id}"
    with site.client(site.ada) as client:
        client.head(address)
        client.get(address, headers={"range": "bytes=1-"})
        client.get(f"/files/{file_of(job, Role.ORIGINAL).id}")
        assert downloads(site) == 0

        client.get(address)
        assert eventually(1, lambda: downloads(site))
        client.get(address, headers={"range": "bytes=0-"})
        assert eventually(2, lambda: downloads(site))


def slow_download(site: Site, size: int = 24 << 20) -> tuple[str, "httpx.Client"]:
    """A download of more than the connection takes in ahead."""
    return result(site, bytes(size)), site.client(site.ada)


def test_a_download_that_was_broken_off_does_not_count(site: Site) -> None:
    address, client = slow_download(site)
    with client, client.stream("GET", address) as answer:
        next(answer.iter_raw())

    time.sleep(0.5)
    assert downloads(site) == 0


@pytest.mark.parametrize("how", ["expires", "is deleted"])
def test_what_goes_while_it_is_sent_does_not_look_whole(
    site: Site, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(delivery, "CHECK_EVERY", 0)
    address, client = slow_download(site)
    with client, client.stream("GET", address) as answer:
        pieces = answer.iter_raw()
        got = len(next(pieces))
        if how == "expires":
            site.machine.passes(hours=48)
        else:
            files.erase(site.service.store, ids_of(site), Cause.USER)
        with pytest.raises(httpx.RemoteProtocolError):
            got += sum(map(len, pieces))

    assert 0 < got < 24 << 20
    assert downloads(site) == 0


HOSTILE = [
    'quo"te\\.png',
    "line\r\nSet-Cookie: a=b.png",
    "../../etc/passwd.png",
    "exe\u202egnp.png",
    "nul\x00.png",
    "Hund ü 東京 🐈.png",
    "per%22cent%0d.png",
    "semi;colon=1.png",
    "a" * 300 + ".png",
    "🐈" * 200 + ".png",
    "CON.png",
    "...",
    "日本",
    "' or 1=1 --.png",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_the_name_it_is_one_header_line_that_browsers_agree_on(
    site: Site, name: str
) -> None:
    address = result(site, b"small", name)
    with site.client(site.ada) as client:
        answer = client.get(address)

    assert answer.status_code == 200
    assert answer.headers.get_list("content-disposition") == [answer.headers["content-disposition"]]
    assert "set-cookie" not in answer.headers
    header = answer.headers["content-disposition"]
    assert header.isascii()
    fallback = header.removeprefix('attachment; filename="').partition('"')[0]
    assert not set(fallback) & set('"\\%/;')
    assert fallback.endswith("_4x_realesrgan-x4plus.png")
    if "filename*=" in header:
        saved = unquote(header.partition("filename*=UTF-8''")[2])
        assert saved.endswith("_4x_realesrgan-x4plus.png")
        assert len(saved.encode()) <= 255
        assert not set(saved) & set('/\\\r\n\0\u202e"')


def test_a_header_is_safe_even_for_a_name_that_nobody_cleaned() -> None:
    header = attachment('a\r\nX: "b\\\x00\u202e\ud800.png')

    assert header.isascii()
    assert header.isprintable()


def test_gradios_address_gives_an_upload_to_its_owner(site: Site) -> None:
    data = picture()
    with site.client(site.ada) as client, site.client(site.bob) as other:
        upload = client.post("/gradio_api/upload", files={"files": ("cat ü #1?.png", data)})
        at = f"/gradio_api/file={quote(upload.json()[0])}"
        answer, stolen = client.get(at), other.get(at)

    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-store"
    assert stolen.status_code == 404


def test_gradios_address_gives_a_result_by_its_own_address(site: Site) -> None:
    address = result(site)
    origin = site.settings.origin
    with site.client(site.ada) as client, site.client(site.bob) as other:
        for path in (f"{origin}{address}/cat.png", f"{address}/cat.png", f"{origin}{address}"):
            answer = client.get(f"/gradio_api/file={path}")
            assert (answer.status_code, answer.content) == (200, BIG)
            assert RESULT in answer.headers["content-disposition"]
            assert other.get(f"/gradio_api/file={path}").status_code == 404
        site.machine.passes(hours=48)
        assert client.get(f"/gradio_api/file={address}").status_code == 410


def test_gradios_address_gives_nothing_else(site: Site) -> None:
    with site.client(site.ada) as client:
        (own,) = client.post("/gradio_api/upload", files={"files": ("cat.png", b"meow")}).json()
        folder = Path(own).parent
        (folder / "link").symlink_to("/etc/passwd")
        (site.service.folders.inbox / "flat").write_bytes(b"of somebody")
        data = site.data
        address = result(site)
        for path in [
            "/etc/passwd",
            "app.db",
            f"{data}/app.db",
            f"{data}/keys.db",
            f"{data}/inbox/{site.ada}/../../app.db",
            f"{folder}/../{folder.name}/cat.png",
            f"{folder.parent}/../flat",
            f"{folder}/./cat.png",
            f"{folder}//cat.png",
            f"{folder}/..",
            f"{folder}/",
            f"{folder}",
            f"{folder}/link",
            f"{folder}/cat.png%00",
            f"{folder}/{'x' * 300}",
            f"/{own}",
            f"http://evil.example{address}/cat.png",
            f"{site.settings.origin}.evil.example{address}",
            f"{site.settings.origin}@evil.example{address}",
            "http://169.254.169.254/latest/meta-data",
            "/files/",
            f"{address}/tiles/0/0_0",
            "",
        ]:
            # As other characters, or the client would resolve it before it asks.
            sent = path.replace("..", "%2e%2e").replace("/./", "/%2e/")
            answer = client.get(f"/gradio_api/file={sent}")
            assert answer.status_code == 404, path
            assert answer.json()["error"]["code"] == "NOT_FOUND"


def test_an_original_in_another_format_has_its_own_type(site: Site) -> None:
    address = result(site, b"small")
    set_columns(site.service.store, File, format="webp")
    with site.client(site.ada) as client:
        answer = client.get(address)

    assert answer.headers["content-type"] == "image/webp"
    assert 'filename="cat_4x_realesrgan-x4plus.webp"' in answer.headers["content-disposition"]
