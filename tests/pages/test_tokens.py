"""The colours of the look: legible in both schemes, and the same wherever they are named."""

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "pages" / "static"
TOKENS = (STATIC / "tokens.css").read_text()

# Of other sheets, of scripts and of Gradio.
ELSEWHERE = {"--soft", "--body-background-fill", "--columns"}


def colours(selector: str) -> dict[str, str]:
    block = TOKENS.split(f"{selector} {{", 1)[1].split("}", 1)[0]
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it, from 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_systems_dark_scheme_is_the_dark_scheme() -> None:
    assert colours(":root:not(.light)") == colours(".dark")
    assert set(colours(":root")) == set(colours(".dark"))


@pytest.mark.parametrize("scheme", [":root", ".dark"])
@pytest.mark.parametrize("ground", ["paper", "card"])
@pytest.mark.parametrize("text", ["ink", "dim", "safelight", "ok", "bad"])
def test_text_is_legible_on_every_ground(scheme: str, ground: str, text: str) -> None:
    named = colours(scheme)

    assert contrast(named[text], named[ground]) >= 4.5


@pytest.mark.parametrize("scheme", [":root", ".dark"])
def test_text_on_the_button_is_legible(scheme: str) -> None:
    named = colours(scheme)

    assert contrast(named["on-safelight"], named["safelight"]) >= 4.5


@pytest.mark.parametrize(
    "sheet",
    # The viewer is dark in both schemes, and has colours of its own.
    [sheet for sheet in STATIC.glob("*.css") if sheet.stem not in ("tokens", "viewer")],
    ids=lambda sheet: sheet.stem,
)
def test_no_other_sheet_names_a_colour(sheet: Path) -> None:
    values = re.findall(r":([^;{}]*);", sheet.read_text())

    assert not [value for value in values if re.search(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(", value)]


def test_every_token_that_is_used_is_there() -> None:
    there = set(re.findall(r"^ *(--[\w-]+):", TOKENS, re.MULTILINE))
    for sheet in STATIC.glob("*.css"):
        text = sheet.read_text()
        own = set(re.findall(r"(--[\w-]+):", text))
        assert set(re.findall(r"var\((--[\w-]+)\)", text)) <= there | own | ELSEWHERE, sheet.name


def test_every_token_is_used() -> None:
    sheets = " ".join(sheet.read_text() for sheet in STATIC.glob("*.css"))
    there = set(re.findall(r"^ *(--[\w-]+):", TOKENS, re.MULTILINE))

    assert there <= set(re.findall(r"var\((--[\w-]+)\)", sheets))
