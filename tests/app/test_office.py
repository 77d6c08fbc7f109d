"""The office is there for admins in a browser, and for nobody else; and it names nobody."""

import json
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest

from app.settings import Settings
from db import acknowledgements, history, tokens, users
from pages.public import Site
from tasks.service import Service
from tests import weeks
from tests.app.conftest import Browser
from tests.tasks.conftest import Submit

ADDRESS = "/admin/models?name=mine&ending=.pth"
ACTS = ("show", "now", "pull", "check", "remove", "stop")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    object.__setattr__(settings, "max_model_megabytes", 0.001)
    object.__setattr__(settings, "admin_emails", "ADA@example.org")
    return settings


@pytest.fixture
def ada(service: Service) -> UUID:
    """An admin, by her verified address."""
    issuer = "https://id.example.org"
    return users.ensure_user(
        service.store, issuer, "ada", email="ada@example.org", email_verified=True
    )


@pytest.fixture
def token_of_ada(
    browser: Browser, settings: Settings, service: Service, ada: UUID
) -> Iterator[httpx.Client]:
    acknowledgements.record(service.store, ada, Site(settings).policy_version)
    _, secret = tokens.create(service.store, ada, "a program")
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=settings.origin, headers=headers) as client:
        yield client


def ask(client: httpx.Client, act: str, what: dict[str, str] | None = None) -> str:
    """The answer of the tab's own event, as it comes."""
    config = client.get("/config").json()
    (part,) = [each for each in config["components"] if each["props"].get("elem_id") == "admin"]
    body = {"fn_index": part["props"]["props"]["event"], "data": [{"act": act, "what": what or {}}]}
    return client.post("/gradio_api/run/predict", json=body).text


def test_an_admin_is_told_everything_and_nobodys_name(
    browser: Browser, service: Service, ada: UUID
) -> None:
    owner = weeks.fill(service.store, days=31, a_day=8)
    client = browser(ada)

    told = ask(client, "show")

    answer = json.loads(told)["data"][0]["ok"]
    assert (answer["waiting"], len(answer["running"])) == (3, 1)
    assert sum(answer["jobs"]["submitted"]) > 100
    assert all((answer["speeds"], answer["failures"], answer["storage"]["stored"]))
    assert {run["kind"] for run in answer["sweeps"] if run["at"]} >= {"retention", "recovery"}
    assert [deed["who"] for deed in answer["deeds"]] == ["other"] * 3
    assert len(answer["models"]) >= 9
    for canary in (
        str(owner),
        weeks.NAME,
        "Canary",
        weeks.ADDRESS,
        "canary",
        str(ada),
        "ada@example.org",
    ):
        assert canary.lower() not in told.lower(), canary
    with service.store.reading() as rows:
        for table in ("batch", "job", "file", "worker", "receipt", "identity"):
            for (each,) in rows.exec_driver_sql(f"SELECT id FROM {table}"):
                assert each not in told
                assert str(UUID(each)) not in told


def test_an_admin_cannot_see_anybodys_pictures(
    browser: Browser, ada: UUID, bob: UUID, submit: Submit, service: Service
) -> None:
    batch = submit(bob)
    (view,) = history.page(service.store, bob).items
    addresses = [f"/files/{file.id}" for job in view.jobs for file in job.files]
    owner, admin = browser(bob), browser(ada)

    assert [owner.get(address).status_code for address in addresses] == [200]
    assert [admin.get(address).status_code for address in addresses] == [404]
    assert admin.get(f"/batches/{batch}/download").status_code == 404
    assert str(batch) not in admin.get("/live").text


def test_nobody_else_finds_it(browser: Browser, bob: UUID, token_of_ada: httpx.Client) -> None:
    for client in (browser(bob), token_of_ada):
        for act in ACTS:
            answer = json.loads(ask(client, act, {"name": "x"}))
            # A token does not get as far as the page's own questions.
            refused = answer["data"][0]["error"]["code"] if "data" in answer else ""
            assert refused == ("NOT_FOUND" if client is not token_of_ada else "")
        asked, nothing = client.post(ADDRESS, content=b"x"), client.post("/admin/nothing")
        assert asked.status_code == nothing.status_code == 404
        assert asked.json() == nothing.json()
        assert client.get("/admin/models").status_code == 404
    stranger = browser(None)
    assert stranger.post(ADDRESS, content=b"x").status_code == 401
    assert stranger.post("/admin/nothing", content=b"x").status_code == 401


def test_the_page_that_everybody_gets_has_no_figures(
    browser: Browser, service: Service, bob: UUID
) -> None:
    client = browser(bob)
    before = client.get("/config").json()
    weeks.fill(service.store, days=3, a_day=8)
    after = client.get("/config").json()
    (tab,) = [each for each in after["components"] if each["props"].get("label") == "Admin"]

    assert tab["props"]["visible"] is False
    (part,) = [each for each in after["components"] if each["props"].get("elem_id") == "admin"]
    assert part in before["components"]


def test_a_file_is_taken_up_to_the_limit_and_leaves_nothing_when_it_is_refused(
    browser: Browser, ada: UUID, service: Service
) -> None:
    client = browser(ada)

    def code(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.json()["error"]["code"]

    def chunks() -> Iterator[bytes]:
        yield from [b"x" * 400] * 3

    assert code(client.post(ADDRESS, content=b"x" * 1001)) == (413, "MODEL_TOO_LARGE")
    assert code(client.post(ADDRESS, content=chunks())) == (413, "MODEL_TOO_LARGE")
    assert code(client.post("/admin/models?name=../x&ending=.pth", content=b"x")) == (
        422,
        "INVALID_OPTIONS",
    )
    assert code(client.post("/admin/models?name=x&ending=.pt", content=b"x")) == (
        422,
        "INVALID_WEIGHTS",
    )
    assert list(service.folders.scratch.iterdir()) == []
    elsewhere = client.post(ADDRESS, content=b"x", headers={"Origin": "https://evil.example"})
    assert code(elsewhere) == (403, "CROSS_SITE")
