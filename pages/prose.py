"""The documents of `content/`: Markdown of ours, with numbers and names filled in.

A text says `{{ name }}` where a number of hours, a limit or the operator belongs. Filling in comes
after Markdown, so that no operator's name is ever read as Markdown or HTML. Knows nothing of pages.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from app.settings import Settings
from db import hours, retention
from inference.options import SCALES
from tasks import retention as upkeep

MINIMUM_AGE = 13

_FOLDER = Path(__file__).parent / "content"
_SLOT = re.compile(r"<p>\{\{ (\w+) \}\}</p>|\{\{ (\w+) \}\}")

Values = Mapping[str, object]


def values(settings: Settings) -> dict[str, object]:
    """Everything that a text may name. Read when asked for, not at import."""

    def in_hours(name: str) -> str:
        return f"{getattr(hours, name).total_seconds() / 3600:g}"

    return {
        "operator": settings.operator_name,
        "email": _link(f"mailto:{settings.operator_email}", settings.operator_email),
        "website": _link(settings.operator_website, settings.operator_website),
        "origin": settings.origin,
        "kept_hours": in_hours("KEPT"),
        "gone_hours": in_hours("GONE"),
        "export_hours": in_hours("EXPORT_KEPT"),
        "hold_days": hours.HOLD_AT_MOST.days,
        "record_days": retention.PERIOD["R2"].days,
        "session_days": retention.PERIOD["R3s"].days,
        "receipt_years": retention.PERIOD["R6"].days // 365,
        "log_days": upkeep.LOGS_KEPT.days,
        "age": MINIMUM_AGE,
        "largest_scale": max(SCALES),
        "max_files": settings.max_files_per_batch,
        "max_megapixels": f"{settings.max_input_megapixels:g}",
        "max_megabytes": f"{settings.max_file_megabytes:g}",
        "max_output_megapixels": f"{settings.max_output_megapixels:g}",
    }


def render(name: str, values: Values) -> Markup:
    """The text `name` as HTML. A value of `Markup` that stands alone replaces its paragraph; any
    other value is escaped. Raises `KeyError` when the text names what there is no value for."""

    def fill(slot: re.Match[str]) -> str:
        alone, within = slot.groups()
        value = values[alone or within]
        if alone and not isinstance(value, Markup):
            return f"<p>{escape(value)}</p>"
        return str(escape(value))

    return Markup(_SLOT.sub(fill, _html(source(name))))  # noqa: S704


def filled_in(name: str, values: Values) -> str:
    """The text as Markdown, with its slots filled in: for where it is shown as it is written."""
    return _SLOT.sub(lambda slot: str(values[slot[1] or slot[2]]), source(name))


@cache
def source(name: str) -> str:
    """The text as it is written, before anything is filled in."""
    return (_FOLDER / f"{name}.md").read_text(encoding="utf-8")


def policy_date() -> date:
    """The day that the privacy policy says it was last changed."""
    found = re.search(r"^Last updated: (.+)$", source("privacy"), re.MULTILINE)
    assert found is not None
    return datetime.strptime(found[1], "%B %d, %Y").date()


def policy_version() -> str:
    """Date and hash of the privacy policy, the same for every operator: `2026-03-17-…`."""
    digest = sha256(source("privacy").encode()).hexdigest()
    return f"{policy_date().isoformat()}-{digest[:12]}"


@cache
def _html(text: str) -> str:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open" and opening.tag != "h1":
            opening.attrSet("id", _anchor(content.content))
    html = str(parser.renderer.render(tokens, parser.options, {}))
    # A wide table or line of code scrolls by itself, and can be reached by keyboard to do so.
    html = html.replace("<table>", '<div class="scrolls" tabindex="0"><table>')
    return html.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')


def _anchor(heading: str) -> str:
    number = re.match(r"(\d+(?:\.\d+)?)\.? ", heading)
    if number:
        return "section-" + number[1].replace(".", "-")
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def _link(address: str, words: str) -> Markup:
    return Markup('<a href="{}" rel="noopener noreferrer">{}</a>').format(address, words)
