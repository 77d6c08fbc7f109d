"""What the tabs ask, answered on a real service: as the JavaScript of the page asks it."""

import asyncio
import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import gradio as gr
import pytest
from starlette.requests import Request

from app.settings import Settings
from db import batches, files, history, preferences, views
from db.work import Role
from inference.errors import InvalidOptions
from inference.options import Options
from pages import asking, blocks, shapes
from pages import history as history_tab
from pages import upscale as upscale_tab
from pages.models import is_non_commercial, labels
from pages.visitor import KEY, Visitor
from tasks import orders
from tasks.model_desk import ModelDesk
from tasks.service import Service
from tasks.submissions import Upload
from tests.db.machine import Machine
from tests.tasks.conftest import Submit, ada, bob, machine, service, settings, submit, upload
from tests.tasks.pictures import FAST, picture

__all__ = ["ada", "bob", "machine", "service", "settings", "submit", "upload"]

STATIC = Path(blocks.__file__).parent / "static"
HOSTILE = "`${alert(1)}` {{name}} <img src=x onerror=alert(1)>.png"

Put = Callable[..., dict[str, str]]


def visitor(user_id: UUID, session: bytes | None = None) -> Visitor:
    return Visitor(user_id, "Ada", False, True, "cookie", session)


def key() -> str:
    return uuid4().hex


@pytest.fixture
def put(service: Service) -> Put:
    """Lay a picture into somebody's inbox, as the upload route does."""

    def put(user_id: UUID, name: str = "cat.png", data: bytes | None = None) -> dict[str, str]:
        folder = service.folders.inbox / str(user_id) / uuid4().hex
        folder.mkdir(parents=True)
        path = folder / "upload"
        path.write_bytes(picture() if data is None else data)
        return {"path": str(path), "orig_name": name}

    return put


def press(*files: dict[str, str], **changes: Any) -> dict[str, Any]:
    """`changes` are of the order, but for the key."""
    key_ = changes.pop("key", None) or key()
    order = {"model": FAST, "scale": 2} | changes
    return {"files": list(files), "order": order, "key": key_}


def test_a_press_becomes_a_batch_and_the_uploads_are_gone(
    service: Service, ada: UUID, put: Put
) -> None:
    first, second = put(ada, "cat.png"), put(ada, HOSTILE)

    batch = upscale_tab.submit(service, visitor(ada), press(first, second, output_format="webp"))[
        "batch"
    ]

    assert [job["name"] for job in batch["jobs"]] == ["cat.png", HOSTILE]
    assert batch["state"] == "queued"
    assert batch["options"]["scale"] == 2
    assert batch["options"]["output_format"] == "webp"
    assert not Path(first["path"]).exists()


def test_same_as_original_leaves_the_format_open(service: Service, ada: UUID, put: Put) -> None:
    batch = upscale_tab.submit(service, visitor(ada), press(put(ada)))["batch"]

    assert batch["options"]["output_format"] is None


def test_a_press_repeated_after_a_lost_answer_does_nothing_twice(
    service: Service, ada: UUID, put: Put
) -> None:
    what = press(put(ada))
    first = upscale_tab.submit(service, visitor(ada), what)["batch"]

    again = upscale_tab.submit(service, visitor(ada), what)["batch"]

    assert again["id"] == first["id"]
    assert len(history.page(service.store, ada).items) == 1


def test_the_same_key_of_somebody_else_is_another_press(
    service: Service, ada: UUID, bob: UUID, put: Put
) -> None:
    same = key()
    first = upscale_tab.submit(service, visitor(ada), press(put(ada), key=same))["batch"]

    other = upscale_tab.submit(service, visitor(bob), press(put(bob), key=same))["batch"]

    assert other["id"] != first["id"]


def test_a_picture_that_cannot_be_taken_is_a_failed_job_with_its_reason(
    service: Service, ada: UUID, put: Put
) -> None:
    what = press(put(ada), put(ada, "notes.png", b"no picture"))

    batch = upscale_tab.submit(service, visitor(ada), what)["batch"]

    assert [job["state"] for job in batch["jobs"]] == ["queued", "failed"]
    assert batch["jobs"][1]["error"]["message"]


@pytest.fixture
def acts(service: Service, settings: Settings) -> dict[str, Any]:
    """Every question that the page can ask, by part and act."""
    demo = page(service, settings)
    listeners = {}
    for function in demo.fns.values():
        if function.inputs and isinstance(function.inputs[0], gr.HTML):
            listeners[function.inputs[0].elem_id] = function.fn
    assert set(listeners) == {"upscale", "history", "account", "admin", "ahead"}
    return listeners


