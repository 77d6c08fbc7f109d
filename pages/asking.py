"""How a part of the page asks the server something, and is answered.

The JavaScript behind a `gr.HTML` puts `{ask, act, what}` into the component's value and submits
it; the answer arrives as the component's property `answer`: `{ask, ok}` or `{ask, error}`. Errors
that people can do something about are answers, so that the page shows them where they belong.
Knows nothing of what is asked.
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

    ask: int
    """Its number, sent back with the answer."""
    act: str
    what: dict[str, Any] = {}


def script(module: str) -> str:
    """The `js_on_load` of a part whose JavaScript is `/ui/{module}.js`.

    Its function `start({element, props, trigger, watch})` is called with Gradio's own.
    """
    # Gradio looks for the names of events in this text: 'submit' is what ask.js triggers.
    return (
        f'import("/ui/{module}.js").then('
        "(part) => part.start({ element, props, trigger, watch, event: 'submit' }));"
    )


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
        answer=None,
        **properties,
    )


def answers(component: gr.HTML, acts: Mapping[str, Act]) -> None:
    """Let `acts` answer what `component` asks."""

    def listen(value: Any, request: gr.Request) -> gr.HTML:
        return gr.HTML(answer=answer(value, asking_visitor(request), acts))

    component.submit(listen, component, component, **EVENT)


def asking_visitor(request: gr.Request) -> Visitor:
    """Who sent a question, or opened the page."""
    assert request.request is not None  # only Gradio's own examples have none
    return visitor_of(request.request.scope)


def answer(value: Any, visitor: Visitor, acts: Mapping[str, Act]) -> Json:
    """`{ask, ok}` or `{ask, error: {code, message, hint}}`; never raises."""
    try:
        question = Question.model_validate(value)
    except ValidationError:
        return {"ask": None, "error": _NOT_UNDERSTOOD}
    try:
        return {"ask": question.ask, "ok": acts[question.act](visitor, question.what)}
    except (Refused, StoreError, EngineError) as error:
        return {"ask": question.ask, "error": told(error)}
    except (KeyError, ValidationError):
        return {"ask": question.ask, "error": _NOT_UNDERSTOOD}
    except Exception:
        # Not what it says: it may quote what was asked. The log filter knows what may be written.
        log.exception("page_question_failed", extra={"act": question.act})
        return {"ask": question.ask, "error": _FAILED}


def told(error: Refused | StoreError | EngineError) -> Json:
    """An error of ours as JSON."""
    return {"code": error.code, "message": error.message, "hint": error.hint}


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
