"""The pages that need no JavaScript: their form, their numbers, and the policy's every part."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from app.settings import Provider, Settings
from db import hours, retention
from db.proof import Figures
from db.work import Cause
from pages import cookies, proof, prose
from pages.public import Site, problem_page
from tests.pages.documents import Document

STATIC = Path(__file__).parents[2] / "pages" / "static"
NOW = datetime(2026, 3, 19, 9, 5, tzinfo=UTC)
FIGURES = Figures(
    oldest_stored=timedelta(hours=31, minutes=12),
    live_files=48,
    last_sweep=NOW - timedelta(minutes=4),
    last_sweep_failed=False,
    deleted={"expired": 1204, "user": 37},
    open_holds=2,
    now=NOW,
)
GOOGLE = Provider(
    key="google",
    name="Google",
    issuer="https://accounts.google.com",
    client_id="id",
    client_secret="secret",
    policy_url="https://policies.google.com/privacy",
)

PAGES: dict[str, Callable[[Site], str]] = {
    "landing": lambda site: site.landing(),
    "framed": lambda site: site.landing(framed=True),
    "privacy": lambda site: site.privacy(),
    "cookies": lambda site: site.cookies(),
    "terms": lambda site: site.terms(),
    "api": lambda site: site.api(),
    "proof": lambda site: site.proof(FIGURES),
    "press": lambda site: site.sign_in([], "press"),
    "passphrase": lambda site: site.sign_in([GOOGLE], "passphrase", "Wrong.", "history"),
    "welcome": lambda site: site.welcome("Ada", "Please tick both."),
    "signed out": lambda site: site.signed_out(),
    "problem": lambda site: problem_page("There is nothing here.", "Look elsewhere."),
}

FOR_EVERYBODY = {
    "landing": "/",
    "framed": "/",
    "privacy": "/privacy",
    "cookies": "/cookies",
    "terms": "/terms",
    "api": "/api",
    "proof": "/privacy/proof",
}
OWN_ROUTES = ("/favicon.ico", "/manifest.json")


@pytest.fixture
def site() -> Site:
    return Site(Settings())


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_brings_nothing_along(name: str, site: Site) -> None:
    page = Document(PAGES[name](site))

    assert page.is_balanced
    assert page.first("html")["lang"] == "en"
    assert page.text_of("title").strip()
    assert page.meta("description")
    assert page.meta("viewport")
    assert page.count("h1") == 1
    assert page.count("style") == 0
    assert all(script["src"].startswith("/ui/") for script in page.all("script"))
    for _, attributes in page.elements:
        assert not [key for key in attributes if key == "style" or key.startswith("on")]
        loaded = attributes.get("src", "")
        assert not loaded or (STATIC / loaded.removeprefix("/ui/")).is_file()
    for link in page.all("link"):
        if link["href"].startswith("/ui/"):
            assert (STATIC / link["href"].removeprefix("/ui/")).is_file()
        else:
            assert link["rel"] in ("canonical", "icon", "manifest")
            assert link["rel"] == "canonical" or link["href"] in OWN_ROUTES


@pytest.mark.parametrize("name", PAGES)
def test_search_engines_and_chats_are_told_of_what_is_for_everybody(name: str) -> None:
    page = Document(PAGES[name](Site(Settings(public_url="https://upscale.example.org"))))
    canonical = [link["href"] for link in page.all("link") if link["rel"] == "canonical"]
    told = {each["property"]: each["content"] for each in page.all("meta") if "property" in each}

    if name not in FOR_EVERYBODY:
        assert page.meta("robots") == "noindex"
        assert not canonical
        assert not told
        return
    assert canonical == [f"https://upscale.example.org{FOR_EVERYBODY[name]}"]
    assert told["og:url"] == canonical[0]
    assert told["og:title"] == page.text_of("title")
    assert told["og:description"] == page.meta("description") == page.meta("twitter:description")
    assert told["og:image"] == page.meta("twitter:image")
    assert told["og:image"].startswith("https://upscale.example.org/ui/")
    assert page.meta("twitter:card") == "summary_large_image"
    with Image.open(STATIC / told["og:image"].split("/ui/")[1]) as cover:
        assert cover.size == (1200, 630)
        assert told["og:image:width"] == str(cover.width)
        assert told["og:image:height"] == str(cover.height)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_leads_to_the_policies_and_the_proof(name: str, site: Site) -> None:
    addresses = {link["href"] for link in Document(PAGES[name](site)).all("a")}

    assert {"/privacy", "/cookies", "/terms", "/privacy/proof", "/api"} <= addresses


@pytest.mark.parametrize("name", PAGES)
def test_a_link_to_another_site_tells_it_nothing(name: str, site: Site) -> None:
    links = Document(PAGES[name](site)).all("a")
    away = [link for link in links if link["href"].startswith("http")]

    assert all({"noopener", "noreferrer"} <= set(link["rel"].split()) for link in away)


@pytest.mark.parametrize("name", PAGES)
def test_an_operators_name_is_never_read_as_html(name: str) -> None:
    hostile = '<script>alert("1")</script> [x](y) {{ email }}'
    named = Site(Settings(operator_name=hostile, operator_email='a"><b>@example.org'))
    page = Document(PAGES[name](named))

    assert "alert" not in page.text_of("script")
    assert page.is_balanced
    assert page.text_of("footer").count(hostile) == (name != "problem")


def test_every_named_text_has_a_value_for_each_of_its_slots(site: Site) -> None:
    for write in PAGES.values():
        assert "{{" not in write(site)


# What section of the policy has which points, in order; one word or two of each.
POINTS = {
    "3.1": "create an account|sign in to|Google|upload files|support|feedback|subscribe"
    "|name|e-mail address|signing in|account|support|billing|whatever else",
    "3.2": "JPG|PNG|WEBP|name it came with|stores it under|format and type|how far|dates|scale"
    "|batch|downloaded|user id",
    "3.3": "dashboard|earlier batches|uploads|download links|account",
    "3.4": "pages visited|features|clicked|session lasts|signs in|trends|errors|upscaling works"
    "|attempted, succeeded or failed",
    "3.5": "IP address|browser|operating system|device|date and time|led you here|requested"
    "|approximate location|status",
    "4": "provide and run|upscaled ones|download|accounts|who signs in|dashboard|support|better"
    "|reliability|fraud|legal|enforce",
    "5": "Contract|Legitimate interests|Consent|Legal obligation",
    "6": "cannot do without|signing in|preferences|cookie notice|analytics",
    "7.2": "account|history|downloads|problems|perform|legal, tax, audit or security",
    "8.1": "hosting|cloud storage|processing|signing in|analytics|security|support|payments",
    "11": "see the personal data|corrected|deleted|restricted|object|take elsewhere|withdraw"
    "|opt out",
}
SECTIONS = [
    *("1", "2", "3", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "4", "5", "6"),
    *("7", "7.1", "7.2", "7.3", "7.4", "8", "8.1", "8.2", "8.3", "8.4", "8.5"),
    *("9", "10", "11", "12", "13", "14", "15", "16", "17"),
]


def sections_of(policy: str) -> dict[str, str]:
    """The policy's HTML by the number of its section."""
    parts = re.split(r"<h[23][^>]*>", policy)[1:]
    return {part.split(" ")[0].rstrip("."): part for part in parts}


