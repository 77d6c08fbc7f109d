"""How a part of the page asks the server something, and is answered.

Each part has one private event of Gradio's. Its JavaScript (`static/ask.js`) calls it directly,
with `{act, what}`, and is answered `{ok}` or `{error}`: errors that people can do something about
are answers, so that the page shows them where they belong. Knows nothing of what is asked.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
from pydantic import BaseModel, ValidationError

from db.errors import StoreError
from inference.errors import EngineError
from pages.visitor import Visitor, visitor_of
from tasks.errors import Refused

log = logging.getLogger(__name__)

Json = dict[str, Any]
Act = Callable[[Visitor, Json], Json]
"""Answers one kind of question. The second argument comes from a browser: anything."""

EVENT: dict[str, Any] = {
    "api_visibility": "private",
    "concurrency_limit": None,
    "queue": False,
    "show_progress": "hidden",
}
"""What all events of the page have in common: they are no part of the API, and wait for nobody."""


class Question(BaseModel):
    """What the JavaScript sends."""

    act: str
    what: dict[str, Any] = {}


def script(module: str) -> str:
    """The `js_on_load` of a part whose JavaScript is `/ui/{module}.js`.

    Its function `start({element, props, watch})` is called with Gradio's own.
    """
    return f'import("/ui/{module}.js").then((part) => part.start({{ element, props, watch }}));'


def part(module: str, **properties: Any) -> gr.HTML:
    """A piece of the page whose inside belongs to `/ui/{module}.js` alone.

    Never give it a template with a word of a user's in it: Gradio runs templates as JavaScript
    after it has filled them in, and its escaping leaves `${…}` as it is.
    """
    return gr.HTML(
        None,
        html_template='<div class="part" aria-busy="true"></div>',
        js_on_load=script(module),
        apply_default_css=False,
        elem_id=module,
        **properties,
    )


def answers(component: gr.HTML, acts: Mapping[str, Act]) -> None:
    """Let `acts` answer what `component` asks."""

    def listen(value: Any, request: gr.Request) -> Json:
        return answer(value, asking_visitor(request), acts)

    # Called by its number and not triggered: when a call of Gradio's own fails for want of a
    # connection, it reloads the page as soon as there is one, and what lay there is gone.
    component.props["event"] = component.submit(listen, component, component, **EVENT)["id"]


def asking_visitor(request: gr.Request) -> Visitor:
    """Who sent a question, called an endpoint, or opened the page."""
    assert request.request is not None  # only Gradio's own examples have none
    return visitor_of(request.request.scope)


def answer(value: Any, visitor: Visitor, acts: Mapping[str, Act]) -> Json:
    """`{ok}` or `{error: {code, message, hint}}`; never raises."""
    try:
        question = Question.model_validate(value)
        act = acts[question.act]
    except (KeyError, ValidationError):
        return {"error": _NOT_UNDERSTOOD}
    try:
        return {"ok": act(visitor, question.what)}
    except (Refused, StoreError, EngineError) as error:
        return {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
    except ValidationError:
        return {"error": _NOT_UNDERSTOOD}
    except Exception:
        log.exception("page_question_failed", extra={"act": question.act})
        return {"error": _FAILED}


_NOT_UNDERSTOOD = {
    "code": "INVALID_REQUEST",
    "message": "The request is not understood.",
    "hint": "Reload the page.",
}
_FAILED = {
    "code": "INTERNAL_ERROR",
    "message": "Something went wrong here, and it was noted.",
    "hint": "Try again.",
}
