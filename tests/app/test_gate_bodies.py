"""What hostile bodies do: nothing."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from app import gate_bodies
from app.gate_bodies import MAX_BYTES, MAX_DEPTH, checked, lies_in, read, written
from app.problems import Problem
from tests.app.gated import Actor, House, function_index, house

# Inside Gradio, after every event.
pytestmark = pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting'")

ORIGIN = "http://127.0.0.1:7860"
CANARY = "what nobody may read"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("gated")) as found:
        yield found


@pytest.fixture
def ungated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    # For one test: while it is there, Gradio's folder is its own and not the other's.
    with house(tmp_path_factory.mktemp("ungated"), gated=False) as found:
        yield found


@pytest.fixture(scope="module")
def ada(here: House) -> Actor:
    return here.actor()


@pytest.fixture(scope="module")
def bob(here: House) -> Actor:
    return here.actor()


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    path.write_text(CANARY)
    return path


@pytest.fixture(scope="module")
def hostile(here: House, ada: Actor, bob: Actor, secret: Path) -> dict[str, Any]:
    """Paths and addresses that Ada may not name."""
    of_bob, own = here.upload(bob, text=CANARY), here.upload(ada)
    link, folder_link = own.parent / "link", own.parent.parent / "folder-link"
    link.symlink_to(secret)
    folder_link.symlink_to(secret.parent)
    data = here.settings.data_dir
    return {
        "a file of the machine": "/etc/passwd",
        "the database": f"{data}/app.db",
        "the keys": f"{data}/keys.db",
        "the environment": "/proc/self/environ",
        "a canary": str(secret),
        "another's upload": str(of_bob),
        "a link": str(link),
        "behind a link": f"{folder_link}/secret.txt",
        "own file by the folder above": f"{own.parent}/../{own.parent.name}/{own.name}",
        "another's by the folder above": f"{own.parent}/../../{bob.user_id}/{of_bob.parent.name}/x",
        "up and away": f"{own.parent}/../../../app.db",
        "here": f"{own.parent}/./{own.name}",
        "two slashes": f"{own.parent}//{own.name}",
        "a slash at the end": f"{own}/",
        "percent": str(own).replace("/", "%2f"),
        "percent dots": f"{own.parent}/%2e%2e/%2e%2e/%2e%2e/app.db",
        "relative": own.name,
        "relative to the process": "pyproject.toml",
        "a home": "~/.bashrc",
        "a folder": str(own.parent),
        "the inbox": str(here.inbox),
        "what is not there": f"{own.parent}/other",
        "nul": f"{own}\0.png",
        "half a letter": f"{own.parent}/\ud800",
        "too long": f"{own.parent}/{'a' * 5_000}",
        "empty": "",
        "a scheme": f"file://{own}",
        "an address": "http://169.254.169.254/latest/meta-data",
        "an address of ours": f"{here.url}/gradio_api/file={own}",
        "a number": 1,
        "a list": [str(own)],
        "true": True,
    }


KINDS: dict[str, Callable[[Any], Any]] = {
    "as Gradio writes it": lambda path: {"path": path, "meta": {"_type": "gradio.FileData"}},
    "bare": lambda path: {"path": path},
    "in a gallery": lambda path: [{"image": {"path": path}, "caption": None}],
    "in a message": lambda path: {"text": "", "files": [{"path": path, "meta": {}}]},
    "with another meta": lambda path: {"path": path, "meta": {"_type": "x"}, "url": None},
    "as a stream": lambda path: {"path": path, "is_stream": True, "orig_name": "a.png"},
    "60 deep": lambda path: _deep({"path": path}, 55),
    "10,000 wide": lambda path: [*range(10_000), {"path": path}],
    "in props": lambda path: {"value": {"a": {"b": [{"path": path}]}}, "items": []},
}


def _deep(value: Any, depth: int) -> Any:
    for level in range(depth):
        value = [value] if level % 2 else {"x": value}
    return value


def _bodies(here: House, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Requests that hand the value to Gradio, in each argument and by each way there is."""
    index = function_index(here, "content")
    at = {"fn_index": index, "session_hash": "ahash"}
    yield "/gradio_api/queue/join", {"data": [value], **at}
    yield "/gradio_api/queue/join", {"data": [None], "event_data": value, **at}
    yield "/gradio_api/queue/join", {"data": [None], "session_state": value, **at}
    yield "/gradio_api/queue/join", {"data": [None], "anything": value, **at}
    yield "/gradio_api/run/content", {"data": [value]}
    yield "/gradio_api/call/content", {"data": [value]}
    yield "/gradio_api/call/contents", {"data": [[value]]}