def test_the_policy_has_every_section_and_every_point_in_order(site: Site) -> None:
    sections = sections_of(site.privacy_html())

    assert list(sections) == [*SECTIONS, "Short"]
    for number, section in sections.items():
        points = re.findall(r"<li>(.*?)</li>", section, re.DOTALL)
        expected = POINTS[number].split("|") if number in POINTS else []
        assert len(points) == len(expected), number
        for words, point in zip(expected, points, strict=True):
            assert words in point, number


@pytest.mark.parametrize(
    ("section", "promise"),
    [
        ("1", "only to give you the upscaling"),
        ("1", "do not publish your files, and we do not sell"),
        ("3.2", "personal data of somebody else"),
        ("3.4", "no analytics"),
        ("3.5", "IP addresses are kept only in shortened form"),
        ("6", "control or switch them off"),
        ("7.1", "roughly 48 to 72 hours"),
        ("7.1", "48 hours after you submit a batch"),
        ("7.1", "72 hours after it, their bytes and their keys are gone"),
        ("7.1", "export of your own data can be read for 24 hours"),
        ("7.1", "for 30 days at most"),
        ("7.3", "until they are overwritten or securely deleted"),
        ("7.4", "does not directly identify you"),
        ("8", "do not sell"),
        ("8.3", "court order"),
        ("8.4", "merger"),
        ("9", "outside the country you live in"),
        ("10", "cannot guarantee absolute security"),
        ("11", "everybody, wherever you live"),
        ("12", "unsubscribe link"),
        ("13", "children under 13"),
        ("15", "no automated decisions"),
        ("16", "change the date"),
        ("17", "mailto:support@imagesupscaler.ai"),
        ("17", "https://imagesupscaler.ai"),
        ("Short", "agree to essential cookies"),
    ],
)
def test_the_policy_keeps_a_promise_in_its_section(section: str, promise: str, site: Site) -> None:
    assert promise in sections_of(site.privacy_html())[section]


