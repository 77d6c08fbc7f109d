"""Errors on their way through Gradio: the code as title, one escaped sentence as message.

`gradio_client` raises them as `AppError` with `.title` and `.message`; the page shows the message
as HTML. Knows nothing of statuses: what our own routes answer is in `app/problems.py`.
"""

import html
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import gradio as gr

from db.errors import StoreError
from db.outcomes import Failure
from inference.errors import EngineError
from tasks.errors import Refused

log = logging.getLogger(__name__)


class InvalidArgument(Refused):
    """An argument of a call is of another kind than it must be."""

    code = "INVALID_ARGUMENT"


class NoSuchUpload(Refused):
    """An upload that is not there, or is somebody else's: the two are the same answer."""

    code = "UPLOAD_NOT_FOUND"


@contextmanager
def told() -> Iterator[None]:
    """Whatever goes wrong inside is raised as a `gr.Error` that says so to who called.

    What is not an error of ours says nothing about itself and is logged.
    """
    try:
        yield
    except gr.Error:
        raise
    except (Refused, StoreError, EngineError) as error:
        raise _error(error.code, error.message, error.hint) from None
    except Exception:
        log.exception("call_failed")
        raise _error(
            "INTERNAL_ERROR", "Something went wrong on the server.", "Please try again."
        ) from None


def tell(failure: Failure) -> NoReturn:
    """Raise what a job failed with."""
    raise _error(failure.code, failure.message, failure.hint)


def _error(code: str, message: str, hint: str) -> gr.Error:
    # Without escaping quotes: the message stands between tags, never in an attribute, and programs
    # print it as it is.
    sentences = html.escape(f"{message} {hint}".rstrip(), quote=False)
    return gr.Error(sentences, title=code, print_exception=False)
