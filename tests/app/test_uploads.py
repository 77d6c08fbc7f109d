"""Pictures come in whole, within limits, into their owner's inbox; or nothing of them does."""

import os
import re
import shutil
import socket
import stat
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app import uploads
from db.errors import StorageFull
from tasks import inbox, retention
from tests.app.own_files import Site, open_site

LIMITS = {"max_file_megabytes": 0.1, "max_files_per_batch": 3}
ADDRESS = "/gradio_api/upload"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with open_site(tmp_path, monkeypatch, **LIMITS) as site:
        yield site


def sent(site: Site, *pictures: tuple[str, bytes], user=None, field="files") -> httpx.Response:
    parts = [(field, (name, data)) for name, data in pictures]
    with site.client(user or site.ada) as client:
        return client.post(ADDRESS, files=parts)


def raw(body: bytes) -> dict[str, object]:
    return {"content": body, "headers": {"content-type": "multipart/form-data; boundary=B"}}


def part(name: bytes = b"cat.png", data: bytes = b"x", more: bytes = b"") -> bytes:
    head = b'--B\r\nContent-Disposition: form-data; name="files"; filename="' + name + b'"\r\n'
    return head + more + b"\r\n" + data + b"\r\n"


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 10
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


def test_pictures_lie_in_their_owners_inbox_for_this_service_alone(site: Site) -> None:
    answer = sent(site, ("cat.png", b"meow"), ("Hund ü.jpg", b"wuff" * 20_000))

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    cat, dog = map(Path, answer.json())
    assert (cat.name, cat.read_bytes()) == ("cat.png", b"meow")
    assert (dog.name, dog.read_bytes()) == ("Hund ü.jpg", b"wuff" * 20_000)
    assert cat.parent != dog.parent
    for path in (cat, dog):
        assert path.parent.parent == site.service.folders.inbox / str(site.ada)
        assert re.fullmatch("[0-9a-f]{32}", path.parent.name)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700


def test_an_upload_that_is_not_used_is_swept_with_its_folders_after_an_hour(site: Site) -> None:
    (path,) = sent(site, ("cat.png", b"meow")).json()
    # The wall clock is not what counts: here it is years behind the service's.
    site.machine.passes(minutes=59)
    retention.sweep(site.service)
    assert Path(path).exists()

    site.machine.passes(minutes=2)
    retention.sweep(site.service)

    assert list(site.service.folders.inbox.iterdir()) == []


def test_what_gradio_adds_to_the_address_is_ignored(site: Site) -> None:
    with site.client(site.ada) as client:
        answer = client.post(f"{ADDRESS}?upload_id=abc", files={"files": ("cat.png", b"meow")})

    assert answer.status_code == 200


def test_nobody_uploads_without_having_signed_in(site: Site) -> None:
    with site.client(None) as client:
        answer = client.post(ADDRESS, files={"files": ("cat.png", b"meow")})

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "UNAUTHORIZED"
    assert list(site.service.folders.inbox.iterdir()) == []


@pytest.mark.parametrize(
    ("given_name", "lies_as"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("..", "_.."),
        (".", "_."),
        (".htaccess", "_.htaccess"),
        ("/etc/", "picture"),
        ("-rf.png", "-rf.png"),
        ("exe\u202egnp.cat", "exegnp.cat"),
        ("a\tb\x01.png", "ab.png"),
        ("🐈‍⬛ 東京.png", "🐈‍⬛ 東京.png"),  # the joiner is part of the spelling
        ("CON", "CON"),
        ("a" * 300 + ".png", "a" * 196 + ".png"),
        ("🐈" * 150 + ".png", "🐈" * 62 + ".png"),
    ],
)
def test_a_name_is_never_a_path(site: Site, given_name: str, lies_as: str) -> None:
    body = part(given_name.encode()) + b"--B--\r\n"
    with site.client(site.ada) as client:
        answer = client.post(ADDRESS, **raw(body))

    (path,) = answer.json()
    assert Path(path).name == lies_as
    assert Path(path).parent.parent == site.service.folders.inbox / str(site.ada)
    assert Path(path).read_bytes() == b"x"