def test_the_policy_says_when_it_was_last_updated(site: Site) -> None:
    assert "Last updated: March 17, 2026" in site.privacy()
    assert site.policy_version.startswith("2026-03-17-")


@pytest.mark.parametrize("name", ["KEPT", "GONE", "EXPORT_KEPT", "HOLD_AT_MOST"])
def test_hours_in_the_text_are_those_of_the_code(
    name: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = site.privacy_html()
    monkeypatch.setattr(hours, name, timedelta(days=97))

    changed = "97 days" if name == "HOLD_AT_MOST" else str(97 * 24)
    assert changed not in before
    assert changed in site.privacy_html()


@pytest.mark.parametrize(("kind", "section"), [("R2", "7.2"), ("R3s", "7.2"), ("R6", None)])
def test_days_in_the_text_are_those_of_the_code(
    kind: str, section: str | None, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        dict(retention.PERIOD), kind, timedelta()
    )  # a mapping, to be replaced whole
    monkeypatch.setattr(retention, "PERIOD", {**retention.PERIOD, kind: timedelta(days=7 * 365)})

    if section:
        assert f"{7 * 365} days" in sections_of(site.privacy_html())[section]
    else:
        assert "for 7 years" in site.proof(FIGURES)


def test_other_numbers_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prose, "MINIMUM_AGE", 77)
    monkeypatch.setattr("tasks.retention.LOGS_KEPT", timedelta(days=78))
    site = Site(
        Settings(
            max_files_per_batch=71,
            max_input_megapixels=72,
            max_file_megabytes=73.5,
            max_output_megapixels=74,
        )
    )

    assert "under 77" in site.privacy_html()
    assert "I am 77 or older" in site.welcome("Ada")
    assert "that is 78 days" in site.privacy_html()
    for number in ("71 pictures", "72 megapixels", "73.5 MB", "74 megapixels", "77 or older"):
        assert number in site.terms_html()


def test_no_number_of_the_policy_stands_in_its_source() -> None:
    """But for the numbers of sections, and the date."""
    for name in ("privacy", "cookies", "terms"):
        source = re.sub(r"^#+ [\d.]+ ", "", prose.source(name), flags=re.MULTILINE)
        assert re.findall(r"\d+", source.replace("March 17, 2026", "")) == []


def test_the_policys_version_follows_its_text_and_not_its_operator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = Site(Settings()).policy_version

    assert re.fullmatch(r"2026-03-17-[0-9a-f]{12}", version)
    assert Site(Settings(operator_name="Somebody else")).policy_version == version
    monkeypatch.setattr(hours, "KEPT", timedelta(hours=1))
    assert Site(Settings()).policy_version == version
    changed = prose.source("privacy").replace("privacy matters", "privacy does not matter")
    monkeypatch.setattr(prose, "source", lambda name: changed)
    assert Site(Settings()).policy_version != version


def test_the_line_is_drawn_where_its_hours_are() -> None:
    share = re.search(r"--kept: ([\d.]+)%", (STATIC / "site.css").read_text())

    assert share is not None
    assert float(share[1]) == pytest.approx(proof.share_of_line(hours.KEPT), abs=0.01)


