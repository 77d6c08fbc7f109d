"""The API as its callers have it: `gradio_client` against a running server."""

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from db import batches, jobs, views, workers
from db.store import Store
from inference.catalog import CATALOG
from pages.api import Endpoints
from tests.pages.server import Serving
from tests.tasks.pictures import FAST, picture

Photo = Callable[..., Any]


@pytest.fixture
def ada(api: Serving) -> Client:
    """Somebody new in every test."""
    return api.client(f"ada-{uuid4().hex}")


@pytest.fixture
def bob(api: Serving) -> Client:
    return api.client(f"bob-{uuid4().hex}")


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    """Bytes in a file, as an argument of a call."""

    def photo(name: str = "photo.jpg", data: bytes | None = None, **size: int) -> Any:
        path = tmp_path / name
        path.write_bytes(picture(output_format="JPEG", **size) if data is None else data)
        return handle_file(path)

    return photo


def blank(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("1", (width, height)).save(stream, "PNG")
    return stream.getvalue()


def until(client: Client, batch_id: str, *states: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while True:
        batch = client.predict(batch_id, api_name="/batch")
        if batch["state"] in states:
            return batch
        assert time.monotonic() < deadline, batch
        time.sleep(0.05)


def refusal(client: Client, *arguments: Any, **named: Any) -> AppError:
    with pytest.raises(AppError) as caught:
        client.predict(*arguments, **named)
    assert "Traceback" not in str(caught.value.message)
    return caught.value


# What there is


def test_the_endpoints_have_their_names_arguments_and_defaults(ada: Client) -> None:
    named = ada.view_api(return_format="dict", print_info=False)["named_endpoints"]

    required = object()
    assert {
        name: {
            each["parameter_name"]: each["parameter_default"]
            if each["parameter_has_default"]
            else required
            for each in endpoint["parameters"]
        }
        for name, endpoint in named.items()
    } == {
        "/upscale": {
            "image": required,
            "model": "realesrgan-x4plus",
            "scale": 4,
            "output_format": "png",
        },
        "/submit": {
            "images": required,
            "model": "realesrgan-x4plus",
            "scale": 4,
            "output_format": None,
            "options": None,
            "idempotency_key": None,
        },
        "/batch": {"batch_id": required},
        "/history": {"limit": 20, "cursor": None},
        "/cancel": {"batch_id": required},
        "/delete": {"batch_id": required},
        "/models": {},
    }
    assert named["/upscale"]["parameters"][0]["python_type"]["type"] == "filepath"
    assert named["/upscale"]["returns"][0]["python_type"]["type"] == "filepath"
    assert all(endpoint["description"].endswith(".") for endpoint in named.values())


def test_nobody_gets_in_without_a_token(api: Serving) -> None:
    with pytest.raises(ValueError, match="credentials"):
        Client(api.settings.origin, verbose=False)


# /upscale


def test_upscale_returns_the_picture_under_its_name_and_keeps_it_in_the_history(
    ada: Client, photo: Photo
) -> None:
    result = Path(ada.predict(photo("mein Hafen.jpg"), FAST, 2, api_name="/upscale"))

    assert result.name == f"mein Hafen_2x_{FAST}.png"
    with Image.open(result) as image:
        assert (image.format, image.size) == ("PNG", (48, 32))
    (batch,) = ada.predict(api_name="/history")["items"]
    assert [job["name"] for job in batch["jobs"]] == ["mein Hafen.jpg"]


def test_upscale_takes_another_format_by_name(ada: Client, photo: Photo) -> None:
    result = ada.predict(image=photo(), model=FAST, output_format="webp", api_name="/upscale")

    with Image.open(result) as image:
        assert (image.format, image.size) == ("WEBP", (96, 64))


def test_upscale_tells_the_place_in_the_queue_and_then_the_share_done(
    api: Serving, ada: Client, photo: Photo
) -> None:
    with api.worker.resting():
        first = ada.predict([photo()], FAST, api_name="/submit")
        call = ada.submit(photo(), FAST, api_name="/upscale")

        seen = progress_of(call, lambda unit: "number 2" in unit.desc)
        assert seen.desc == "Waiting: number 2 in the queue"
        ada.predict(first["id"], api_name="/cancel")
        progress_of(call, lambda unit: "number 1" in unit.desc)

        claim = claim_of_test(api.service.store)
        jobs.progress(api.service.store, claim, 3, 8)
        seen = progress_of(call, lambda unit: unit.length == 8)
        assert (seen.index, seen.desc) == (3, "Upscaling")
        jobs.hand_back(api.service.store, claim)

    assert call.result(timeout=30).endswith(".png")


def progress_of(call: Any, awaited: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for unit in call.status().progress_data or ():
            if awaited(unit):
                return unit
        time.sleep(0.05)
    raise AssertionError(call.status())


def claim_of_test(store: Store) -> jobs.Claim:
    claim = jobs.claim_next(store, workers.register(store, "test"))
    assert claim is not None
    return claim


def test_the_picture_is_done_although_its_caller_went_away(
    api: Serving, ada: Client, photo: Photo
) -> None:
    with api.worker.resting():
        call = ada.submit(photo(), FAST, api_name="/upscale")
        progress_of(call, lambda unit: "queue" in unit.desc)
        call.cancel()
        (waiting,) = ada.predict(api_name="/history")["items"]
        assert waiting["state"] == "queued"

    until(ada, waiting["id"], "succeeded")


def test_many_waiting_calls_keep_no_other_call_waiting(
    api: Serving, ada: Client, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = []

    def submit(self: Endpoints, *arguments: Any) -> UUID:
        waiting.append(self)
        return UUID(batch["id"])

    headers = {"Authorization": ada.headers["x-hf-authorization"]}
    with (
        api.worker.resting(),
        httpx.Client(base_url=api.settings.origin, headers=headers, timeout=30) as http,
    ):
        batch = ada.predict([photo()], FAST, api_name="/submit")
        monkeypatch.setattr(Endpoints, "_submit", submit)
        for _ in range(45):  # Gradio's own limit is 40
            call = {"data": [None, FAST, 2, "png"]}
            assert http.post("/gradio_api/call/upscale", json=call).status_code == 200
        begin = time.monotonic()

        assert ada.predict(batch["id"], api_name="/cancel")["state"] == "canceled"

        assert time.monotonic() - begin < 10
    assert len(waiting) == 45


@pytest.mark.parametrize("how", ["/cancel", "/delete"])
def test_upscale_says_when_it_was_canceled_meanwhile(
    api: Serving, ada: Client, photo: Photo, how: str
) -> None:
    with api.worker.resting():
        call = ada.submit(photo(), FAST, api_name="/upscale")
        progress_of(call, lambda unit: "queue" in unit.desc)
        (batch,) = ada.predict(api_name="/history")["items"]
        ada.predict(batch["id"], api_name=how)
        with pytest.raises(AppError) as caught:
            call.result(timeout=10)

    assert caught.value.title == "CANCELED"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "INVALID_FILE_TYPE"),
        (b"GIF89a" + bytes(40), "INVALID_FILE_TYPE"),
        (b"<script>alert(1)</script>", "INVALID_FILE_TYPE"),
        (picture()[:200], "MALFORMED_IMAGE"),
        (blank(6000, 5000), "RESOLUTION_TOO_HIGH"),
        (blank(500, 500), "RESOLUTION_TOO_HIGH"),
    ],
    ids=["nothing", "gif", "page", "cut", "too many pixels", "result too large"],
)
def test_upscale_says_what_is_wrong_with_a_picture(
    ada: Client, photo: Photo, data: bytes, code: str
) -> None:
    error = refusal(ada, photo("photo.png", data), FAST, api_name="/upscale")

    assert error.title == code
    assert error.message.endswith(".")


def test_a_picture_that_is_too_heavy_is_refused_at_the_door(ada: Client, photo: Photo) -> None:
    heavy = photo(data=picture() + bytes(1_000_000))
    with pytest.raises(ValueError, match="exceeds the maximum file size"):
        ada.predict(heavy, FAST, api_name="/upscale")  # the client itself says so

    with Path(heavy["path"]).open("rb") as stream:
        address = f"{ada.src}gradio_api/upload"
        answer = httpx.post(address, files={"files": stream}, headers=ada.headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "FILE_SIZE_EXCEEDED"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"scale": "four"}, "INVALID_OPTIONS"),
        ({"output_format": "gif"}, "INVALID_OPTIONS"),
        ({"model": "no-such-model"}, "UNKNOWN_MODEL"),
        ({"model": None}, "INVALID_OPTIONS"),
        ({"image": "x"}, "UPLOAD_NOT_FOUND"),
        ({"image": "/etc/passwd"}, "UPLOAD_NOT_FOUND"),
        ({"image": None}, "NOTHING_TO_DO"),
    ],
    ids=str,
)
def test_wrong_arguments_of_upscale_are_one_sentence(
    ada: Client, photo: Photo, arguments: dict[str, Any], code: str
) -> None:
    error = refusal(ada, **{"image": photo(), "model": FAST, **arguments}, api_name="/upscale")

    assert error.title == code
    assert error.message.endswith((".", "?"))
    assert ada.predict(api_name="/history")["items"] == []


