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
    # --- history: static/history.js ---
    # --- account: static/account.js ---
    # --- admin: static/admin.js ---
}