@pytest.mark.parametrize(
    ("origin", "names"),
    [
        ("https://example.org", ["__Host-session", "__Host-signin"]),
        ("http://127.0.0.1:7860", ["session", "signin"]),
    ],
)
def test_the_cookie_policy_lists_the_register_under_the_names_in_use(
    origin: str, names: list[str]
) -> None:
    rows = re.findall(
        r"<tr><td><code>(.*?)</code></td><td>(.*?)</td><td[^>]*>(.*?)</td>",
        Site(Settings(public_url=origin)).cookies_html(),
    )

    assert [name for name, _, _ in rows] == names
    assert [purpose for _, purpose, _ in rows] == [cookie.purpose for cookie in cookies.REGISTER]
    assert [lasts for _, _, lasts in rows] == ["14 days", "10 minutes"]


def test_the_short_cookie_notice_stands_in_the_footer(site: Site) -> None:
    footer = Document(site.landing()).text_of("footer")

    assert "By using ImagesUpscaler.ai, you agree to essential cookies" in footer


def test_bare_texts_fit_into_another_page(site: Site) -> None:
    for text in (site.privacy_html(), site.cookies_html(), site.terms_html()):
        document = Document(text)
        assert document.is_balanced
        assert document.count("h1") == 1
        assert document.count("html") == 0


def test_each_sample_has_both_pictures_and_a_slider_for_the_keyboard(site: Site) -> None:
    page = Document(site.landing())
    sliders = [field for field in page.all("input") if field["type"] == "range"]
    choices = [field for field in page.all("input") if field["type"] == "radio"]

    assert all(slider["aria-label"] for slider in sliders)
    samples = [figure["data-sample"] for figure in page.all("figure")]
    assert samples == [choice["value"] for choice in choices] == ["cat", "rocket", "drawing"]
    assert ["checked" in choice for choice in choices] == [True, False, False]
    assert len(sliders) == len(samples)
    pictures = page.all("img")
    assert len(pictures) == 2 * len(samples)
    assert all(image["alt"] for image in pictures)
    # What is not seen at first is not fetched at first.
    assert ["loading" in image for image in pictures] == [False, False, True, True, True, True]
    for image in pictures:
        assert (STATIC / image["src"].removeprefix("/ui/")).stat().st_size < 100_000


def test_the_ways_to_sign_in_are_on_the_landing_page(site: Site) -> None:
    providers = Document(site.landing([GOOGLE], "passphrase"))
    press = Document(site.landing([], "press"))

    assert "Sign in with Google" in providers.text
    assert {"/login/google", "/login"} <= {link["href"] for link in providers.all("a")}
    assert "Sign in as the owner" in providers.text
    assert providers.count("form") == 0
    assert press.first("form") == {"method": "post", "action": "/login/local"}
    assert "Sign in on this machine" in press.text
    assert "no way to sign in here" in site.landing()


def test_in_a_frame_signing_in_opens_a_tab_of_its_own_and_says_why(site: Site) -> None:
    inside, alone = Document(site.landing(framed=True)), Document(site.landing())

    links = [link for link in inside.all("a") if link["href"] == "/login"]
    assert len(links) == 2
    assert all(link["target"] == "_blank" for link in links)
    assert "would not keep you signed in" in inside.text
    assert not [link for link in alone.all("a") if "target" in link]


def test_signing_in_offers_each_provider_with_its_policy(site: Site) -> None:
    hostile = GOOGLE.model_copy(
        update={"key": "other", "name": "<b>Other</b> & sons", "policy_url": None}
    )
    page = Document(site.sign_in([GOOGLE, hostile], None, next="history"))

    addresses = [link["href"] for link in page.all("a")]
    assert "/login/google?next=history" in addresses
    assert "/login/other?next=history" in addresses
    assert "https://policies.google.com/privacy" in addresses
    assert "Sign in with <b>Other</b> & sons" in page.text
    assert page.count("b") == 0
    assert page.count("form") == 0


