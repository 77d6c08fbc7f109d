"""The page of who is signed in: a bar on top, the tabs below. Places them and nothing else.

One `gr.Blocks` serves everybody, so nothing of anybody's may be in it when it is built: names,
batches and tokens come with the first questions that the page asks.
"""

from collections.abc import Callable
from typing import Any

import gradio as gr

from app.settings import Settings
from pages import permits, upscale
from pages.account import place_account
from pages.admin import place_admin
from pages.ahead import place_ahead
from pages.asking import EVENT, asking_visitor, script
from pages.errors import told
from pages.history import place_history
from pages.policy import Texts, place_policies
from pages.public import PRODUCT, render
from pages.tabs import Tab, tab_named
from pages.texts import markup
from tasks.model_desk import ModelDesk
from tasks.service import Service


def build_ui(
    service: Service,
    settings: Settings,
    site: Texts,
    api: Callable[[], None],
    desk: ModelDesk,
) -> gr.Blocks:
    """The page. `api` is called inside and adds the named endpoints."""
    demo = _Page(title=PRODUCT, fill_width=True, analytics_enabled=False)
    with demo:
        bar = gr.HTML(
            None,
            html_template=_bar(),
            js_on_load=script("bar"),
            apply_default_css=False,
            elem_id="bar",
            name="",
        )
        with gr.Tabs(elem_id="tabs") as tabs:
            with _tab(Tab.UPSCALE):
                table = upscale.place_upscale(service, settings)
            with _tab(Tab.HISTORY):
                place_history(service)
            with _tab(Tab.ACCOUNT):
                place_account(service, settings)
            with _tab(Tab.POLICIES):
                place_policies(site)
            # In everybody's page, and empty: its figures are for those who may ask for them.
            with _tab(Tab.ADMIN, visible=False) as office:
                place_admin(service, settings, desk)

        place_ahead(service)

        def on_load(request: gr.Request) -> tuple[gr.HTML, gr.Tab, gr.Tabs, gr.HTML]:
            visitor = asking_visitor(request)
            bar = gr.HTML(name=visitor.name)
            shown = gr.Tab(visible=visitor.is_in_office)
            return bar, shown, chosen_tab(request), upscale.on_load(service, visitor)

        opened = demo.load(on_load, None, [bar, office, tabs, table.choices], **EVENT)
        opened.then(None, js=_OPENED, **EVENT)
        api()
    return demo


class _Page(gr.Blocks):
    async def process_api(
        self,
        block_fn: Any,
        inputs: list[Any],
        state: Any = None,
        request: Any = None,
        *others: Any,
        **more: Any,
    ) -> dict[str, Any]:
        """Every event and every call comes through here: the one place that asks whether a token
        may make it."""
        function = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        endpoint = function.api_name if function.api_visibility == "public" else None
        with told():
            permits.check(asking_visitor(request), endpoint)
        return await super().process_api(block_fn, inputs, state, request, *others, **more)

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        """Fill in the defaults of what a plain request leaves out.

        Gradio would refuse it without a word, and print what it was given: names of files.
        """
        inputs += [getattr(each, "value", None) for each in block_fn.inputs[len(inputs) :]]


def chosen_tab(request: gr.Request) -> gr.Tabs:
    """The tab that the page's address names."""
    asked = tab_named(request.query_params.get("tab"))
    if asked is Tab.ADMIN and not asking_visitor(request).is_in_office:
        asked = None
    return gr.Tabs(selected=(asked or Tab.UPSCALE).value)


def _tab(which: Tab, *, visible: bool = True) -> gr.Tab:
    tab = gr.Tab(which.label, id=which.value, visible=visible)
    # So that reloading the page, or coming back to it, opens the same tab.
    tab.select(None, js=_CHOSEN.replace("TAB", which), **EVENT)
    return tab


# The first tab says that it is chosen before the page has asked which one its address names: the
# address must still be there then.
_OPENED = "() => { document.body.dataset.opened = ''; }"
_CHOSEN = """() => {
  // What stands behind it in the address is the tab's own.
  if (!("opened" in document.body.dataset) || location.search === "?tab=TAB") return;
  history.replaceState(history.state, "", "/?tab=TAB");
}"""


def _bar() -> str:
    mark = render("_mark.html")
    return f"""<header class="bar">
<h1><a class="mark" href="/">{mark}<span>{PRODUCT}</span></a></h1>
<span class="who"></span><form method="post" action="/logout"><button class="plain">
{markup("bar.sign_out")}</button></form></header>"""
