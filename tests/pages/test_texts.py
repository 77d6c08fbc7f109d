"""The words of the pages: all in one place, all of them used, and none that is missing."""

import re
from pathlib import Path

import pytest

from pages import texts

PAGES = Path(texts.__file__).parent
SOURCES = [
    *(path for path in PAGES.glob("*.py") if path.name != "texts.py"),
    *PAGES.glob("static/*.js"),
    *PAGES.glob("templates/*.html"),
]
USED = {
    key
    for path in SOURCES
    for key in re.findall(
        r"\b(?:t|markup)\(\s*[\"']([\w.]+)[\"']", path.read_text(encoding="utf-8")
    )
}


def named(key: str) -> str:
    """The key as it is used: without the form of a plural."""
    return re.sub(r"\.(one|other)$", "", key)


def test_every_key_that_is_used_has_words():
    assert USED - {named(key) for key in texts.TEXTS} == set()


def test_every_key_is_used():
    assert {named(key) for key in texts.TEXTS} - USED == set()


def test_what_is_counted_has_a_form_for_one_and_for_others():
    counted = {named(key) for key in texts.TEXTS if named(key) != key}
    assert all({f"{key}.one", f"{key}.other"} <= texts.TEXTS.keys() for key in counted)


def test_values_are_filled_in_and_forms_are_chosen():
    assert texts.t("size", width=600, height=400) == "600 × 400"
    assert texts.t("pictures", count=1) == "1 picture"
    assert texts.t("pictures", count=3) == "3 pictures"


def test_a_missing_value_and_a_missing_key_are_errors():
    with pytest.raises(KeyError):
        texts.t("size", width=600)
    with pytest.raises(KeyError):
        texts.t("no.such.words")
