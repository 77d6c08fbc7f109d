"""What files are called when they leave: on the page, in the API, in a download and in a ZIP.

Knows what was ordered. A name is data: it becomes part of an address or a header only quoted.
"""

from typing import Protocol

from db.files import Stored
from db.work import Role
from tasks import names
from tasks.orders import Ordered, options_of


class Named(Ordered, Protocol):
    """What of a job names its files: `db.views.JobView` and `db.orders.Order` have it."""

    @property
    def name(self) -> str: ...


def original(order: Named) -> str:
    """What the picture is called that was handed in."""
    return names.portable(order.name)


def result(order: Named, ending: str) -> str:
    """What the result is called: `photo_4x_realesrgan-x4plus.png`, never longer than 255 bytes.

    Who wanted no suffix gets the original's own name, with the ending of what the result is.
    """
    stem = order.name.rpartition(".")[0] or order.name
    suffix = options_of(order).suffix if order.options.get("suffix", True) else ""
    return names.fitting(names.portable(stem), f"{suffix}.{ending}")


def download(file: Stored) -> str:
    """What a stored file is called when it is downloaded."""
    if file.order is None:
        return f"{file.role}.{file.format}"
    if file.role is Role.RESULT:
        return result(file.order, file.format)
    if file.role is Role.ORIGINAL:
        return original(file.order)
    return names.fitting(original(file.order), f"_{file.role}.{file.format}")