def test_signing_in_here_is_one_press_or_a_passphrase(site: Site) -> None:
    press = Document(site.sign_in([], "press"))
    passphrase = Document(site.sign_in([], "passphrase", "That is <not> it.", 'a"b'))

    assert press.first("form") == {"method": "post", "action": "/login/local"}
    assert press.count("input") == 0
    sent = {field["name"]: field for field in passphrase.all("input") if "name" in field}
    assert set(sent) == {"next", "passphrase"}
    assert sent["next"]["value"] == 'a"b'
    assert sent["passphrase"]["type"] == "password"
    assert "That is <not> it." in passphrase.text
    assert "no way to sign in here" in site.sign_in([], None)


def test_the_welcome_page_asks_for_terms_and_age(site: Site) -> None:
    page = Document(site.welcome("<i>Ada</i>"))

    assert {"method": "post", "action": "/welcome"} in page.all("form")
    assert {"method": "post", "action": "/logout"} in page.all("form")
    ticks = page.all("input")
    assert [(tick["name"], tick["value"]) for tick in ticks] == [("terms", "yes"), ("age", "yes")]
    assert all("required" in tick and "checked" not in tick for tick in ticks)
    assert "Welcome, <i>Ada</i>" in page.text
    assert site.policy_version in page.text
    assert "right to upload" in page.text


def test_a_problem_is_told_and_escaped() -> None:
    page = Document(problem_page("<b>Gone</b>.", "Try <i>again</i>."))

    assert page.text_of("h1") == "<b>Gone</b>."
    assert "Try <i>again</i>." in page.text
    assert page.count("b") == page.count("i") == 0


def test_the_api_page_names_this_services_own_address() -> None:
    page = Site(Settings(public_url="https://upscale.example.org")).api()

    assert "https://upscale.example.org" in page
    assert "gradio_client" in page
    assert "curl" in page


def test_the_proof_page_tells_the_figures_and_what_they_do_not_prove(site: Site) -> None:
    page = Document(site.proof(FIGURES))

    assert "31 h 12 min is the age of the oldest stored file" in " ".join(page.text.split())
    for words in ("48", "1,204", "4 min ago", "19 March 2026, 09:01 UTC", "prove nothing to you"):
        assert words in page.text
    assert "is not here yet" in page.text
    assert page.first("circle")["cx"] == "43.33%"
    assert "it failed" not in page.text


def test_the_proof_page_of_an_empty_service_and_of_a_failed_sweep(site: Site) -> None:
    nothing = replace(FIGURES, oldest_stored=None, last_sweep=None, deleted={})
    page = Document(site.proof(nothing))

    assert "Nothing is stored." in page.text
    assert "none yet" in page.text
    assert page.count("circle") == 0
    assert "it failed" in site.proof(replace(FIGURES, last_sweep_failed=True))


def test_the_proof_for_programs_has_no_clauses_yet(site: Site) -> None:
    told = site.proof_json(FIGURES)

    assert told["version"] == site.policy_version
    assert told["date"] == "2026-03-17"
    assert told["clauses"] == []
    assert told["live"] == {
        "now": "2026-03-19T09:05:00.000Z",
        "unreadable_after_hours": 48.0,
        "gone_after_hours": 72.0,
        "oldest_stored_seconds": 112_320,
        "live_files": 48,
        "last_sweep": "2026-03-19T09:01:00.000Z",
        "last_sweep_failed": False,
        "deleted": {cause.value: FIGURES.deleted.get(cause, 0) for cause in Cause},
        "open_holds": 2,
    }
    assert (
        site.proof_json(replace(FIGURES, oldest_stored=timedelta(0)))["live"][
            "oldest_stored_seconds"
        ]
        == 0
    )


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=58), "58 min"),
        (timedelta(hours=47, minutes=58, seconds=59), "47 h 58 min"),
        (timedelta(days=30), "720 h 0 min"),
    ],
)
def test_durations_are_told_in_hours_and_minutes(length: timedelta, words: str) -> None:
    assert proof.duration(length) == words


def test_every_reason_for_a_deletion_has_words() -> None:
    assert len(proof.deletions(FIGURES)) == len(Cause)