# /submit


def test_submit_returns_the_batch_and_does_all_of_it(ada: Client, photo: Photo) -> None:
    pictures = [photo("one.jpg"), photo("two.jpg"), photo("three.jpg", b"nothing")]

    batch = ada.predict(pictures, FAST, 2, api_name="/submit")
    done = until(ada, batch["id"], "succeeded")

    assert [job["name"] for job in done["jobs"]] == ["one.jpg", "two.jpg", "three.jpg"]
    assert [job["state"] for job in done["jobs"]] == ["succeeded", "succeeded", "failed"]
    assert done["jobs"][2]["error"]["code"] == "INVALID_FILE_TYPE"
    assert done["jobs"][0]["output"]["width"] == 48
    assert done["jobs"][0]["files"]["result"].endswith(f"/one_2x_{FAST}.jpg")
    assert done["options"]["model"] == FAST


def test_submit_takes_every_option(ada: Client, photo: Photo) -> None:
    options = {
        "width": 60,
        "height": 60.0,
        "quality": 80,
        "lossless": True,
        "bits": 8,
        "metadata": "none",
        "mark": False,
        "precision": "fp32",
        "tile": 16,
        "suffix": False,
        "long_side": None,
    }

    batch = ada.predict([photo()], FAST, output_format="webp", options=options, api_name="/submit")
    (job,) = until(ada, batch["id"], "succeeded", "failed")["jobs"]

    assert (job["output"]["width"], job["output"]["height"]) == (60, 40)
    assert job["files"]["result"].endswith("/photo.webp")
    assert job["report"]["dtype"] == "fp32"
    assert job["report"]["tile"] == 16
    kept = batch["options"]
    assert job["report"]["bits"] == 8
    assert (kept["quality"], kept["lossless"], kept["metadata"]) == (80, True, "none")
    assert (kept["bits"], kept["mark"]) == (8, False)
    assert (kept["scale"], kept["width"]) == (None, 60)


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        ({"options": {"<b>": 1}}, "INVALID_OPTIONS", "'&lt;b&gt;'"),
        ({"options": {"quality": 101}}, "INVALID_OPTIONS", "101"),
        ({"options": [1]}, "INVALID_OPTIONS", "options"),
        ({"options": {"width": 60}, "scale": 2}, "INVALID_OPTIONS", "scale"),
        ({"images": "x"}, "UPLOAD_NOT_FOUND", ""),
        ({"images": []}, "NOTHING_TO_DO", ""),
        ({"idempotency_key": 5}, "INVALID_ARGUMENT", "idempotency_key"),
    ],
    ids=str,
)
def test_wrong_arguments_of_submit_are_one_sentence_that_names_them(
    ada: Client, photo: Photo, arguments: dict[str, Any], code: str, named: str
) -> None:
    error = refusal(ada, **{"images": [photo()], "model": FAST, **arguments}, api_name="/submit")

    assert error.title == code
    assert named in error.message
    assert ada.predict(api_name="/history")["items"] == []