class Texts:
    def privacy_html(self) -> str:
        return "<p>private</p>"

    def cookies_html(self) -> str:
        return "<p>one cookie</p>"

    def terms_html(self) -> str:
        return "<p>be kind</p>"


def page(service: Service, settings: Settings) -> gr.Blocks:
    async def build() -> gr.Blocks:
        # Async, because outside of a running loop Gradio makes some and never closes them.
        desk = ModelDesk(service.store, service.folders, lambda *_: ("false",))
        return blocks.build_ui(service, settings, Texts(), lambda: None, desk)

    return asyncio.run(build())


def asked_by(user_id: UUID, query: str = "") -> gr.Request:
    scope = {
        "type": "http",
        "headers": [],
        "query_string": query.encode(),
        "state": {KEY: visitor(user_id)},
    }
    return gr.Request(request=Request(scope))


def test_others_files_and_batches_are_not_there(
    acts: dict[str, Any], ada: UUID, bob: UUID, put: Put, submit: Submit
) -> None:
    batch = str(submit(ada))

    def code(part: str, act: str, what: dict[str, Any]) -> str:
        answer: dict[str, Any] = acts[part]({"act": act, "what": what}, asked_by(bob))
        return answer["error"]["code"]

    assert code("upscale", "submit", press(put(ada))) == "UPLOAD_NOT_FOUND"
    assert code("upscale", "submit", press({"path": "/etc/passwd", "orig_name": "x"})) == (
        "UPLOAD_NOT_FOUND"
    )
    assert code("upscale", "cancel", {"batch": batch, "job": None}) == "NOT_FOUND"
    assert code("upscale", "retry", {"batch": batch}) == "NOT_FOUND"
    assert code("history", "delete", {"batch": batch}) == "NOT_FOUND"
    assert code("history", "again", {"batch": batch, "key": key()}) == "NOT_FOUND"


def test_what_is_refused_is_an_answer_with_a_sentence(
    acts: dict[str, Any], ada: UUID, put: Put
) -> None:
    what = press(*[put(ada) for _ in range(21)])

    answer = acts["upscale"]({"act": "submit", "what": what}, asked_by(ada))

    assert answer["error"]["code"] == "TOO_MANY_FILES"
    assert answer["error"]["message"] == "21 pictures; 20 is the most that one batch may have."


@pytest.mark.parametrize(
    "value",
    [
        None,
        "submit",
        {"act": "drop_tables", "what": {}},
        {"act": "submit", "what": {"files": "all"}},
        {"act": "submit", "what": press(scale="4; rm")},
        {"act": "submit", "what": press(key="short")},
        {"act": "submit", "what": press(quality="95")},
        {"act": "submit", "what": press(tile=64)},
        {"act": "submit", "what": press(model="../weights")},
        {"act": "cancel", "what": {"batch": "../.."}},
        {"act": "retry", "what": {}},
        {"act": "forecast", "what": {"pictures": 0}},
        {"act": "remember", "what": {"choices": {"password": "x"}}},
        {"act": "remember", "what": {"choices": {"scale": 5}}},
    ],
)
def test_anything_else_is_not_understood(acts: dict[str, Any], ada: UUID, value: Any) -> None:
    answer = acts["upscale"](value, asked_by(ada))

    assert answer["error"]["code"] == "INVALID_REQUEST"


