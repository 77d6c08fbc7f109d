"""How the service answers when many look at it, and what it takes: `make bench`.

Starts the real processes in an empty folder. The load comes from this process, on the same machine:
its own work is in the figures.
"""

import argparse
import asyncio
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from app.server import check_port
from app.settings import Settings
from db import acknowledgements, tokens, users, views
from db.work import State
from inference.options import Options
from inference.precision import cpu_flags
from inference.tether import tethered
from pages.public import Site
from tasks.service import Service
from tasks.submissions import Upload, submit_batch

PHOTO = Path(__file__).parent.parent / "tests" / "data" / "photos" / "rocket.jpg"
MODEL = "realesrgan-x4plus"
FAST = "realesr-animevideov3"


@contextmanager
def service(folder: Path, models: Path, **environment: str) -> Iterator[tuple[Settings, float]]:
    """The running service, and the seconds it took to be ready."""
    settings = Settings(data_dir=folder, device="cpu", port=7861)
    check_port(settings)
    folder.mkdir(exist_ok=True)
    if not settings.models_dir.exists():
        settings.models_dir.symlink_to(models.absolute())
    own = {"DATA_DIR": str(folder), "DEVICE": "cpu", "PORT": str(settings.port)}
    begin = time.perf_counter()
    process = subprocess.Popen(
        tethered((sys.executable, "-m", "app", "serve")),
        env={**os.environ, **own, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while asyncio.run(_status(settings.port, "/readyz")) != 200:
            time.sleep(0.1)
        yield settings, time.perf_counter() - begin
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


async def _status(port: int, path: str) -> int:
    try:
        return (await _Caller(port, "").get(path))[0]
    except OSError:
        return 0


class _Caller:
    """One client with one connection that stays open, as a browser's does."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token
        self._etag = ""
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> tuple[int, float]:
        """Status, and seconds until the whole answer was there."""
        begin = time.perf_counter()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{self._port}", "Accept: */*"]
        if self._token:
            lines.append(f"Authorization: Bearer {self._token}")
        if self._etag and path == "/live":
            lines.append(f"If-None-Match: {self._etag}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = dict(
            line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
        )
        status = int(head.split(" ", 2)[1])
        if "chunked" in headers.get("transfer-encoding", ""):
            while size := int(await reader.readline(), 16):
                await reader.readexactly(size + 2)
            await reader.readline()
        elif status != 304:
            await reader.readexactly(int(headers.get("content-length", 0)))
        self._etag = headers.get("etag", self._etag)
        return status, time.perf_counter() - begin


async def _poll(port: int, callers: list[str], path: str, seconds: float) -> list[float]:
    """Every caller asks once a second, each at its own moment of it."""

    async def one(number: int, token: str) -> list[float]:
        caller, took = _Caller(port, token), []
        await asyncio.sleep(number / len(callers))
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            status, spent = await caller.get(path)
            assert status in (200, 304), f"{path} answered {status}"
            took.append(spent)
            await asyncio.sleep(max(0.0, 1 - spent))
        return took

    found = await asyncio.gather(*(one(*each) for each in enumerate(callers)))
    return [spent for took in found for spent in took]


def _load(port: int, callers: list[str], what: str, seconds: float) -> None:
    async def both() -> tuple[list[float], list[float]]:
        return await asyncio.gather(
            _poll(port, callers, "/live", seconds),
            # One page a second beside the polls.
            _poll(port, callers[:1], "/", seconds),
        )

    polls, pages = asyncio.run(both())
    _say(f"| {what} | {_percentiles(polls)} | {_percentiles(pages)} |")


def _percentiles(took: list[float]) -> str:
    cuts = statistics.quantiles(took, n=20, method="inclusive")
    return f"{statistics.median(took) * 1e3:.0f} / {cuts[18] * 1e3:.0f} / {max(took) * 1e3:.0f} ms"


def _users(opened: Service, settings: Settings, number: int) -> list[tuple[UUID, str]]:
    found = []
    for each in range(number):
        user_id = users.ensure_user(opened.store, users.LOCAL, f"bench-{each}")
        acknowledgements.record(opened.store, user_id, Site(settings).policy_version)
        found.append((user_id, tokens.create(opened.store, user_id, "bench")[1]))
    return found


def _submit(opened: Service, user_id: UUID, model: str) -> UUID:
    folder = opened.folders.inbox / str(user_id)
    folder.mkdir(exist_ok=True)
    shutil.copy(PHOTO, folder / "photo.jpg")
    upload = Upload(folder / "photo.jpg", "photo.jpg")
    return submit_batch(opened, user_id, [upload], Options(model=model))


def _memory(data_dir: Path) -> dict[str, float]:
    """Resident MB of each process of the service; shared pages count in each."""
    mark = f"DATA_DIR={data_dir}".encode()
    found = {}
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark in (process / "environ").read_bytes():
                words = (process / "cmdline").read_bytes().split(b"\0")
                status = (process / "status").read_text()
                resident = int(status.split("VmRSS:")[1].split()[0])
                found[words[-2].decode()] = resident * 1024 / 1e6
        except (OSError, IndexError):
            continue
    return found


def _finished(opened: Service, batch_id: UUID, user_id: UUID) -> float | None:
    """Seconds from submission to the end, once it has ended."""
    job = views.show(opened.store, batch_id, user_id).jobs[0]
    if job.finished_at is None:
        return None
    assert job.state == State.SUCCEEDED, job.failure
    return (job.finished_at - job.created_at).total_seconds()


def _end_to_end(opened: Service, user_id: UUID, model: str) -> float:
    batch_id = _submit(opened, user_id, model)
    while (seconds := _finished(opened, batch_id, user_id)) is None:
        time.sleep(0.2)
    return seconds


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Print tables in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m app.bench")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        with service(folder, args.models) as (settings, first):
            pass
        with service(folder, args.models) as (settings, second):
            _say(f"Flags: {' '.join(cpu_flags())}.")
            _say(f"Ready after {first:.1f} s at the first start, {second:.1f} s at the second.\n")
            with Service.open(settings) as opened:
                people = _users(opened, settings, args.clients)
                callers = [token for _, token in people]
                _say("| polling once a second | `/live` p50 / p95 / most | `/` p50 / p95 / most |")
                _say("|---|---|---|")
                # Everybody's first look of the day writes a row.
                _load(settings.port, callers, f"{args.clients} clients, their first looks", 3)
                _load(settings.port, callers, f"{args.clients} clients, no job", args.seconds)
                idle = _memory(folder)
                whole = _end_to_end(opened, people[0][0], FAST)
                warm = _end_to_end(opened, people[0][0], FAST)
                after = _memory(folder)
        one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        with (
            service(folder, args.models, **one_thread) as (settings, _),
            Service.open(settings) as opened,
        ):
            people = _users(opened, settings, args.clients)
            callers = [token for _, token in people]
            _submit(opened, people[0][0], MODEL)
            time.sleep(10)  # the network is loaded, its first piece begun
            for number in (20, args.clients):
                what = f"{number} clients, a job on one thread"
                _load(settings.port, callers[:number], what, args.seconds)
    _say("\n| process | MB idle, after the polls | MB after a picture |")
    _say("|---|---|---|")
    for process, megabytes in sorted(idle.items()):
        _say(f"| {process} | {megabytes:.0f} | {after.get(process, 0):.0f} |")
    _say(f"\nOne photo with {FAST}, from submission to its end: {whole:.2f} s, then {warm:.2f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