def test_submit_refuses_more_pictures_than_a_batch_may_have(ada: Client, photo: Photo) -> None:
    five = [photo(f"{number}.jpg") for number in range(5)]

    assert refusal(ada, five, FAST, api_name="/submit").title == "TOO_MANY_FILES"


def test_the_same_key_is_the_same_batch(ada: Client, bob: Client, photo: Photo) -> None:
    def submit(client: Client) -> str:
        batch = client.predict([photo()], FAST, idempotency_key="once", api_name="/submit")
        return str(batch["id"])

    assert submit(ada) == submit(ada) != submit(bob)


def test_an_upload_of_somebody_else_is_not_there(api: Serving, ada: Client, bob: Client) -> None:
    path = httpx.post(
        f"{api.settings.origin}/gradio_api/upload",
        headers={"Authorization": bob.headers["x-hf-authorization"]},
        files={"files": ("secret.png", picture())},
    ).json()[0]
    # As a text, in which the gate sees no file.
    error = refusal(ada, [path], FAST, api_name="/submit")

    assert error.title == "UPLOAD_NOT_FOUND"
    assert path not in error.message
    assert Path(path).exists()
    bob.predict([path], FAST, api_name="/submit")


# /batch, /cancel, /delete


@pytest.mark.parametrize("endpoint", ["/batch", "/cancel", "/delete"])
def test_not_yours_not_there_and_no_id_are_the_same_answer(
    ada: Client, bob: Client, photo: Photo, endpoint: str
) -> None:
    batch = bob.predict([photo()], FAST, api_name="/submit")

    answers = {
        (error.title, error.message)
        for batch_id in (batch["id"], str(uuid4()), "zzz", "", None, 5, [batch["id"]])
        for error in [refusal(ada, batch_id, api_name=endpoint)]
    }

    assert [title for title, _ in answers] == ["NOT_FOUND"]
    assert until(bob, batch["id"], "succeeded")["jobs"][0]["files"]["result"]