def test_no_path_but_ones_own_reaches_gradio(
    here: House, ada: Actor, hostile: dict[str, Any]
) -> None:
    # Each path by one of the ways, and one path in each form by each way.
    asked = [
        (name, *list(_bodies(here, KINDS["bare"](path)))[number % 7])
        for number, (name, path) in enumerate(hostile.items())
    ]
    for kind, make in KINDS.items():
        asked += [(kind, *way) for way in _bodies(here, make(hostile["a canary"]))]
    before, passed = here.in_inbox(), []

    with here.client(**ada.bearer, **{"Content-Type": "application/json"}) as client:
        for name, address, body in asked:
            answer = client.post(address, content=json.dumps(body))
            if answer.status_code != 404 or CANARY in answer.text:
                passed.append((name, address, answer.status_code))

    assert passed == []
    assert here.in_inbox() == before


def test_no_form_of_a_path_is_overlooked(here: House, ada: Actor, hostile: dict[str, Any]) -> None:
    inbox = here.inbox / str(ada.user_id)

    for path in hostile.values():
        for make in KINDS.values():
            for _, body in _bodies(here, make(path)):
                with pytest.raises(Problem) as refused:
                    checked(json.dumps(body).encode(), inbox, here.url)
                assert refused.value.status == 404


def test_without_the_gate_the_same_bodies_read_the_file(ungated: House, secret: Path) -> None:
    """Or the test above could not fail."""
    file = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    before = ungated.in_inbox()

    assert CANARY in _called(ungated, "content", [file])
    assert CANARY in _called(ungated, "contents", [[{"path": str(secret)}]])
    assert ungated.in_inbox() > before, "and Gradio keeps a copy that it serves"


def _called(here: House, name: str, data: list[Any], **headers: str) -> str:
    with here.client(**headers) as client:
        started = client.post(f"/gradio_api/call/{name}", json={"data": data})
        event = started.json()["event_id"]
        return client.get(f"/gradio_api/call/{name}/{event}").text


def test_ones_own_uploads_are_let_through(here: House, ada: Actor) -> None:
    path = here.upload(ada, "Bäume & Füße.png", "own pixels")
    file = {"path": str(path), "meta": {"_type": "gradio.FileData"}, "url": f"{here.url}/x"}

    assert "own pixels" in _called(here, "content", [file], **ada.bearer)
    assert "own pixels" in _called(here, "contents", [[{"path": str(path)}]], **ada.bearer)


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/x.png",
        "http://127.0.0.1:1/x",
        "//evil.example/x",
        "/\\evil.example",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "ftp://evil.example",
        "HTTP://evil.example",
        f"{ORIGIN}.evil.example/",
        f"{ORIGIN}@evil.example/",
        " https://evil.example",
        "\thttps://evil.example",
        "evil.example",
        ["https://evil.example"],
        1,
    ],
)
def test_no_address_but_our_own_is_let_through(tmp_path: Path, address: Any) -> None:
    for body in ({"url": address}, {"path": None, "url": address}, {"data": [[{"url": address}]]}):
        with pytest.raises(Problem) as refused:
            checked(json.dumps(body).encode(), tmp_path, ORIGIN)
        assert refused.value.code == "NOT_FETCHED"


@pytest.mark.parametrize("address", [None, "", "/files/x", f"{ORIGIN}/gradio_api/file=/x/y"])
def test_our_own_addresses_are_let_through(tmp_path: Path, address: Any) -> None:
    body = {"data": [{"url": address}]}

    assert checked(json.dumps(body).encode(), tmp_path, ORIGIN) == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"{",
        b'{"data": [1,]}',
        b'{"data": NaN}',
        b'{"data": [Infinity]}',
        b'{"data": [-Infinity]}',
        b'{"data": [1e999]}',
        b'{"data": [' + b"9" * 400 + b"]}",
        b'{"data": [' + b"9" * 5_000 + b"]}",
        b'{"data": [9007199254740993]}',
        b'{"data": [], "data": []}',
        b'{"data": [{"path": null, "path": "/etc/passwd"}]}',
        b'{"data": [{"path": "/etc/passwd", "path": null}]}',
        b'{"data": ["\xff"]}',
        '{"data": []}'.encode("utf-16"),
        '\ufeff{"data": []}'.encode(),
        b'{"data": [{"__type__": "update", "value": "x"}]}',
        b'{"x":' * 100 + b"1" + b"}" * 100,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"data": [], "session_hash": 1}',
        b'{"data": [], "session_hash": ["a"]}',
        b'{"data": [], "session_hash": ""}',
        b'{"data": [], "session_hash": "a/b"}',
        b'{"data": [], "session_hash": "' + b"a" * 65 + b'"}',
        b'{"data": [], "event_id": {"a": 1}}',
    ],
    ids=lambda body: f"{len(body)} {body[:40]!r}",
)
def test_what_is_not_plain_json_is_refused(here: House, ada: Actor, body: bytes) -> None:
    headers = {"Content-Type": "application/json", **ada.bearer}
    with here.client() as client:
        for address in ("/gradio_api/queue/join", "/gradio_api/run/echo", "/gradio_api/call/echo"):
            answer = client.post(address, content=body, headers=headers)
            assert answer.status_code == 400
            assert answer.json()["error"]["code"] == "INVALID_REQUEST"


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/vnd.api+json",
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "text/html; application/json",
    ],
)
def test_only_json_is_taken_for_json(here: House, ada: Actor, kind: str | None) -> None:
    headers = ada.bearer | ({"Content-Type": kind} if kind is not None else {})
    with here.client() as client:
        answer = client.post("/gradio_api/call/echo", content=b'{"data": []}', headers=headers)

    assert answer.status_code == 415


