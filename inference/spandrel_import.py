"""The one place where spandrel is imported.

spandrel imports `torchvision.transforms.functional` for two of its networks only, LaMa
(inpainting) and RestoreFormer (aligned faces). Importing the real torchvision costs more than a
second, most of it for a compiler that is never used, and fails outright where torch is a CPU build
and torchvision is not: its C++ operators cannot load, and registering their shapes raises. So a
stand-in takes its place while spandrel is imported, and fetches the real functions should one of
those two networks ever be run. Defining the missing operators' schemas, the other known way, keeps
the slow import.
"""

import importlib
import sys
import types
from enum import Enum
from typing import Any

_FUNCTIONAL = "torchvision.transforms.functional"


class _InterpolationMode(Enum):
    NEAREST = "nearest"
    BILINEAR = "bilinear"


def _deferred(name: str) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        functional = importlib.import_module(_FUNCTIONAL)

        def real(value: Any) -> Any:
            is_mode = isinstance(value, _InterpolationMode)
            return functional.InterpolationMode(value.value) if is_mode else value

        kwargs = {key: real(value) for key, value in kwargs.items()}
        return getattr(functional, name)(*map(real, args), **kwargs)

    return call


def _import_spandrel() -> types.ModuleType:
    names = ("torchvision", "torchvision.transforms", _FUNCTIONAL)
    if any(name in sys.modules for name in names):
        return importlib.import_module("spandrel")
    stand_ins = {name: types.ModuleType(name) for name in names}
    functional: Any = stand_ins[_FUNCTIONAL]
    functional.InterpolationMode = _InterpolationMode
    functional.rotate = _deferred("rotate")
    functional.normalize = _deferred("normalize")
    sys.modules.update(stand_ins)
    try:
        return importlib.import_module("spandrel")
    finally:
        for name in names:
            del sys.modules[name]


spandrel: Any = _import_spandrel()
