"""What the page says about sizes, times and states, run where it is said: in a browser."""

import random
from typing import Any

import pytest
from playwright.sync_api import Page, Route

from inference.geometry import Size
from inference.options import SCALES, Options
from inference.scaling import plan_scaling
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
ORDER: dict[str, Any] = {"scale": 4, "output_format": None}
NOW = "2026-11-23T14:00:00.000Z"


@pytest.fixture
def say(page: Page) -> Say:
    """`say("span", 91)` calls a function of words.js, or of another module that is as pure."""
    names = ("words.js", "say.js", "refusal.js", "forecast.js", "order.js")
    modules = {name: (STATIC / name).read_text(encoding="utf-8") for name in names}
    modules["texts.js"] = texts.module()
    modules["evaluated.js"] = """
      import { enlarged } from "/words.js";
      import { takenIn } from "/forecast.js";
      export const evaluated = (asked) => asked.map(([facts, order]) => {
        const { width, height } = enlarged(facts, order);
        return [width, height, takenIn(facts, order, 4)];
      });"""

    def serve(route: Route) -> None:
        body = modules[route.request.url.rpartition("/")[2]]
        route.fulfill(body=body, content_type="text/javascript")

    page.route("**/*.js", serve)
    page.route("**/empty", lambda route: route.fulfill(body="", content_type="text/html"))
    page.goto("http://127.0.0.1/empty")

    def say(function: str, *arguments: Any, module: str = "words") -> Any:
        return page.evaluate(
            """async ([module, name, given]) => {
              const words = await import(`/${module}.js`);
              const dated = given.map((each) => each?.date ? new Date(each.date) : each);
              return words[name](...dated);
            }""",
            [module, function, list(arguments)],
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
            {"output_format": "webp"},
            "The result would be 20000 × 8000; WebP ends at 16383 a side. Choose PNG or a "
            "smaller scale.",
        ),
        (facts(5_000, 2_000), {"output_format": "png"}, None),
        (facts(), {"bits": 16}, "Only PNG holds 16 bits per channel."),
        (facts(kind="png"), {"bits": 16}, None),
        (
            facts(kind="png", clear=True),
            {"output_format": "jpg"},
            "The picture has transparent parts, and JPEG can't hold them.",
        ),
    ],
)
def test_what_would_be_refused_is_refused_before_it_is_sent(
    say: Say, facts: dict[str, Any], order: dict[str, Any], sentence: str | None
) -> None:
    found = say("refusal", facts, ORDER | order, LIMITS, None, module="refusal")

    assert (found and found["sentence"]) == sentence


@pytest.mark.parametrize(
    ("facts", "order", "change"),
    [
        (facts(6_000, 4_000), {"scale": 8}, {"scale": 4}),
        (facts(5_000, 5_000), {"scale": 16}, {"scale": 4}),
        (facts(5_000, 4_000), {"scale": None, "width": 60_000}, {"long_side": 22_300}),
        (facts(5_000, 2_000), {"output_format": "webp"}, {"output_format": "png"}),
        (facts(), {"bits": 16}, {"output_format": "png"}),
        (facts(13_000, 13_000), {}, None),
    ],
)
def test_what_mends_a_refusal_does(
    say: Say, facts: dict[str, Any], order: dict[str, Any], change: dict[str, Any] | None
) -> None:
    fix = say("refusal", facts, ORDER | order, LIMITS, None, module="refusal")["fix"]

    if change is None:
        assert fix is None
        return
    assert {key: value for key, value in fix["change"].items() if value} == change
    mended = ORDER | order | fix["change"]
    assert say("refusal", facts, mended, LIMITS, None, module="refusal") is None


def test_a_model_that_keeps_the_size_is_said_to(say: Say) -> None:
    model = {"label": "Cleaner", "scale": 1}
    found = say("refusal", facts(), ORDER, LIMITS, model, module="refusal")

    assert found["sentence"] == "Cleaner keeps a picture's size. Choose a model that enlarges."


def test_sizes_are_the_engines_to_the_pixel(say: Say) -> None:
    """Every rounding, halves included, and the number of passes behind an estimate."""
    pick = random.Random(7)
    sizes = [(pick.randint(1, 9000), pick.randint(1, 9000)) for _ in range(500)]
    sizes += [(width, height) for width in range(1, 12) for height in range(1, 12)]
    orders: list[dict[str, int]] = [{"scale": scale} for scale in SCALES]
    orders += [{"long_side": side} for side in (1, 3, 1000, 3840)]
    orders += [
        {"width": 1920},
        {"height": 1081},
        {"width": 5, "height": 7},
        {"width": 3, "height": 2},
    ]
    asked, expected = [], []
    for size in sizes:
        for order in orders:
            plan = plan_scaling(Size(*size), 4, Options(**order))
            asked.append([{"width": size[0], "height": size[1]}, order])
            expected.append([*plan.output, plan.taken_in])

    found = say("evaluated", asked, module="evaluated")

    assert found == expected


def suggested(say: Say, rates: dict[str, float], *sizes: int) -> tuple[str | None, str | None]:
    models = {
        name: {"name": name, "scale": 4, "installed": True, "rank": rank}
        for rank, name in enumerate(("best", "good", "quick"))
    }
    models |= {"special": {"name": "special", "scale": 4, "installed": True, "rank": None}}
    forecast = {
        "rates": {name: {"pixels": rate, "measured": True} for name, rate in rates.items()},
        "workers": 1,
    }
    load = [{"width": size, "height": 1000} for size in sizes]
    found = say("suggested", load, ORDER, models, forecast, "good", module="forecast")
    return found["name"], found["why"]


def test_who_has_not_chosen_gets_the_best_model_that_is_done_within_two_minutes(say: Say) -> None:
    rates = {"best": 10_000.0, "good": 30_000.0, "quick": 900_000.0, "special": 9e9}

    assert suggested(say, rates, 1000) == ("best", "best")
    assert suggested(say, rates, 1000, 1000) == ("good", "best")
    assert suggested(say, rates, 90_000) == ("quick", "best")
    assert suggested(say, rates, 900_000) == ("quick", "fastest")
    assert suggested(say, {}, 1000) == ("good", None)
    assert suggested(say, rates) == ("good", None)


def test_a_batch_is_as_far_as_its_pixels_are(say: Say) -> None:
    def job(state: str, width: int, done: int = 0) -> dict[str, Any]:
        size = {"width": width, "height": 10}
        return {"state": state, "input": size, "progress": {"done": done, "total": 4}}

    jobs = [job("succeeded", 30), job("running", 20, 2), job("queued", 10), job("failed", 900)]
    assert say("shareOf", jobs, module="forecast") == pytest.approx(40 / 60)
    assert say("shareOf", [job("failed", 1)], module="forecast") == 0


def test_what_is_left_of_a_batch_is_known_while_nobody_else_comes_first(say: Say) -> None:
    def left(*places: int | None) -> float | None:
        size = {"width": 100, "height": 10}
        waiting = [{"state": "queued", "input": size, "position": place} for place in places]
        running = {"state": "running", "input": size, "ends_at": 1_795_442_410_000}
        batch = {"jobs": [running, *waiting], "options": {"model": "a", "scale": 4}}
        forecast = {"rates": {"a": {"pixels": 100, "measured": True}}, "workers": 1}
        models = {"a": {"name": "a", "scale": 4}}
        return say("secondsLeft", batch, models, forecast, date(), module="forecast")

    assert left() == 10
    assert left(1, 2) == 10 + 2 * 11
    assert left(1, 3) is None
    assert left(None) is None


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
