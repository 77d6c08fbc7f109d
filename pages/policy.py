"""The tab Policies: the same texts as the public pages, for who is signed in.

Knows no word of them: `pages/public.py` does.
"""

import re
from typing import Protocol

import gradio as gr


class Texts(Protocol):
    """Whatever has the texts, as HTML without a page around it."""

    def privacy_html(self) -> str: ...
    def cookies_html(self) -> str: ...
    def terms_html(self) -> str: ...


def place_policies(texts: Texts) -> None:
    """Place the three texts, the first one open."""
    policies = (
        ("Privacy", "/privacy", texts.privacy_html()),
        ("Cookies", "/cookies", texts.cookies_html()),
        ("Terms", "/terms", texts.terms_html()),
    )
    folds = "".join(_fold(*policy, is_open=not n) for n, policy in enumerate(policies))
    gr.HTML(
        f'{_LINKS}<div class="policies">{folds}</div>',
        js_on_load=None,
        apply_default_css=False,
        elem_id="policy-texts",
    )


def _fold(title: str, address: str, text: str, *, is_open: bool) -> str:
    return (
        f"<details{' open' if is_open else ''}><summary>{title}</summary>"
        f'<p class="alone"><a href="{address}">On a page of its own</a></p>'
        f'<div class="text">{_lower(text)}</div></details>'
    )


def _lower(text: str) -> str:
    """The same a level below the page's own heading."""
    return re.sub(r"(</?h)([1-5])", lambda found: f"{found[1]}{int(found[2]) + 1}", text)


_LINKS = """<p class="policies-intro">What happens to your pictures and to what is known of you.
<a href="/privacy/proof">See it proved</a>.</p>"""
