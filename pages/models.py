"""What people read of models: the listed ones and those that an operator added.

Knows nothing of weights: only what is written beside them.
"""

import re
from pathlib import Path
from typing import Any

from inference import catalog
from inference.installed import InstalledModel, ModelFolder
from tasks.service import Service

Json = dict[str, Any]

_SAMPLES = Path(__file__).parent / "static" / "pictures" / "models"


def models(service: Service) -> list[Json]:
    """The listed models in the list's order, then the operator's own by name.

    Each is `{name, label, good_for, scale, licence, licence_url, architecture, installed}`. Listed
    ones that are not installed are among them because older batches may name them.
    """
    installed = {model.name: model for model in ModelFolder(service.folders.models).installed()}
    listed = [
        _facts(model, model.label, model.good_for, model.name in installed)
        for model in catalog.CATALOG
    ]
    own = [
        _facts(model, model.name, "", True)
        for model in installed.values()
        if catalog.find(model.name) is None
    ]
    return listed + own


def labels(service: Service) -> dict[str, Json]:
    """The same by name, with what the page's picker shows beside it: `sample`, the address of a
    picture, or None; `denoises`, whether that has a strength here; `non_commercial`; `rank`, of
    those among which one is chosen for who has not chosen, 0 the best."""
    known = {model["name"]: model for model in models(service)}
    for name, model in known.items():
        listed = catalog.find(name)
        weaker = known.get(listed.weaker) if listed and listed.weaker else None
        model |= {
            "sample": _sample(name) if listed else None,
            "denoises": bool(weaker and weaker["installed"]),
            "non_commercial": is_non_commercial(model["licence"]),
            "rank": catalog.BEST_FIRST.index(name) if name in catalog.BEST_FIRST else None,
        }
    return known


def is_non_commercial(licence: str) -> bool:
    """Whether an SPDX identifier says so, as `CC-BY-NC-SA-4.0` does."""
    return re.search(r"\bNC\b", licence.upper()) is not None


def _sample(name: str) -> str | None:
    return f"/ui/pictures/models/{name}.webp" if (_SAMPLES / f"{name}.webp").is_file() else None


def _facts(
    model: catalog.Model | InstalledModel, label: str, good_for: str, installed: bool
) -> Json:
    return {
        "name": model.name,
        "label": label,
        "good_for": good_for,
        "scale": model.scale,
        "licence": model.licence,
        "licence_url": model.licence_url,
        "architecture": model.architecture,
        "installed": installed,
    }
