"""Colours and type for Gradio's own parts, and what the page's head asks for.

The values are those of `static/tokens.css`, as far as Gradio wants them in Python. The rest of the
look is in `static/app.css`.
"""

from gradio.themes import Base, Color, sizes

_SAFELIGHT = Color(
    name="safelight",
    c50="#fff4ee",
    c100="#ffe3d3",
    c200="#ffc7a8",
    c300="#ffa274",
    c400="#ff7a45",
    c500="#dd4c14",
    c600="#b4360a",
    c700="#932a07",
    c800="#762306",
    c900="#5c1c05",
    c950="#1a0d06",
)
_GREY = Color(
    name="grey",
    c50="#fafaf9",
    c100="#f4f4f3",
    c200="#e0e0dd",
    c300="#c4c4c0",
    c400="#a3a3a0",
    c500="#74746f",
    c600="#5c5c5a",
    c700="#343432",
    c800="#1f1f1e",
    c900="#161615",
    c950="#0d0d0c",
)

SHEETS = ("tokens", "app", "table", "rail", "history", "account", "admin", "small")
"""Our style sheets for the page, in the order in which they override each other."""

HEAD = "".join(f'<link rel="stylesheet" href="/ui/{sheet}.css">' for sheet in SHEETS)
"""For the mount's `head`: our own style sheets, from our own address."""

CSS = ""
"""For the mount's `css`: nothing, for Gradio rewrites what it is handed there."""

THEME = Base(
    primary_hue=_SAFELIGHT,
    neutral_hue=_GREY,
    radius_size=sizes.radius_lg,
    font=["Source Sans 3", "system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
).set(
    body_background_fill="*neutral_100",
    body_background_fill_dark="*neutral_900",
    body_text_color="#171717",
    body_text_color_dark="#ededeb",
    body_text_size="var(--text)",
    block_background_fill="transparent",
    block_background_fill_dark="transparent",
    block_border_width="0px",
    block_border_width_dark="0px",
    block_shadow="none",
    block_shadow_dark="none",
    block_padding="0px",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_400",
    checkbox_label_background_fill="transparent",
    checkbox_label_background_fill_dark="transparent",
    checkbox_label_background_fill_hover="*neutral_100",
    checkbox_label_background_fill_hover_dark="*neutral_700",
    checkbox_label_background_fill_selected="#171717",
    checkbox_label_background_fill_selected_dark="#ededeb",
    checkbox_label_text_color_selected="white",
    checkbox_label_text_color_selected_dark="#161615",
)
"""For the mount's `theme`."""
