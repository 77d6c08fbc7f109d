"""The history, used as people use it: looked through, run again, deleted, and when it is over."""

import re
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import update

from db import history
from db.work import Batch, File, Job
from inference.options import Options
from tasks.deletion import delete_batch
from tasks.retention import sweep
from tasks.submissions import Upload, submit_batch
from tests.browser.conftest import Shots
from tests.browser.serving import Serving
from tests.browser.test_tabs import Visit, visit
from tests.tasks.pictures import FAST, picture

__all__ = ["visit"]

OTHER = "realesrgan-x4plus-anime-6b"


@pytest.fixture
def ada() -> str:
    return f"ada-{uuid4().hex}"


def hand_in(service: Serving, person: str, names: Sequence[str], **options: object) -> UUID:
    """A batch of small pictures with these names; `broken` ones hold no picture."""
    uploads = []
    for number, name in enumerate(names):
        path = service.service.folders.inbox / uuid4().hex
        data = picture(24 + 12 * number, 16 + 8 * number)
        path.write_bytes(b"no picture" if name.startswith("broken") else data)
        uploads.append(Upload(path, name))
    ordered = Options(**{"model": FAST, **options})
    return submit_batch(service.service, service.person(person), uploads, ordered)


def let_time_pass(service: Serving, batch_id: UUID, hours: float) -> None:
    """As if this batch had been handed in earlier."""
    back = timedelta(hours=hours)
    store = service.service.store
    with store.writing() as rows:
        jobs = Job.__table__.select().with_only_columns(Job.id).where(Job.batch_id == batch_id)
        for table, which in ((Batch, Batch.id == batch_id), (File, File.job_id.in_(jobs))):
            (row, *_) = rows.execute(table.__table__.select().where(which)).all()
            rows.execute(update(table).where(which).values(expires_at=row.expires_at - back))


def row_of(page: Page, title: str) -> Locator:
    return page.locator(".entry", has=page.locator(".line b", has_text=title))


def titles(page: Page) -> Locator:
    return page.locator(".entry .line b")


def search(page: Page, words: str) -> None:
    page.get_by_role("searchbox", name="Name of a picture").fill(words)


def test_a_row_says_how_it_was_made_and_after_deletion_what_went_and_when(
    service: Serving, visit: Visit, shots: Shots, ada: str
) -> None:
    hand_in(service, ada, ["cat.png", "broken.png", "猫 🐈.png"], scale=2, output_format="webp")
    service.worker.finish()
    page = visit("?tab=history", name=ada)

    row = row_of(page, "3 pictures, 2×")
    expect(row.locator(".stack img")).to_have_count(2)
    expect(row).to_contain_text("up to 96 × 64")
    expect(row).to_contain_text("Anime video, fastest · WebP 95")
    expect(row).to_contain_text(re.compile(r" of work · (today|yesterday) \d\d"))
    expect(row).to_contain_text("2 done, 1 failed")
    expect(row).to_contain_text(re.compile(r"readable for 47 h \d+ min"))

    opener = row.get_by_role("button", name="Open")
    expect(opener).to_have_attribute("aria-expanded", "false")
    opener.press("Enter")
    closer = row.get_by_role("button", name="Close")
    expect(closer).to_be_focused()
    expect(closer).to_have_attribute("aria-expanded", "true")
    pictures = row.locator(".picture")
    expect(pictures.nth(1)).to_contain_text("This is not a picture that can be read.")
    expect(pictures.nth(2).get_by_role("button", name="Compare")).to_be_visible()

    pictures.nth(0).get_by_text("How it was made").click()
    how = pictures.nth(0).locator("dl")
    expect(how).to_contain_text(
        "4× by the network to 96 × 64, then reduced to 48 × 32 by a Lanczos filter"
    )
    expect(how).to_contain_text(re.compile(r"realesr-animevideov3 · [0-9a-f]{12}"))
    expect(how).to_contain_text(re.compile(r"cpu.* · (bf16|fp32)"))
    shots(page, "history-how")

    asker = row.get_by_role("button", name="Delete now")
    asker.press("Enter")
    question = row.get_by_role("group", name="Delete now")
    expect(question).to_contain_text("This is final: 2 originals, 2 results and 4 previews go")
    expect(question.get_by_role("button", name="Keep")).to_be_focused()
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    expect(asker).to_be_focused()

    asker.click()
    question.get_by_role("button", name="Delete 3 pictures now").click()

    expect(row).to_have_class(re.compile("gone"))
    expect(row).to_contain_text(re.compile(r"deleted (today|yesterday) \d\d:\d\d · 8 receipts"))
    expect(row.locator(".receipts li")).to_have_count(8)
    expect(row.locator(".receipts li").first).to_contain_text(
        re.compile(r"Original deleted (today|yesterday) \d\d:\d\d, receipt [0-9a-f-]{36}")
    )
    expect(row.get_by_role("button", name="Run again")).to_have_count(0)
    expect(row.get_by_role("link")).to_have_count(0)
    shots(page, "history-receipts")


