"""The page of who is signed in, before Gradio has come: what the server writes around its bundle.

Gradio's page is empty until half a megabyte of JavaScript has run. The shell has the bar, the
names of the tabs and the outline of the first one where they will be; `static/shell.js` takes it
away once they are. Also names, icons and style sheets, where Gradio has its own or adds ours too
late. Knows nobody: the page is the same for everybody but for the tab.
"""

import re

from pages.public import PRODUCT, render
from pages.tabs import Tab
from pages.theme import SHEETS

# Gradio's own title, picture and address, for whoever shares the page: it is behind a sign-in.
_META = re.compile(r'\s*<meta\s+(?:property="og:|name="twitter:)[^>]*>')
# For a page that other sites frame, which this one never is.
_RESIZER = re.compile(
    r"\s*<script>\s*\(\(\) => \{\s*const root = (?:(?!</script>).)*</script>", re.S
)
_MANIFEST = re.compile(r'\s*<link rel="manifest"[^>]*>')
# Before everything that is long or has to be fetched.
_HEAD = "<style>"
_BODY = "<gradio-app"


def furnish(page: str, chosen: Tab) -> str:
    """Gradio's page with ours around it. Raises `ValueError` when Gradio's page is not what it was,
    so that a test of a new version says so."""
    for pattern in (_META, _RESIZER, _MANIFEST):
        page, found = pattern.subn("", page)
        if not found:
            raise ValueError(f"Gradio's page has changed: no {pattern.pattern}")
    head = str(render("_shell_head.html", product=PRODUCT, sheets=SHEETS))
    # Few have the last one; it comes with Gradio's own.
    tabs = [tab for tab in Tab if tab is not Tab.ADMIN or tab is chosen]
    body = str(render("_shell.html", product=PRODUCT, tabs=tabs, chosen=chosen))
    return _before(_BODY, body, _before(_HEAD, head, page))


def _before(mark: str, added: str, page: str) -> str:
    if page.count(mark) != 1:
        raise ValueError(f"Gradio's page has changed: {page.count(mark)} times {mark}")
    return page.replace(mark, added + mark)
