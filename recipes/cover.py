"""The picture that chats and other sites show beside a link: `python -m recipes.cover`.

1200 × 630, drawn by Chromium with our own fonts and tokens.
"""

import os
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

from pages.public import PRODUCT
from pages.texts import t
from recipes.icons import EDGE, GRAIN, GROUND

STATIC = Path(__file__).parent.parent / "pages" / "static"

PAGE = f"""<!doctype html><link rel="stylesheet" href="tokens.css"><style>
body {{ margin: 0; width: 1200px; height: 630px; display: grid; grid-template-columns: 430px 770px;
  background: var(--paper); color: var(--ink); font: 30px/1.35 var(--sans); }}
.words {{ display: flex; flex-direction: column; justify-content: space-between;
  padding: 56px 0 56px 56px; }}
h1 {{ margin: 0; font-size: 72px; line-height: 1.02; letter-spacing: -0.03em; font-weight: 680; }}
.mark {{ display: flex; align-items: center; gap: 18px; font-weight: 650; }}
.mark svg {{ width: 52px; height: 52px; }}
.both {{ position: relative; }}
.both img {{ position: absolute; inset: 0; width: 100%; height: 100%; object-fit: cover; }}
.both .before {{ clip-path: inset(0 50% 0 0); }}
.both i {{ position: absolute; left: 50%; top: 0; bottom: 0; width: 4px; margin-left: -2px;
  background: white; }}
</style><div class="words"><div class="mark"><svg viewBox="0 0 26 26">
<rect x=".5" y=".5" width="25" height="25" rx="6" fill="{GROUND}" stroke="{EDGE}"/>
<rect x="5.5" y="11.5" width="9" height="9" rx="2.2" fill="{GRAIN}"/></svg>{PRODUCT}</div>
<h1>{t("landing.heading")}</h1></div><div class="both"><img src="pictures/cat-after.webp">
<img class="before" src="pictures/cat-before.webp"><i></i></div>"""


def main() -> None:
    sketch = STATIC / "cover.tmp.html"
    sketch.write_text(PAGE, encoding="utf-8")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1200, "height": 630}, color_scheme="light")
            page.goto(sketch.as_uri())
            page.evaluate("document.fonts.ready")
            cover = STATIC / "pictures" / "cover.jpg"
            page.screenshot(path=cover, type="jpeg", quality=84)
            browser.close()
    finally:
        sketch.unlink()


if __name__ == "__main__":
    main()
