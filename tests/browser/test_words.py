"""What the page says about sizes, times and states, run where it is said: in a browser."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route

from pages import texts
from tests.browser.serving import STATIC

Say = Any

LIMITS = {
    "files": 20,
    "bytes": 25_000_000,
    "input_pixels": 25_000_000,
    "output_pixels": 400_000_000,
    "longest_side": {"png": 2**31 - 1, "jpg": 65_535, "webp": 16_383},
}
NOW = "2026-11-23T14:00:00.000Z"


@pytest.fixture
def say(page: Page) -> Say:
    """`say("span", 91)` calls a function of words.js."""
    modules = {name: (STATIC / name).read_text(encoding="utf-8") for name in ("words.js", "say.js")}
    modules["texts.js"] = texts.module()

    def serve(route: Route) -> None:
        body = modules[route.request.url.rpartition("/")[2]]
        route.fulfill(body=body, content_type="text/javascript")

    page.route("**/*.js", serve)
    page.route("**/empty", lambda route: route.fulfill(body="", content_type="text/html"))
    page.goto("http://127.0.0.1/empty")

    def say(function: str, *arguments: Any) -> Any:
        return page.evaluate(
            """async ([name, given]) => {
              const words = await import("/words.js");
              const dated = given.map((each) => each?.date ? new Date(each.date) : each);
              return words[name](...dated);
            }""",
            [function, list(arguments)],
        )

    return say


def date(text: str = NOW) -> dict[str, str]:
    return {"date": text}


def test_spans_are_said_as_people_say_them(say: Say) -> None:
    said = {seconds: say("span", seconds) for seconds in (0, 11, 59.6, 91, 120, 172_680, 172_800)}

    assert said == {
        0: "0 s",
        11: "11 s",
        59.6: "1 min",
        91: "1 min 31 s",
        120: "2 min",
        172_680: "47 h 58 min",
        172_800: "48 h",
    }


def test_sizes_and_weights(say: Say) -> None:
    assert say("size", 600, 400) == "600 × 400"
    assert say("megapixels", 169_000_000) == "169"
    assert say("megapixels", 24_240_000) == "24.2"
    assert [say("weight", bytes_) for bytes_ in (120, 823_000, 8_400_000, 2_100_000_000)] == [
        "1 kB",
        "823 kB",
        "8.4 MB",
        "2.1 GB",
    ]
    assert [say("pictures", number) for number in (1, 3)] == ["1 picture", "3 pictures"]


def test_a_moment_is_said_in_the_zone_of_who_looks(say: Say) -> None:
    def when(moment: str) -> str:
        return say("when", moment, date("2026-11-23T23:30:00Z"), "Europe/Berlin")

    assert when("2026-11-23T23:15:00Z") == "today 00:15"  # the 24th there
    assert when("2026-11-23T13:02:00Z") == "yesterday 14:02"
    assert when("2026-11-20T13:02:00Z") == "20 November 14:02"
    assert when("2025-11-20T13:02:00Z") == "20 November 2025 14:02"


def test_places_in_the_queue(say: Say) -> None:
    assert [say("place", position) for position in (1, 2, 3, 11, None)] == [
        "next",
        "second in the queue",
        "third in the queue",
        "number 11 in the queue",
        "waiting",
    ]


def a_job(state: str, **changes: Any) -> dict[str, Any]:
    job = {
        "state": state,
        "canceling": False,
        "position": None,
        "progress": {"done": 0, "total": 0},
        "ends_at": None,
        "started_at": None,
        "finished_at": None,
        "files": {"original": "/files/1/cat.png"},
        "error": None,
    }
    return job | changes


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        (a_job("queued", position=1), "next"),
        (a_job("running"), "starting"),
        (a_job("running", progress={"done": 62, "total": 100}), "62 %"),
        (a_job("running", progress={"done": 2, "total": 3}, canceling=True), "stopping"),
        (a_job("canceled"), "canceled"),
        (
            a_job("failed", error={"message": "It is damaged.", "hint": "Save it again."}),
            "It is damaged. Save it again.",
        ),
        (
            a_job(
                "succeeded",
                started_at="2026-11-23T13:59:00.000Z",
                finished_at="2026-11-23T13:59:11.200Z",
            ),
            "done in 11 s · readable for 47 h 58 min",
        ),
        (
            a_job(
                "succeeded",
                started_at="2026-11-23T13:59:00.000Z",
                finished_at="2026-11-23T13:59:11.200Z",
                files={"original": None},
            ),
            "done in 11 s · deleted",
        ),
    ],
)
def test_one_sentence_about_a_job(say: Say, job: dict[str, Any], sentence: str) -> None:
    assert say("note", job, "2026-11-25T13:58:30.000Z", date()) == sentence


def test_what_is_left_of_a_running_job_is_counted_down(say: Say) -> None:
    job = a_job("running", progress={"done": 62, "total": 100})

    # 14 s after NOW, in milliseconds since 1970.
    assert say("note", job | {"ends_at": 1_795_442_414_000}, NOW, date()) == "62 % · 14 s left"


def test_the_line_of_a_files_life(say: Say) -> None:
    assert say("age", "2026-11-25T14:00:00Z", date()) == 0
    assert say("age", "2026-11-23T14:00:00Z", date()) == pytest.approx(2 / 3)
    assert say("age", "2026-11-01T14:00:00Z", date()) == 1
    assert say("readable", "2026-11-23T14:00:00Z", date()) == "no longer readable"
    assert say("readable", "2026-11-23T14:00:30Z", date()) == "readable for less than a minute"


def facts(width: int = 600, height: int = 400, **changes: Any) -> dict[str, Any]:
    return {"kind": "jpg", "bytes": 1_000, "width": width, "height": height} | changes


@pytest.mark.parametrize(
    ("facts", "order", "sentence"),
    [
        (facts(), {}, None),
        (facts(kind=None), {}, "This is not a PNG, JPEG or WebP picture."),
        (
            facts(bytes=31_000_000),
            {},
            "31.0 MB; 25 MB is the most that is accepted here.",
        ),
        (facts(broken=True), {}, "This picture cannot be read; the file may be damaged."),
        (
            facts(13_000, 13_000),
            {},
            "169 megapixels; 25 is the most that is accepted here.",
        ),
        (
            facts(6_000, 4_000),
            {"scale": 8},
            "The result would be 48000 × 32000, 1536 megapixels; 400 is the most that is made "
            "here. Choose a smaller scale.",
        ),
        (
            facts(5_000, 2_000),
            {"format": "webp"},
            "The result would be 20000 × 8000; WebP ends at 16383 a side. Choose PNG or a "
            "smaller scale.",
        ),
        (facts(5_000, 2_000), {"format": "png"}, None),
    ],
)
def test_what_would_be_refused_is_refused_before_it_is_sent(
    say: Say, facts: dict[str, Any], order: dict[str, Any], sentence: str | None
) -> None:
    order = {"scale": 4, "format": "same"} | order

    assert say("refusal", facts, order, LIMITS) == sentence


def test_a_file_is_what_its_first_bytes_say(say: Say) -> None:
    def kind(first: bytes) -> str | None:
        return say("kindOf", list(first))

    assert kind(b"\x89PNG\r\n\x1a\n\0\0\0\r") == "png"
    assert kind(b"\xff\xd8\xff\xe0\0\x10JFIF\0\1") == "jpg"
    assert kind(b"RIFF\0\0\0\0WEBP") == "webp"
    assert kind(b"RIFF\0\0\0\0WAVE") is None
    assert kind(b"GIF89a") is None
    assert kind(b"") is None


@pytest.mark.parametrize(
    ("width", "height", "level"), [(1, 1, 0), (2, 1, 1), (256, 200, 8), (257, 200, 8), (9, 5, 4)]
)
def test_a_thumbnail_is_the_largest_level_of_one_small_tile(
    say: Say, width: int, height: int, level: int
) -> None:
    size = {"width": width, "height": height}

    assert say("thumbnail", "/files/7", size) == f"/files/7/tiles/{level}/0_0"
    assert say("thumbnail", None, size) is None


def test_what_came_of_a_batch(say: Say) -> None:
    def outcome(*states: str) -> str:
        return say("outcome", {"jobs": [{"state": state} for state in states]})

    assert outcome("queued", "queued") == "waiting"
    assert outcome("succeeded", "running", "queued") == "1 of 3 done"
    assert outcome("succeeded", "succeeded") == "done"
    assert outcome("succeeded", "failed", "succeeded", "canceled") == (
        "2 done, 1 failed, 1 canceled"
    )
    assert outcome("failed") == "failed"


def test_keys_differ(say: Say) -> None:
    keys = {say("newKey") for _ in range(5)}

    assert len(keys) == 5
    assert all(len(key) == 32 for key in keys)