def test_cancel_ends_what_waits(api: Serving, ada: Client, photo: Photo) -> None:
    with api.worker.resting():
        batch = ada.predict([photo(), photo("other.jpg")], FAST, api_name="/submit")
        assert [job["position"] for job in batch["jobs"]] == [1, 2]

        assert ada.predict(batch["id"], api_name="/cancel")["state"] == "canceled"


def test_delete_leaves_receipts_in_the_place_of_files(
    api: Serving, ada: Client, photo: Photo
) -> None:
    batch = ada.predict([photo()], FAST, api_name="/submit")
    (job,) = until(ada, batch["id"], "succeeded")["jobs"]
    assert set(job["files"]) == {"original", "result", "original_preview", "preview"}

    (job,) = ada.predict(batch["id"], api_name="/delete")["jobs"]

    assert set(job["files"].values()) == {None}
    assert set(job["receipts"]) == set(job["files"])


# /history, /models


def test_the_history_goes_back_page_by_page(ada: Client, photo: Photo) -> None:
    ids = [ada.predict([photo()], FAST, api_name="/submit")["id"] for _ in range(3)]

    newest = ada.predict(limit=2, api_name="/history")
    oldest = ada.predict(limit=2, cursor=newest["next_cursor"], api_name="/history")

    assert [batch["id"] for batch in newest["items"] + oldest["items"]] == ids[::-1]
    assert oldest["next_cursor"] is None


@pytest.mark.parametrize(
    ("arguments", "code"),
    [({"limit": 0}, "INVALID_ARGUMENT"), ({"cursor": "zzz"}, "INVALID_CURSOR")],
    ids=str,
)
def test_wrong_arguments_of_history_are_one_sentence(
    ada: Client, arguments: dict[str, Any], code: str
) -> None:
    assert refusal(ada, **arguments, api_name="/history").title == code


def test_models_are_the_listed_ones_in_order_and_say_which_are_installed(ada: Client) -> None:
    models = ada.predict(api_name="/models")

    assert [model["name"] for model in models[: len(CATALOG)]] == [each.name for each in CATALOG]
    fast = next(model for model in models if model["name"] == FAST)
    assert fast["installed"] is True
    assert (fast["scale"], fast["licence"]) == (4, "BSD-3-Clause")
    assert {model["installed"] for model in models} == {True, False}


# What nobody thought of


def test_what_is_not_an_error_of_ours_says_nothing_about_itself(
    ada: Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret")

    monkeypatch.setattr(batches, "cancel", broken)
    error = refusal(ada, str(uuid4()), api_name="/cancel")

    assert error.title == "INTERNAL_ERROR"
    assert "secret" not in error.message
    assert "the secret" not in "".join(capfd.readouterr())


def test_a_busy_database_does_not_end_a_waiting_call(
    ada: Client, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    from db.errors import DatabaseBusy

    look = views.show
    looks = []

    def busy_at_first(*arguments: Any) -> Any:
        looks.append(arguments)
        if len(looks) == 1:
            raise DatabaseBusy
        return look(*arguments)

    monkeypatch.setattr(views, "show", busy_at_first)

    assert ada.predict(photo(), FAST, 2, api_name="/upscale")
    assert len(looks) > 1
