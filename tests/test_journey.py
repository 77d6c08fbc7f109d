"""The whole way of a stranger and their picture, through the real processes and a real network.

Only the clock is a test's: it is moved for all processes at once.
"""

import io
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.faults.conftest import own_temporary_files, running
from tests.faults.service import Running
from tests.journey import Refusal, Visit
from tests.tasks.pictures import FAST

__all__ = ["own_temporary_files", "running"]

PHOTOS = Path(__file__).parent / "data" / "photos"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small piece of a real photo, turned as phones store it."""
    path = tmp_path / "Häfen & <b>boats.jpg"
    with Image.open(PHOTOS / "rocket.jpg") as image:
        exif = image.getexif()
        exif[0x0112] = 6  # turn by 90° to look at it
        image.crop((200, 100, 360, 220)).save(path, quality=95, exif=exif)
    return path


@pytest.fixture
def origin(running: Running) -> str:
    running.start()
    wait_ready(running)
    return running.settings.origin


@pytest.fixture
def visit(origin: str) -> Iterator[Callable[..., Visit]]:
    opened: list[Visit] = []

    def visit(token: str | None = None) -> Visit:
        opened.append(Visit(origin, token))
        return opened[-1]

    yield visit
    for each in opened:
        each.close()


def wait_ready(running: Running) -> None:
    def ready() -> bool:
        try:
            return httpx.get(f"{running.settings.origin}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    running.until(ready, 60, "the service is ready")


def test_from_sign_in_to_the_last_byte(
    running: Running, visit: Callable[..., Visit], photo: Path
) -> None:
    stranger = visit()
    landing = stranger.http.get("/", headers={"Accept": "text/html"})
    assert landing.status_code == 200
    assert "/login" in landing.text
    assert stranger.http.get("/live").status_code == 401

    # Sign in; nothing is taken before the terms are agreed to.
    ada = visit()
    assert ada.http.post("/login/local").status_code == 303
    refused = ada.http.post("/gradio_api/upload", files={"files": ("a.png", b"x")})
    assert refused.status_code == 428
    assert refused.json()["error"]["code"] == "ACKNOWLEDGEMENT_NEEDED"
    half = ada.http.post("/welcome", data={"terms": "on"})
    assert half.status_code == 422
    ada.sign_in()

    # Hand in, and watch it being done.
    batch = ada.call("submit", ada.upload(photo), FAST, 4, None, None, "once")
    again = ada.call("submit", ada.upload(photo), FAST, 4, None, None, "once")
    assert again["id"] == batch["id"]
    done = ada.until(batch["id"], "succeeded", "failed")
    (job,) = done["jobs"]
    assert job["state"] == "succeeded", job["error"]
    assert job["progress"]["done"] == job["progress"]["total"] > 0
    assert job["name"] == photo.name
    assert job["report"]["model"] == FAST

    # Compare: the previews, tile by tile.
    for side, size in (("original_preview", (120, 160)), ("preview", (480, 640))):
        info = ada.http.get(f"{job['files'][side]}/tiles").json()
        assert (info["width"], info["height"]) == size
        tile = ada.http.get(f"{job['files'][side]}/tiles/{info['levels'] - 1}/0_0")
        with Image.open(io.BytesIO(tile.content)) as image:
            assert image.size == tuple(min(side, info["tile_size"]) for side in size)

    # Download: the result, upright, under the original's name; and all as a ZIP.
    result = ada.http.get(job["files"]["result"])
    with Image.open(io.BytesIO(result.content)) as image:
        assert image.size == (480, 640)
        assert image.getexif().get(0x0112, 1) == 1
    disposition = result.headers["content-disposition"]
    assert disposition.startswith("attachment")
    assert "H%C3%A4fen" in disposition
    assert f"_4x_{FAST}.jpg" in disposition
    archive = ada.http.get(done["download_url"])
    with zipfile.ZipFile(io.BytesIO(archive.content)) as zipped:
        (member,) = zipped.infolist()
        assert zipped.read(member) == result.content

    # A second browser of the same person, and one of nobody.
    assert stranger.http.get(job["files"]["result"]).status_code == 401
    also_ada = visit()
    also_ada.sign_in()
    assert [item["id"] for item in also_ada.call("history")["items"]] == [batch["id"]]

    # Delete now: every address of the batch is dead, the row stays with its receipts.
    second = ada.call("submit", ada.upload(photo), FAST, 2)
    ada.until(second["id"], "succeeded")
    addresses = ada.call("batch", second["id"])["jobs"][0]["files"]
    ada.call("delete", second["id"])
    deleted = ada.call("batch", second["id"])
    assert len(deleted["jobs"][0]["receipts"]) == 4
    assert deleted["download_url"] is None
    for address in addresses.values():
        assert ada.http.get(address).status_code == 410

    # 47:59, 48:01 and 72 hours after submission.
    running.passes(hours=47.98)
    ada.sign_in()  # nobody stays signed in for two days without coming by
    assert ada.http.get(job["files"]["result"]).status_code == 200
    running.passes(hours=0.1)
    assert ada.http.get(job["files"]["result"]).status_code == 410
    assert ada.http.get(done["download_url"]).status_code == 410
    expired = ada.call("batch", batch["id"])
    assert expired["jobs"][0]["files"] == dict.fromkeys(job["files"])
    running.passes(hours=23.9)
    running.kill("scheduler")  # sweeps every ten minutes of real time, and at once when it starts
    blobs = running.settings.data_dir / "blobs"
    running.until(
        lambda: not [path for path in blobs.rglob("*") if path.is_file()], 30, "all bytes are gone"
    )
    ada.sign_in()
    assert len(ada.call("batch", batch["id"])["jobs"][0]["receipts"]) == 4
    figures = stranger.http.get("/.well-known/privacy-proof.json").json()["live"]
    assert figures["live_files"] == 0


def test_a_killed_worker_and_a_restart_of_everything_lose_nothing(
    running: Running, visit: Callable[..., Visit], photo: Path
) -> None:
    ada = visit()
    ada.sign_in()
    batch = ada.call("submit", ada.upload(photo), "realesrgan-x4plus-anime-6b")
    ada.until(batch["id"], "running")
    running.kill("worker")

    # The page goes on telling what is known: it is running, or waits again.
    states = set()
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        states |= {each["state"] for each in ada.live()}
        time.sleep(0.2)
    assert states <= {"running", "queued", "succeeded"}
    running.passes(seconds=60)  # its lease is over

    assert running.stop() == 0
    running.start()
    wait_ready(running)
    done = ada.until(batch["id"], "succeeded", "failed", within=90)
    assert done["state"] == "succeeded", done["jobs"][0]["error"]
    assert [item["id"] for item in ada.call("history")["items"]] == [batch["id"]]


def png(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("1", (width, height)).save(stream, "PNG")
    return stream.getvalue()


def test_wrong_input_is_one_sentence(
    visit: Callable[..., Visit], photo: Path, tmp_path: Path
) -> None:
    ada = visit()
    ada.sign_in()
    for content, code in (
        (b"GIF89a" + bytes(40), "INVALID_FILE_TYPE"),
        (b"", "INVALID_FILE_TYPE"),
        (b"<html><script>alert(1)</script>", "INVALID_FILE_TYPE"),
        (photo.read_bytes()[:900], "MALFORMED_IMAGE"),
        (png(6000, 5000), "RESOLUTION_TOO_HIGH"),
    ):
        wrong = tmp_path / "wrong.png"
        wrong.write_bytes(content)
        batch = ada.call("submit", ada.upload(wrong), FAST)
        if batch["state"] != "failed":  # what only decoding shows
            batch = ada.until(batch["id"], "failed")
        error = batch["jobs"][0]["error"]
        assert error["code"] == code
        assert error["message"].endswith(".")
        assert "Traceback" not in str(batch)
    before = len(ada.call("history")["items"])
    for arguments, said in (
        (([], FAST), "no picture"),
        ((ada.upload(photo), "no-such-model"), "no-such-model"),
        ((ada.upload(photo), FAST, 5), "scale of 5"),
    ):
        with pytest.raises(Refusal, match=said):
            ada.call("submit", *arguments)
    assert len(ada.call("history")["items"]) == before


def resident_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


def test_the_web_process_stays_small_and_without_torch(running: Running, origin: str) -> None:
    web = running.pid("web")

    assert "libtorch" not in Path(f"/proc/{web}/maps").read_text()
    assert resident_megabytes(web) < 300
    worker = Path(f"/proc/{running.pid('worker')}/maps").read_text()
    assert "gradio" not in worker


def test_everything_ends_cleanly_while_a_page_is_open(
    running: Running, visit: Callable[..., Visit]
) -> None:
    ada = visit()
    ada.sign_in()
    with ada.http.stream("GET", "/gradio_api/heartbeat/abcdefghijk") as stream:
        assert stream.status_code == 200
        begin = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - begin < 20
