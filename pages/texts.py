"""Every word of the pages that is not a document: one place, ready for translation.

A key is a literal wherever it is used, here and in the pages' JavaScript, so that a test can find
all of them. `{name}` stands for a value. What is counted has a form for each plural category of
the language (`.one`, `.other`), chosen by `count`. Longer texts are in `content/`.
"""

import json
import re
from collections.abc import Mapping
from functools import cache

LANGUAGE = "en"

_SLOT = re.compile(r"\{(\w+)\}")


def t(key: str, **values: object) -> str:
    """The words of `key` with the values filled in, as plain text: who makes HTML escapes it.

    Raises `KeyError` for a key that is not there, and for a value that is missing.
    """
    if key not in TEXTS and "count" in values:
        key = f"{key}.{'one' if values['count'] == 1 else 'other'}"
    return _SLOT.sub(lambda slot: str(values[slot[1]]), TEXTS[key])


@cache
def module() -> str:
    """The same for browsers: the JavaScript module that `static/say.js` imports."""
    texts = json.dumps(TEXTS, ensure_ascii=False, separators=(",", ":"))
    return f'export const LANGUAGE = "{LANGUAGE}";\nexport const TEXTS = {texts};\n'


TEXTS: Mapping[str, str] = {
    # --- sizes, times and states: static/words.js ---
    "pictures.one": "{count} picture",
    "pictures.other": "{count} pictures",
    "size": "{width} × {height}",
    "weight.gb": "{number} GB",
    "weight.mb": "{number} MB",
    "weight.kb": "{number} kB",
    "span.seconds": "{seconds} s",
    "span.minutes": "{minutes} min",
    "span.hours": "{hours} h",
    "span.brief": "less than a minute",
    "when.today": "today {time}",
    "when.yesterday": "yesterday {time}",
    "when.day": "{day} {time}",
    "queue.next": "next",
    "queue.waiting": "waiting",
    "queue.second": "second in the queue",
    "queue.third": "third in the queue",
    "queue.fourth": "fourth in the queue",
    "queue.fifth": "fifth in the queue",
    "queue.place": "number {place} in the queue",
    "readable.for": "readable for {span}",
    "readable.over": "no longer readable",
    "note.stopping": "stopping",
    "note.starting": "starting",
    "note.share": "{percent} %",
    "note.left": "{percent} % · {span} left",
    "note.deleted": "deleted",
    "note.done": "done in {span} · {left}",
    "note.canceled": "canceled",
    "outcome.running": "running",
    "outcome.waiting": "waiting",
    "outcome.part": "{done} of {all} done",
    "outcome.succeeded": "done",
    "outcome.failed": "failed",
    "outcome.canceled": "canceled",
    "outcome.count": "{count} {what}",
    "goal.long_side": "{pixels} px long side",
    "goal.within": "within {size}",
    "goal.width": "{pixels} px wide",
    "goal.height": "{pixels} px high",
    "goal.scale": "{scale}×",
    "format.png": "PNG",
    "format.jpg": "JPEG",
    "format.webp": "WebP",
    "refusal.kind": "This is not a PNG, JPEG or WebP picture.",
    "refusal.bytes": "{weight} MB; {most} MB is the most that is accepted here.",
    "refusal.broken": "This picture cannot be read; the file may be damaged.",
    "refusal.input": "{megapixels} megapixels; {most} is the most that is accepted here.",
    "refusal.output": "The result would be {size}, {megapixels} megapixels; {most} is the most that"
    " is made here. Choose a smaller scale.",
    "refusal.side": "The result would be {size}; {format} ends at {most} a side. Choose PNG or a"
    " smaller scale.",
    # --- landing, sign-in and the other pages without JavaScript: templates/ ---
    # --- the bar and the tabs: blocks.py ---
    # --- upscale: upscale.py, static/upscale.js and what it imports ---
    # --- try: static/try.js ---
    # --- compare: static/viewer.js and what it imports ---
    # --- history: static/history.js and what it imports ---
    "history.empty": "Nothing yet. What you upscale is listed here, and stays listed after its"
    " files are deleted.",
    "history.nothing": "Nothing in your history matches.",
    "history.nothing_found": "Nothing matches.",
    "history.show_all": "Show everything",
    "history.found.one": "{count} batch matches.",
    "history.found.other": "{count} batches match.",
    "history.found_more": "The newest {count} that match.",
    "history.begun": "{pictures} running again, readable until {moment} as the originals are.",
    "history.list": "Batches",
    "history.more": "Show more",
    "history.retry": "Look again",
    "history.sift": "Look for pictures in the history",
    "history.search": "Name of a picture",
    "history.state": "State",
    "history.state.all": "All",
    "history.state.open": "Unfinished",
    "history.state.succeeded": "Done",
    "history.state.failed": "With failures",
    "history.state.canceled": "Canceled",
    "history.model": "Model",
    "history.model.all": "All",
    "history.open": "Open",
    "history.open_receipts": "Receipts",
    "history.close": "Close",
    "history.download": "Download",
    "history.download_all": "Download all",
    "history.again": "Run again",
    "history.otherwise": "Run again with other settings",
    "history.delete": "Delete now",
    "history.delete_these": "Delete {pictures} now",
    "history.keep": "Keep",
    "history.final": "This is final: {originals}, {results} and {previews} go, and nobody can bring"
    " them back. The row stays, with a receipt for each file.",
    "history.stops.one": "{count} picture is not done and will be stopped.",
    "history.stops.other": "{count} pictures are not done and will be stopped.",
    "history.originals.one": "{count} original",
    "history.originals.other": "{count} originals",
    "history.results.one": "{count} result",
    "history.results.other": "{count} results",
    "history.previews.one": "{count} preview",
    "history.previews.other": "{count} previews",
    "history.last_hour": "readable for {span}",
    "history.unreadable": "unreadable since {moment}, being deleted",
    "history.deleted": "deleted {moment} · {receipts}",
    "history.receipts.one": "{count} receipt",
    "history.receipts.other": "{count} receipts",
    "history.receipts_of": "Receipts of deletion",
    "history.deleted_at": "deleted {moment}, receipt",
    "history.sizes": "up to {size} · {weight}",
    "history.lossless": "{format} without loss",
    "history.took": "{span} of work",
    "history.done": "done in {span}",
    "history.done_deleted": "done in {span}, deleted since",
    "history.how": "How it was made",
    "history.fact.way": "Enlarged",
    "history.fact.model": "Model",
    "history.fact.weights": "Weights",
    "history.fact.device": "Computed on",
    "history.fact.pieces": "In pieces",
    "history.fact.time": "Time",
    "history.fact.result": "Result",
    "history.fact.notes": "Notes",
    "history.way.once": "{scale}× by the network to {size}",
    "history.way.passes": "{scale}× by the network, {passes} times, to {size}",
    "history.way.filter": "then reduced to {size} by a Lanczos filter",
    "history.pieces": "{count} tiles",
    "history.whole": "none, the whole picture at once",
    "history.bits": "{bits} bits per channel",
    "history.slot.original": "Original",
    "history.slot.result": "Result",
    "history.slot.original_preview": "Preview of the original",
    "history.slot.preview": "Preview of the result",
    "again.title": "Run {pictures} again",
    "again.until": "The new batch is readable until {moment}, as long as the originals: running"
    " again gives no more time.",
    "again.model": "Model",
    "again.size": "Size",
    "again.by_side": "By the long side",
    "again.as_before": "As before, {goal}",
    "again.long_side": "Long side in pixels",
    "again.format": "Format",
    "again.same": "Same as original",
    "again.quality": "Quality, 1 to 100",
    "again.run": "Upscale {pictures}",
    "again.close": "Close",
    # --- account: static/account.js ---
    # --- admin: static/admin.js ---
}
