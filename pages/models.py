"""What people read of models: the listed ones and those that an operator added.

Knows nothing of weights: only what is written beside them.
"""

from typing import Any

from inference import catalog
from inference.installed import ModelFolder
from tasks.service import Service

Json = dict[str, Any]


def labels(service: Service) -> dict[str, Json]:
    """`{name: {label, good_for, licence, licence_url, installed}}`: the listed models in the list's
    order, then the operator's own by name. Listed ones that are not installed are in it because
    older batches may name them."""
    installed = {model.name: model for model in ModelFolder(service.folders.models).installed()}
    listed = {
        model.name: {
            "label": model.label,
            "good_for": model.good_for,
            "licence": model.licence,
            "licence_url": model.licence_url,
            "installed": model.name in installed,
        }
        for model in catalog.CATALOG
    }
    own = {
        model.name: {
            "label": model.name,
            "good_for": "",
            "licence": model.licence,
            "licence_url": model.licence_url,
            "installed": True,
        }
        for model in installed.values()
        if model.name not in listed
    }
    return listed | own
