"""The tab Policies: the same texts as the public pages, for who is signed in.

Knows no word of them: `pages/public.py` does.
"""

import re
from typing import Protocol

import gradio as gr

from pages.texts import t


class Texts(Protocol):
    """Whatever has the texts, as HTML without a page around it."""

    def privacy_html(self) -> str: ...
    def cookies_html(self) -> str: ...
    def terms_html(self) -> str: ...


def place_policies(texts: Texts) -> None:
    """Place the three texts, the first one open."""
    policies = (
        (t("policies.privacy"), "/privacy", texts.privacy_html()),
        (t("policies.cookies"), "/cookies", texts.cookies_html()),
        (t("policies.terms"), "/terms", texts.terms_html()),
    )
    folds = "".join(_fold(*policy, is_open=not n) for n, policy in enumerate(policies))
    gr.HTML(
        f'{_intro()}<div class="policies">{folds}</div>',
        js_on_load=None,
        apply_default_css=False,
        elem_id="policy-texts",
    )


def _fold(title: str, address: str, text: str, *, is_open: bool) -> str:
    return (
        f"<details{' open' if is_open else ''}><summary>{title}</summary>"
        f'<p class="alone"><a href="{address}">{t("policies.alone")}</a></p>'
        f'<div class="text">{_lower(text)}</div></details>'
    )


def _lower(text: str) -> str:
    """The same a level below the page's own heading."""
    return re.sub(r"(</?h)([1-5])", lambda found: f"{found[1]}{int(found[2]) + 1}", text)


def _intro() -> str:
    proof = f'<a href="/privacy/proof">{t("policies.proof")}</a>'
    return f'<p class="policies-intro">{t("policies.intro", proof=proof)}</p>'
