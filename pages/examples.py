"""Examples to copy, beside the tokens: those of `content/api.md`, with this service's own address.

There is one text of them, and its tests run it. A token is never in it: the examples read it from
the environment.
"""

import re

from app.settings import Settings
from pages import prose

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def examples(settings: Settings) -> dict[str, str]:
    """`{python, curl}`: a picture in and a picture out, each way."""
    found = _BLOCK.findall(prose.filled_in("api", prose.values(settings)))
    first = dict(reversed(found))
    return {"python": first["python"].rstrip(), "curl": first["sh"].rstrip()}