def test_what_breaks_says_nothing_about_itself(ada: UUID, caplog: pytest.LogCaptureFixture) -> None:
    def breaks(visitor: Visitor, what: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("secret")

    with caplog.at_level(logging.ERROR):
        answer = asking.answer({"act": "break"}, visitor(ada), {"break": breaks})

    assert answer["error"]["code"] == "INTERNAL_ERROR"
    assert "secret" not in str(answer)
    assert [record.message for record in caplog.records] == ["page_question_failed"]


def test_one_picture_of_a_batch_is_canceled(service: Service, ada: UUID, submit: Submit) -> None:
    batch_id = submit(ada, 2)
    first, _ = history.page(service.store, ada).items[0].jobs

    what = {"batch": str(batch_id), "job": str(first.id)}
    batch = upscale_tab.cancel(service, visitor(ada), what)["batch"]

    assert [job["state"] for job in batch["jobs"]] == ["canceled", "queued"]


def test_a_press_has_the_whole_order(service: Service, ada: UUID, put: Put) -> None:
    order = {"quality": 80, "metadata": "none", "mark": False, "suffix": False, "precision": "fp32"}
    what = press(put(ada), scale=None, width=90, height=40, **order)

    batch = upscale_tab.submit(service, visitor(ada), what)["batch"]

    options = batch["options"]
    assert (options["scale"], options["width"], options["height"]) == (None, 90, 40)
    assert order.items() <= options.items()


@pytest.mark.parametrize(("suffix", "name"), [(True, f"cat_2x_{FAST}.png"), (False, "cat.png")])
def test_a_result_has_a_suffix_or_the_originals_own_name(
    service: Service, ada: UUID, put: Put, suffix: bool, name: str
) -> None:
    what = press(put(ada, "cat.jpg"), suffix=suffix)
    batch_id = UUID(upscale_tab.submit(service, visitor(ada), what)["batch"]["id"])

    (job,) = views.show(service.store, batch_id, ada).jobs

    assert shapes.result_name(job) == name


def test_what_was_canceled_is_started_again_and_a_worker_is_told(
    service: Service, ada: UUID, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = submit(ada, 2)
    nudges: list[int] = []
    monkeypatch.setattr(service.queue, "nudge", nudges.append)
    batches.cancel(service.store, batch_id, ada)
    first, _ = views.show(service.store, batch_id, ada).jobs

    what = {"batch": str(batch_id), "job": str(first.id)}
    batch = upscale_tab.try_again(service, visitor(ada), what)["batch"]

    assert [job["state"] for job in batch["jobs"]] == ["queued", "canceled"]
    assert nudges == [1]


def test_choices_are_remembered_and_what_makes_no_sense_any_more_is_left_out(
    service: Service, ada: UUID, bob: UUID
) -> None:
    def remembered(user_id: UUID) -> dict[str, Any]:
        return upscale_tab.on_load(service, visitor(user_id)).props["remembered"]

    def remember(**choices: Any) -> None:
        upscale_tab.remember(service, visitor(ada), {"choices": choices})

    remember(model=FAST, scale=2, mark=False, denoise=0.5, notify=True)
    remember(scale=None, long_side=2000)
    assert remembered(ada) == {
        "model": FAST,
        "mark": False,
        "denoise": 0.5,
        "notify": True,
        "long_side": 2000,
    }
    assert remembered(bob) == {}

    stale = {"quality": "no number", "metadata": '"everything"', "theme": '"dark"', "mark": "false"}
    preferences.save(service.store, ada, stale)
    remember(model="gone")
    assert remembered(ada) == {
        "mark": False,
        "denoise": 0.5,
        "notify": True,
        "long_side": 2000,
    }


def test_models_are_described_by_what_they_are_for(service: Service) -> None:
    known = labels(service)

    assert known[FAST]["good_for"]
    assert known["realesrgan-x4plus"]["rank"] == 0
    assert known["dat-light-x2"]["rank"] is None
    for model in known.values():
        assert not model["sample"] or (STATIC / model["sample"].removeprefix("/ui/")).is_file()
    assert known["realesrgan-x4plus"]["sample"]
    assert not known["realesr-general-x4v3"]["denoises"], "its weaker twin is not installed"


def test_licences_that_forbid_selling_are_known() -> None:
    assert is_non_commercial("CC-BY-NC-SA-4.0")
    assert not any(map(is_non_commercial, ["BSD-3-Clause", "CC-BY-4.0", "NCSA", ""]))


def test_the_history_goes_on_where_a_page_ended(
    service: Service, ada: UUID, submit: Submit
) -> None:
    for _ in range(3):
        submit(ada)

    first = history_tab.page(service, visitor(ada), {"limit": 2})
    rest = history_tab.page(service, visitor(ada), {"cursor": first["next_cursor"]})

    assert len(first["items"]) == 2
    assert len(rest["items"]) == 1
    assert rest["next_cursor"] is None


def test_the_history_is_looked_through_by_state_model_and_name(
    service: Service, ada: UUID, put: Put, machine: Machine
) -> None:
    upscale_tab.submit(service, visitor(ada), press(put(ada, "ÜBER.png"), put(ada, "x", b"no")))
    machine.passes(seconds=1)
    upscale_tab.submit(service, visitor(ada), press(put(ada, "cat 100%.png")))

    def found(**what: str) -> list[str]:
        items = history_tab.page(service, visitor(ada), what)["items"]
        return [batch["jobs"][0]["name"] for batch in items]

    assert found(search="u\u0308ber") == ["ÜBER.png"]
    assert found(search=" \u202e0%\0 ") == ["cat 100%.png"]
    assert found(state="failed") == ["ÜBER.png"]
    assert found(state="open") == ["cat 100%.png", "ÜBER.png"]
    assert found(state="succeeded") == found(model="another") == []
    answer = history_tab.page(service, visitor(ada), {"model": FAST})
    assert len(answer["items"]) == 2
    assert answer["used"] == (FAST,)
    assert answer["models"][FAST]["installed"]


def test_pictures_run_again_as_they_were_or_with_what_was_changed(
    service: Service, ada: UUID, upload: Callable[..., Upload]
) -> None:
    ordered = Options(
        model="realesr-general-x4v3",
        width=70,
        output_format="webp",
        lossless=True,
        metadata="none",
        denoise=0.5,
        mark=False,
    )
    options = orders.kept_options(ordered)
    first = batches.create(
        service.store,
        ada,
        [
            batches.NewJob(
                "cat.png",
                ordered.model,
                files.keep(service.store, io.BytesIO(picture()), Role.ORIGINAL, format="png"),
                options=options,
                **orders.kept_size(ordered),
            )
        ],
        options=options,
    ).id

    def again(**settings: Any) -> dict[str, Any]:
        what = {"batch": str(first), "settings": settings, "key": key()}
        return history_tab.again(service, visitor(ada), what)["batch"]["options"]

    changed = again(model=FAST, format="webp", quality=95)
    assert changed == options | {
        "model": FAST,
        "denoise": None,
        "scale": None,
        "width": 70,
        "height": None,
        "long_side": None,
    }
    changed = again(model=FAST, scale=8, format="same", quality=60)
    assert (changed["scale"], changed["width"], changed["output_format"]) == (8, None, None)
    assert (changed["quality"], changed["lossless"], changed["metadata"]) == (60, False, "none")
    assert again(model=FAST, long_side=99, format="png", quality=95)["long_side"] == 99
    with pytest.raises(InvalidOptions, match="contradict"):
        again(model=FAST, scale=4, long_side=99, format="png", quality=95)
    with pytest.raises(InvalidOptions, match="quality of 0"):
        again(model=FAST, scale=4, format="png", quality=0)


def test_a_press_of_run_again_repeated_after_a_lost_answer_is_one_batch(
    service: Service, ada: UUID, submit: Submit
) -> None:
    what = {"batch": str(submit(ada)), "key": key()}

    first = history_tab.again(service, visitor(ada), what)["batch"]

    assert history_tab.again(service, visitor(ada), what)["batch"]["id"] == first["id"]
    assert len(history.page(service.store, ada).items) == 2


def test_delete_now_answers_with_the_receipts(service: Service, ada: UUID, submit: Submit) -> None:
    batch_id = submit(ada)

    batch = history_tab.delete(service, visitor(ada), {"batch": str(batch_id)})["batch"]

    (job,) = batch["jobs"]
    assert list(job["receipts"]) == list(job["deleted_at"]) == ["original"]
    assert job["deleted_at"]["original"].endswith("Z")
    assert not any(job["files"].values())
    assert batches.live_files(service.store, batch_id, ada) == []


def test_nothing_of_the_page_is_part_of_the_api(service: Service, settings: Settings) -> None:
    demo = page(service, settings)

    assert {function.api_visibility for function in demo.fns.values()} == {"private"}
    assert {function.concurrency_limit for function in demo.fns.values()} == {None}


def test_the_page_is_nobodys_until_it_is_loaded(
    service: Service, settings: Settings, ada: UUID
) -> None:
    """One `gr.Blocks` serves everybody: what is whose comes with the first event."""
    demo = page(service, settings)
    (load,) = [each for each in demo.fns.values() if each.targets[0][1] == "load"]

    assert "Ada" not in str(demo.get_config_file())
    bar, _, tabs, choices = load.fn(asked_by(ada, "tab=history"))

    assert bar.props["name"] == "Ada"
    assert tabs.selected == "history"
    assert choices.props["models"][FAST]["installed"]


@pytest.mark.parametrize("query", ["", "tab=", "tab=nowhere", "tab=<script>"])
def test_an_address_that_names_no_tab_opens_the_first(query: str, ada: UUID) -> None:
    assert blocks.chosen_tab(asked_by(ada, query)).selected == "upscale"