def test_a_name_cannot_end_its_header_line(site: Site) -> None:
    body = part(b'a.png"\r\nX-Evil: "1') + b"--B--\r\n"
    with site.client(site.ada) as client:
        (path,) = client.post(ADDRESS, **raw(body)).json()

    assert Path(path).name == "a.png"


def test_only_files_of_the_field_files_are_kept(site: Site) -> None:
    with site.client(site.ada) as client:
        answer = client.post(
            ADDRESS,
            data={"files": "a field, no file", "other": "x" * 50_000},
            files=[("files", ("cat.png", b"meow")), ("evil", ("evil.png", b"evil"))],
        )

    assert [Path(path).name for path in answer.json()] == ["cat.png"]
    assert [path.name for path in site.inbox if path.is_file()] == ["cat.png"]


@pytest.mark.parametrize(
    ("pictures", "status", "code"),
    [
        ([("a.png", b"x" * 100_001)], 413, "FILE_SIZE_EXCEEDED"),
        ([("a.png", b"x"), ("b.png", b"x" * 100_001)], 413, "FILE_SIZE_EXCEEDED"),
        ([(f"{n}.png", b"x") for n in range(4)], 413, "TOO_MANY_FILES"),
        ([("a.png", b"x" * 1_000_000)], 413, "UPLOAD_TOO_LARGE"),
    ],
    ids=["file", "second file", "files", "body"],
)
def test_what_breaks_a_limit_is_refused_and_leaves_nothing(
    site: Site, pictures: list[tuple[str, bytes]], status: int, code: str
) -> None:
    answer = sent(site, *pictures)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert site.inbox == []


def test_just_as_much_as_is_allowed_is_taken(site: Site) -> None:
    answer = sent(site, *[(f"{n}.png", b"x" * 100_000) for n in range(3)])

    assert answer.status_code == 200


def test_a_body_of_unknown_length_is_counted_while_it_comes(site: Site) -> None:
    def body() -> Iterator[bytes]:
        yield part(b"a.png", b"", b"")[:-2]
        for _ in range(100):
            yield b"x" * 10_000

    with site.client(site.ada) as client:
        answer = client.post(ADDRESS, **raw(body()))  # type: ignore[arg-type]

    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert site.inbox == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        part(),
        part(data=b"x")[:-1],
        b"--B\r\nbroken",
        part(more=b"X-Long: " + b"x" * 10_000 + b"\r\n") + b"--B--\r\n",
        part(more=b"X: y\r\n" * 20) + b"--B--\r\n",
        b'--B\r\nContent-Disposition: form-data; name="n"\r\n\r\nx\r\n' * 50 + b"--B--\r\n",
    ],
    ids=["empty", "text", "no end", "cut", "broken", "long header", "many headers", "many parts"],
)
def test_a_body_that_is_no_whole_form_is_refused_and_leaves_nothing(
    site: Site, body: bytes
) -> None:
    with site.client(site.ada) as client:
        answer = client.post(ADDRESS, **raw(body))

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "MALFORMED_UPLOAD")
    assert site.inbox == []


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("multipart/form-data", 415),
        ("multipart/mixed; boundary=B", 415),
        ("multipart/form-data; boundary=" + "B" * 300, 400),
    ],
)
def test_what_is_no_form_is_refused(site: Site, content_type: str, status: int) -> None:
    with site.client(site.ada) as client:
        answer = client.post(
            ADDRESS, content=part() + b"--B--\r\n", headers={"content-type": content_type}
        )

    assert answer.status_code == status


def test_a_form_without_a_picture_is_refused(site: Site) -> None:
    with site.client(site.ada) as client:
        answer = client.post(ADDRESS, files={"other": ("cat.png", b"meow")})

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "NOTHING_TO_DO")


def test_no_more_than_two_batches_wait_and_others_are_not_concerned(site: Site) -> None:
    batch = [(f"{n}.png", b"x" * 100_000) for n in range(3)]
    first = sent(site, *batch).json()
    assert sent(site, *batch).status_code == 200

    refused = sent(site, ("one.png", b"x" * 50_000))
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "TOO_MUCH_WAITING")
    assert refused.headers["retry-after"]
    assert len([path for path in site.inbox if path.is_file()]) == 6
    assert sent(site, ("one.png", b"x"), user=site.bob).status_code == 200

    inbox.remove(Path(first[0]))
    assert sent(site, ("one.png", b"x" * 50_000)).status_code == 200