def test_what_is_looked_for_is_found_also_after_no_answer_came_and_after_a_reload(
    service: Serving, visit: Visit, shots: Shots, ada: str, expected_errors: list[str]
) -> None:
    expected_errors.append("net::ERR_FAILED .*/gradio_api/run/predict")
    hand_in(service, ada, ["Kirche ÜBER allem.png"])
    hand_in(service, ada, ["صورة.png", "broken 100%.png"])
    hand_in(service, ada, ["cat.png"], model=OTHER)
    page = visit(name=ada)
    page.route("**/gradio_api/run/predict", lambda route: route.abort())
    page.get_by_role("tab", name="History").click()
    alert = page.locator("#history").get_by_role("alert")
    expect(alert).to_contain_text("No connection to the server.")
    page.unroute("**/gradio_api/run/predict")
    alert.get_by_role("button", name="Look again").click()
    expect(alert).to_be_hidden()
    expect(titles(page)).to_have_count(3)

    search(page, "über")
    expect(titles(page)).to_have_text(["Kirche ÜBER allem.png, 4×"])
    expect(page.locator("#history .told")).to_have_text("1 batch matches.")
    search(page, "0%")
    expect(titles(page)).to_have_text(["2 pictures, 4×"])
    search(page, "")
    page.get_by_label("Model").locator("visible=true").select_option("Anime and illustration")
    expect(titles(page)).to_have_text(["cat.png, 4×"])
    page.get_by_label("State").select_option("With failures")
    expect(page.get_by_text("Nothing in your history matches.")).to_be_visible()
    expect(titles(page)).to_have_count(0)
    shots(page, "history-nothing")

    page.get_by_role("button", name="Show everything").click()
    expect(titles(page)).to_have_count(3)
    page.get_by_label("State").select_option("With failures")
    search(page, "100")
    expect(titles(page)).to_have_text(["2 pictures, 4×"])
    expect(page).to_have_url(re.compile(r"/\?tab=history#q=100&state=failed$"))
    page.reload()
    expect(titles(page)).to_have_text(["2 pictures, 4×"])
    expect(page.get_by_role("searchbox")).to_have_value("100")
    expect(page.get_by_label("State")).to_have_value("failed")


