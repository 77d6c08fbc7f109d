"""What people read of models: the listed ones and those that an operator added.

Knows nothing of weights: only what is written beside them.
"""

from typing import Any

from inference import catalog
from inference.installed import InstalledModel, ModelFolder
from tasks.service import Service

Json = dict[str, Any]


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
    """The same by name."""
    return {model["name"]: model for model in models(service)}


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