def test_a_packed_body_is_not_unpacked(here: House, ada: Actor) -> None:
    with here.client(**ada.bearer) as client:
        answer = client.post(
            "/gradio_api/call/echo", json={"data": []}, headers={"Content-Encoding": "gzip"}
        )

    assert answer.status_code == 415


def _of_size(size: int) -> bytes:
    frame = b'{"data": ["%s", 1]}'
    return frame % (b"a" * (size - len(frame) + 2))


def test_a_body_has_a_size_with_and_without_saying_so(here: House, ada: Actor) -> None:
    def in_pieces(body: bytes) -> Iterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    headers = {"Content-Type": "application/json", **ada.bearer}
    with here.client() as client:

        def status(content: Any) -> int:
            address = "/gradio_api/call/echo"
            return client.post(address, content=content, headers=headers).status_code

        assert status(_of_size(MAX_BYTES)) == 200
        assert status(in_pieces(_of_size(MAX_BYTES))) == 200
        assert status(_of_size(MAX_BYTES + 1)) == 413
        assert status(in_pieces(_of_size(MAX_BYTES + 1))) == 413
        assert status(in_pieces(_of_size(20 * MAX_BYTES))) == 413


def test_a_body_that_dawdles_or_ends_early_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_bodies, "_SECONDS", 0.05)
    headers = Headers({"content-type": "application/json"})

    async def dawdles() -> Any:
        await anyio.sleep(0.02)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def leaves() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(Problem) as refused:
        anyio.run(read, headers, dawdles)
    assert refused.value.status == 408
    with pytest.raises(ClientDisconnect):
        anyio.run(read, headers, leaves)


def test_more_files_than_anybody_needs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    path.write_text("x")

    def of(number: int) -> bytes:
        return json.dumps({"data": [{"path": str(path)}] * number}).encode()

    assert checked(of(gate_bodies.MAX_FILES), tmp_path, ORIGIN)
    with pytest.raises(Problem):
        checked(of(gate_bodies.MAX_FILES + 1), tmp_path, ORIGIN)


def test_nesting_has_a_depth(tmp_path: Path) -> None:
    def of(depth: int) -> bytes:
        return json.dumps({"data": _deep(1, depth - 1)}).encode()

    assert checked(of(MAX_DEPTH), tmp_path, ORIGIN)
    with pytest.raises(Problem):
        checked(of(MAX_DEPTH + 1), tmp_path, ORIGIN)


def test_the_data_folder_may_itself_lie_behind_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    (real / "photo").write_text("x")
    link.symlink_to(real)

    assert lies_in(link, f"{link}/photo")
    assert lies_in(real, f"{real}/photo")
    assert not lies_in(link, f"{real}/photo")
    assert not lies_in(tmp_path / "none", f"{tmp_path}/none/photo")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4).filter(lambda key: key != "url"), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(JSON, JSON, st.sampled_from(["/etc/passwd", "/proc/self/environ", "../x", 7]))
def test_a_path_is_found_wherever_it_stands(around: Any, other: Any, path: Any) -> None:
    def with_path(value: Any) -> Any:
        if isinstance(value, list):
            return [*value[:-1], with_path(value[-1])] if value else [{"path": path}]
        if isinstance(value, dict) and value:
            first = next(iter(value))
            return value | {first: with_path(value[first])}
        return {"meta": other, "path": path}

    body = {"data": with_path(around), "x": other}

    with pytest.raises(Problem):
        checked(json.dumps(body).encode(), Path("/nowhere"), ORIGIN)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_what_gradio_reads_is_what_was_checked(value: Any) -> None:
    body = {"data": value}

    try:
        found = checked(json.dumps(body).encode(), Path("/nowhere"), ORIGIN)
    except Problem:
        return
    assert json.loads(written(found)) == body


def test_a_client_that_gives_up_leaves_the_server_well(here: House, ada: Actor) -> None:
    with here.client(**ada.bearer) as client:

        def breaks_off() -> Iterator[bytes]:
            yield b'{"data": ['
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            client.post(
                "/gradio_api/call/echo",
                content=breaks_off(),
                headers={"Content-Type": "application/json"},
            )
    with httpx.Client(base_url=here.url) as client:
        assert client.get("/healthz").status_code == 200