def test_pictures_run_again_at_one_press_and_with_other_settings(
    service: Serving, visit: Visit, shots: Shots, ada: str
) -> None:
    first = hand_in(service, ada, ["cat.png", "dog.png"], scale=2, metadata="all")
    service.worker.finish()
    page = visit("?tab=history", name=ada)
    row = page.locator(".entry").last
    row.get_by_role("button", name="Run again").click()

    expect(titles(page)).to_have_text(["2 pictures, 2×", "2 pictures, 2×"])
    expect(page.get_by_role("status").filter(has_text="running again")).to_contain_text(
        "2 pictures running again, readable until"
    )
    newest, oldest = history.page(service.service.store, service.person(ada)).items
    assert oldest.id == first
    assert newest.expires_at == oldest.expires_at
    expect(page.locator(".entry").first).to_contain_text("waiting")
    # What waits already need not be run again.
    expect(page.locator(".entry").first.get_by_role("button", name="Run again")).to_have_count(0)

    row.get_by_role("button", name="Open").click()
    opener = row.get_by_role("button", name="Run again with other settings")
    opener.click()
    dialog = page.get_by_role("dialog", name="Run 2 pictures again")
    expect(dialog).to_contain_text("The new batch is readable until")
    expect(dialog.get_by_label("Size")).to_have_value("2")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()

    opener.press("Enter")
    dialog.get_by_label("Size").select_option("By the long side")
    dialog.get_by_label("Long side in pixels").fill("200")
    dialog.get_by_label("Format").select_option("JPEG")
    dialog.get_by_label("Quality").fill("70")
    shots(page, "history-again")
    dialog.get_by_role("button", name="Upscale 2 pictures").click()
    expect(dialog).to_have_count(0)
    expect(titles(page).first).to_have_text("2 pictures, 200 px long side")
    kept = history.page(service.service.store, service.person(ada)).items[0].options
    assert (kept["quality"], kept["output_format"], kept["metadata"]) == (70, "jpg", "all")


def test_a_row_counts_down_and_remains_when_its_time_is_over(
    service: Serving, visit: Visit, shots: Shots, ada: str
) -> None:
    batch_id = hand_in(service, ada, ["cat.png"])
    service.worker.finish()
    let_time_pass(service, batch_id, 47.8)
    page = visit("?tab=history", name=ada)
    row = row_of(page, "cat.png")
    # In the last hour every second can be seen to go.
    left = row.locator(".life small")
    expect(left).to_have_text(re.compile(r"readable for \d+ min( \d+ s)?"))
    expect(left).not_to_have_text(left.inner_text())

    let_time_pass(service, batch_id, 0.3)
    sweep(service.service)
    page.reload()
    expect(row).to_contain_text("4 receipts")
    expect(row.get_by_role("button", name="Run again")).to_have_count(0)
    expect(row.get_by_role("link", name="Download")).to_have_count(0)
    row.get_by_role("button", name="Receipts").click()
    expect(row.locator(".picture")).to_contain_text("24 × 16")
    row.get_by_text("How it was made").click()
    expect(row.locator("dl")).to_contain_text("4× by the network to 96 × 64")
    shots(page, "history-over")


def test_every_state_of_a_row_fits_every_window(
    service: Serving, visit: Visit, shots: Shots, ada: str
) -> None:
    over = hand_in(service, ada, ["over.png"])
    gone = hand_in(service, ada, ["gone.png", "gone too.png"])
    hand_in(service, ada, ["a name that is so long that no row has room for it " * 3 + ".png"])
    late = hand_in(service, ada, ["late.png", "broken.png", "c.png", "d.png"], scale=3)
    service.worker.finish()
    let_time_pass(service, over, 49)
    sweep(service.service)
    delete_batch(service.service, gone, service.person(ada))
    let_time_pass(service, late, 40)
    hand_in(service, ada, ["waits.png"], long_side=3840, output_format="jpg")
    page = visit("?tab=history", name=ada)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.reload()
        expect(titles(page)).to_have_count(5)
        row_of(page, "a name that").get_by_role("button", name="Delete now").click()
        row_of(page, "4 pictures").get_by_role("button", name="Open").click()
        for width in (1280, 1000, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate("scrollTo(0, 0)")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{wide} pixels wide"
            heights = page.locator("#history .act:visible").evaluate_all(
                "acts => acts.map((act) => act.getBoundingClientRect().height)"
            )
            assert min(heights) >= 40
            shots(page, f"history-rows-{width}-{scheme}")
