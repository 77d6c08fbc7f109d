"""A visitor of the running service who has nothing but HTTP, as a browser has."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx


class Visit:
    """One browser's cookies and one origin."""

    def __init__(self, origin: str, token: str | None = None) -> None:
        self.origin = origin
        headers = {"Authorization": f"Bearer {token}"} if token else {"Origin": origin}
        self.http = httpx.Client(base_url=origin, headers=headers, timeout=30)

    def close(self) -> None:
        self.http.close()

    def sign_in(self) -> None:
        """As the owner, by one press, and agree to the terms where asked."""
        answer = self.http.post("/login/local")
        assert answer.status_code == 303, answer.text
        page = self.http.get("/", headers={"Accept": "text/html"})
        if page.status_code == 303:
            assert page.headers["location"] == "/welcome"
            agreed = self.http.post("/welcome", data={"terms": "on", "age": "on"})
            assert agreed.status_code == 303, agreed.text

    def upload(self, *photos: Path) -> list[dict[str, Any]]:
        """What Gradio's endpoints are handed for these files."""
        parts = [("files", (photo.name, photo.read_bytes())) for photo in photos]
        answer = self.http.post("/gradio_api/upload", files=parts)
        assert answer.status_code == 200, answer.text
        return [
            {"path": path, "orig_name": photo.name, "meta": {"_type": "gradio.FileData"}}
            for path, photo in zip(answer.json(), photos, strict=True)
        ]

    def call(self, endpoint: str, *arguments: Any) -> Any:
        """What a named endpoint answers, over plain HTTP. Raises `Refusal` for its errors."""
        begun = self.http.post(f"/gradio_api/call/{endpoint}", json={"data": arguments})
        assert begun.status_code == 200, begun.text
        event = begun.json()["event_id"]
        with self.http.stream("GET", f"/gradio_api/call/{endpoint}/{event}") as stream:
            for kind, data in _events(stream):
                if kind == "error":
                    raise Refusal(data)
                if kind == "complete":
                    return data[0]
        raise AssertionError("the stream ended without an answer")

    def live(self) -> list[dict[str, Any]]:
        answer = self.http.get("/live")
        assert answer.status_code == 200, answer.text
        return answer.json()["batches"]

    def until(self, batch_id: str, *states: str, within: float = 60) -> dict[str, Any]:
        """The batch, once it is in one of the states."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            found = [batch for batch in self.live() if batch["id"] == batch_id]
            if found and found[0]["state"] in states:
                return found[0]
            time.sleep(0.1)
        raise AssertionError(f"not {' or '.join(states)} within {within} s: {found}")


class Refusal(Exception):
    """What an endpoint says instead of an answer."""

    def __init__(self, said: Any) -> None:
        super().__init__(str(said))
        self.said = said


def _events(stream: httpx.Response) -> Iterator[tuple[str, Any]]:
    kind = ""
    for line in stream.iter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))
