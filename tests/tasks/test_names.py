"""Names are shown, never obeyed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.names import clean


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("cat.png", "cat.png"),
        ("Über 東京 🐈.webp", "Über 東京 🐈.webp"),
        ("u\u0308ber.png", "über.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\cat.png", "cat.png"),
        ("two\r\nlines.png", "twolines.png"),
        ("exe\u202egnp.cat", "exegnp.cat"),
        ("\u200b", "picture"),
        ("", "picture"),
        ("a" * 300 + ".jpeg", "a" * 195 + ".jpeg"),
    ],
)
def test_a_name_becomes_one_harmless_line(given_name: str, kept: str) -> None:
    assert clean(given_name) == kept


@given(st.text())
def test_any_name_is_short_clean_and_stays_so(name: str) -> None:
    kept = clean(name)

    assert 1 <= len(kept) <= 200
    assert "/" not in kept
    assert {unicodedata.category(c) for c in kept}.isdisjoint({"Cc", "Cf", "Zl", "Zp"})
    assert clean(kept) == kept
