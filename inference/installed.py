"""Which models are installed, and what is known of each without reading its weights.

Imports no torch, so that limits and pages can ask, and removing takes no time. Loading and
installing are in `weights`.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from inference import catalog
from inference.errors import InvalidWeights, ModelUnavailable, UnknownModel
from inference.folders import alone_in

Framework = Literal["numpy", "pt"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", re.ASCII)
"""What a model may be called."""

_TEXTS = ["architecture", "licence", "licence_url", "source", "source_sha256", "weights_sha256"]
_TEXTS += ["notes"]


@dataclass(frozen=True)
class InstalledModel:
    """What is known of an installed model without reading its weights."""

    name: str
    path: Path
    architecture: str
    """spandrel's id of it."""
    scale: int
    licence: str
    """SPDX identifier, or empty where it is not known."""
    licence_url: str
    source: str
    """An address, a package and its version, or the name of the file that was added."""
    source_sha256: str
    """Of the file it was made from; of both, separated by a space, for `.param` and `.bin`."""
    weights_sha256: str
    """See `inference.weight_files.weights_sha256`."""
    notes: str
    """What was left out when the file was taken over."""
    size: int
    """Bytes on disk."""


class ModelFolder:
    """A folder with one `NAME.safetensors` for each installed model. It need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """The names of all models in the folder, damaged ones included, sorted."""
        files = self.path.glob("*.safetensors") if self.path.is_dir() else ()
        return sorted(file.stem for file in files if NAME.fullmatch(file.stem))

    def installed(self) -> list[InstalledModel]:
        """All models whose metadata can be read, sorted by name."""
        models = []
        for name in self.names():
            try:
                models.append(self.describe(name))
            except (InvalidWeights, UnknownModel, ModelUnavailable):
                continue  # damaged, or removed meanwhile
        return models

    def describe(self, name: str) -> InstalledModel:
        """What is known of an installed model. Raises what `load` raises."""
        with self._opened(name) as file:
            return self._info(name, file.metadata() or {})

    def remove(self, name: str) -> None:
        """Delete an installed model, damaged or not. Raises `UnknownModel`."""
        if name not in self.names():
            raise UnknownModel(
                f"No model called {name[:100]!r} is installed.",
                "See `python -m app models list`.",
            )
        with self._alone():
            self._file(name).unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with alone_in(self.path):
                yield
        except OSError as error:
            raise ModelUnavailable(
                f"The models' folder {self.path} cannot be used: {error.strerror or error}.",
                "Make it writable, or choose another folder.",
            ) from error

    @contextmanager
    def _opened(self, name: str, framework: Framework = "numpy") -> Iterator[Any]:
        if name not in self.names():
            raise self._missing(name)
        try:
            with safe_open(self._file(name), framework) as file:
                yield file
        except (SafetensorError, OSError) as error:
            raise self._damaged(name) from error

    def _info(self, name: str, metadata: Mapping[str, str]) -> InstalledModel:
        path = self._file(name)
        try:
            return InstalledModel(
                name=name,
                path=path,
                scale=int(metadata["scale"]),
                size=path.stat().st_size,
                **{text: metadata[text] for text in _TEXTS},
            )
        except (KeyError, ValueError) as error:
            raise InvalidWeights(
                f"{path.name} was not installed by this program.",
                "Move it elsewhere and install it with `python -m app models add`.",
            ) from error

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.safetensors"

    def _missing(self, name: str) -> UnknownModel | ModelUnavailable:
        if catalog.find(name):
            return ModelUnavailable(
                f"The model {name} is not installed.",
                f"Fetch it with `python -m app models pull {name}`.",
            )
        meant = catalog.closest(name, self.names())
        return UnknownModel(
            f"There is no model called {name[:100]!r}.",
            f"Did you mean {meant}?" if meant else "See `python -m app models list`.",
        )

    def _damaged(self, name: str) -> InvalidWeights:
        remedy = f"Remove it with `python -m app models remove {name}`, and add its file again."
        if catalog.find(name):
            remedy = f"Repair it with `python -m app models pull {name}`."
        return InvalidWeights(
            f"The weights of {name} are damaged: they are not what was installed.", remedy
        )
