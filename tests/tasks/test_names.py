"""Names are shown, never obeyed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.names import clean, distinct, file_name, fitting, portable


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
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.png",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.png",
        ),
        ("\U0001f469\u200d\U0001f467.png\u200d ", "\U0001f469\u200d\U0001f467.png"),
        ("\u200fصورة.png\u200e", "صورة.png"),
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
    visible = kept.replace("\u200c", "").replace("\u200d", "")
    assert {unicodedata.category(c) for c in visible}.isdisjoint({"Cc", "Cf", "Zl", "Zp"})
    assert clean(kept) == kept


@pytest.mark.parametrize(
    ("given_name", "lies_as", "saved_as"),
    [
        ("cat.png", "cat.png", "cat.png"),
        (".htaccess", "_.htaccess", "_.htaccess"),
        ("..", "_..", "_"),
        ("CON", "CON", "_CON"),
        ("lpt1.tar.png", "lpt1.tar.png", "_lpt1.tar.png"),
        ("console.png", "console.png", "console.png"),
        ('a<b>:"c|d?e*.png', 'a<b>:"c|d?e*.png', "a_b___c_d_e_.png"),
        ("cat. . ", "cat. .", "cat"),
        ("\u6771" * 100 + ".png", "\u6771" * 83 + ".png", "\u6771" * 83 + ".png"),
    ],
)
def test_a_name_is_one_that_a_file_can_have_here_and_on_any_machine(
    given_name: str, lies_as: str, saved_as: str
) -> None:
    assert file_name(given_name) == lies_as
    assert portable(given_name) == saved_as


@given(st.text())
def test_any_name_can_be_a_files(name: str) -> None:
    for given_name in (file_name(name), portable(name)):
        assert 1 <= len(given_name.encode()) <= 255
        assert not given_name.startswith(".")
        assert "/" not in given_name
    assert not set('<>:"|?*\\') & set(portable(name))
    assert portable(name)[-1] not in ". "


@given(st.text(max_size=300), st.text(max_size=20))
def test_what_is_added_to_a_name_is_never_cut(stem: str, ending: str) -> None:
    kept = fitting(clean(stem), clean(ending))

    assert len(kept.encode()) <= 255
    assert kept.endswith(clean(ending))


def test_names_that_differ_by_case_alone_are_counted() -> None:
    names = ["a.png", "A.PNG", "a (2).png", "b", "B", "a.png"]

    assert list(distinct(names)) == [
        "a.png",
        "A (2).PNG",
        "a (2) (2).png",
        "b",
        "B (2)",
        "a (3).png",
    ]


@given(st.lists(st.sampled_from(["a", "A", "a.b", "x" * 255, "x" * 254 + "y"]), max_size=8))
def test_names_in_a_folder_are_distinct(names: list[str]) -> None:
    found = list(distinct(names))

    assert len({name.casefold() for name in found}) == len(names)
    assert all(len(name.encode()) <= 255 for name in found)