def test_many_small_files_are_no_way_around(site: Site) -> None:
    statuses = [sent(site, ("a.png", b"x")).status_code for _ in range(31)]

    assert statuses == [200] * 30 + [429]


Disk = namedtuple("Disk", "total used free")


@pytest.mark.parametrize(
    ("disk", "status"),
    [
        (Disk(100 << 30, 0, (1 << 30) - 1), 507),
        (Disk(100 << 30, 0, (1 << 30) + 1000), 200),
        (Disk(1 << 30, 0, (1 << 30) // 10 - 1), 507),
        (Disk(1 << 30, 0, (1 << 30) // 10 + 1000), 200),
    ],
)
def test_some_of_the_disk_is_left_to_the_machine(
    site: Site, monkeypatch: pytest.MonkeyPatch, disk: Disk, status: int
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: disk)

    answer = sent(site, ("cat.png", b"meow"))

    assert answer.status_code == status
    assert bool(site.inbox) == (status == 200)


def test_a_disk_that_gets_full_leaves_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0

    def write(descriptor: int, data: bytes) -> int:
        nonlocal written
        written += len(data)
        if written > 100_000:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    real = os.write
    monkeypatch.setattr("tasks.inbox.os.write", write)
    answer = sent(site, ("a.png", b"x" * 90_000), ("b.png", b"x" * 90_000))

    assert (answer.status_code, answer.json()["error"]["code"]) == (507, StorageFull.code)
    assert site.inbox == []


def begun(site: Site) -> socket.socket:
    """An upload whose second picture is on its way."""
    site.client(site.ada).close()
    assert site.uvicorn
    connection = site.uvicorn.connect()
    connection.sendall(
        f"POST {ADDRESS} HTTP/1.1\r\nHost: localhost\r\nX-User: {site.ada}\r\n".encode()
        + b"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 150000\r\n\r\n"
        + part(b"a.png", b"x" * 50_000)
        + part(b"b.png", b"x" * 5_000)[:-2]
    )
    assert eventually(lambda: sum(p.stat().st_size for p in site.inbox if p.is_file()) > 50_000)
    return connection


def test_a_sender_that_goes_away_leaves_nothing(site: Site) -> None:
    begun(site).close()

    assert eventually(lambda: site.inbox == [])


def test_a_sender_that_stands_still_is_given_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "STANDSTILL", 0.5)
    with begun(site) as connection, connection.makefile("rb") as answers:
        answer = answers.read()

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"UPLOAD_STOOD_STILL" in answer
    assert site.inbox == []


def test_a_sender_that_only_trickles_is_given_up_too(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "STANDSTILL", 1.0)
    began = time.monotonic()
    with begun(site) as connection:
        connection.settimeout(0.05)
        answer = b""
        while not answer and time.monotonic() - began < 10:
            connection.sendall(b"x")
            try:
                answer = connection.recv(10_000)
            except TimeoutError:
                continue

    assert answer.startswith(b"HTTP/1.1 408")
    assert site.inbox == []


def test_a_server_that_stops_leaves_nothing(site: Site) -> None:
    connection = begun(site)
    assert site.uvicorn

    site.uvicorn.stop()

    connection.close()
    assert site.inbox == []


def test_many_that_break_off_at_once_leave_nothing_and_no_count(site: Site) -> None:
    connections = [begun(site)]
    connections += [begun(site) for _ in range(2)]
    for connection in connections:
        connection.close()

    assert eventually(lambda: site.inbox == [])
    batch = [(f"{n}.png", b"x" * 100_000) for n in range(3)]
    assert eventually(lambda: sent(site, ("a.png", b"x")).status_code == 200)
    assert sent(site, *batch).status_code == 200


def test_uploads_that_are_on_their_way_count_as_waiting(site: Site) -> None:
    # Each is announced with 150 kB, and 600 kB may wait.
    connections = [begun(site) for _ in range(4)]

    refused = sent(site, ("one.png", b"x" * 10_000))

    assert refused.status_code == 429
    for connection in connections:
        connection.close()
    assert eventually(lambda: sent(site, ("one.png", b"x" * 10_000)).status_code == 200)
