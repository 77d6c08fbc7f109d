"""The networks that stay loaded between pictures.

Knows which weights run where and in which arithmetic; nothing of pictures.
"""

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import Any, Protocol

import torch

from inference import catalog, halo, precision, selftest
from inference.allocator import give_back_freed_memory
from inference.errors import InvalidOptions, InvalidWeights
from inference.gathering import Gathering
from inference.halo import Cutting
from inference.installed import InstalledModel, ModelFolder
from inference.loader import load
from inference.network import Network
from inference.options import Precision
from inference.verdicts import Verdicts
from inference.ways import Way
from inference.weight_files import weights_sha256
from inference.weights import StoredWeights

DEFAULT_WARM_BYTES = 1 << 30


class WeightStore(Protocol):
    """What a shelf asks of a `ModelStore`."""

    def load(self, name: str) -> StoredWeights: ...


class Shelf:
    """Loads networks when they are asked for, and lets go of the least recently used.

    Safe to share between threads. Who asks while a network is being loaded waits for it; one that
    is let go while somebody uses it stays theirs.
    """

    def __init__(self, models: WeightStore, device: str, warm_bytes: int) -> None:
        """As for `Engine`. Raises `InvalidOptions` for a device that is not there."""
        self.device = _device(device)
        self.gathering = Gathering(self.device)
        """The turns on the device: whoever runs a network of this shelf has one."""
        self._models = models
        self._verdicts = Verdicts(models.path if isinstance(models, ModelFolder) else None)
        self._warm_bytes = warm_bytes
        self._warm: OrderedDict[tuple[str, str, float | None], tuple[Network, InstalledModel]] = (
            OrderedDict()
        )
        self._lock = threading.Lock()
        self.names: tuple[str, ...] = ()
        """Names of the models that can start at once."""

    def network(
        self, name: str, wanted: Precision, denoise: float | None = None
    ) -> tuple[Network, InstalledModel]:
        """The network of a model, and what is known of the model.

        It runs in the fastest way that gives the right pixels, which the first time on a machine
        is found out with a small picture. `denoise` is that of `Options`; where it is given, the
        checksum is that of the mixed weights. Raises what the store and `load` raise, and
        `InvalidOptions` for a precision that the network does not support.
        """
        with self._lock:
            return self._network(name, wanted, denoise)

    def _network(
        self, name: str, wanted: Precision, denoise: float | None
    ) -> tuple[Network, InstalledModel]:
        key = (name, wanted, denoise)
        if key not in self._warm:
            weights = self._models.load(name)
            if denoise is not None and (listed := catalog.find(name)) and listed.weaker:
                weights = mixed(weights, self._models.load(listed.weaker), denoise)
            sha256 = weights.info.weights_sha256

            def way_of(descriptor: Any) -> Way:
                dtypes = precision.dtypes(wanted, self.device, descriptor)
                return selftest.choose(descriptor, self.device, dtypes, sha256, self._verdicts)

            def cutting_of(descriptor: Any, device: torch.device) -> Cutting:
                return halo.remembered(descriptor, device, sha256, self._verdicts)

            with self.gathering.alone():  # it is tried out with small pictures
                network = load(weights.state_dict, self.device, way_of, cutting_of)
            self._warm[key] = network, weights.info
            del weights
            # Loading leaves gaps of a layer's size: a hundred megabytes that pictures can't use.
            give_back_freed_memory()
        self._warm.move_to_end(key)
        while len(self._warm) > 1 and self._total() > self._warm_bytes:
            self._warm.popitem(last=False)
        self.names = tuple({name for name, _, _ in self._warm})
        return self._warm[key]

    def _total(self) -> int:
        return sum(network.bytes_of_weights for network, _ in self._warm.values())


def mixed(strong: StoredWeights, weak: StoredWeights, share: float) -> StoredWeights:
    """`share` of one network's weights and the rest of another's, in fp32.

    Known as deep network interpolation (Wang et al., CVPR 2019); Real-ESRGAN sets the strength of
    denoising by it. Raises `InvalidWeights` when the two networks have different shapes.
    """
    a, b = strong.state_dict, weak.state_dict
    if {k: v.shape for k, v in a.items()} != {k: v.shape for k, v in b.items()}:
        raise InvalidWeights(
            f"{strong.info.name} and {weak.info.name} are networks of different shapes.",
            "Fetch both again.",
        )
    state = {key: share * a[key].float() + (1 - share) * b[key].float() for key in a}
    source = f"{strong.info.source} and {weak.info.source}"
    info = replace(strong.info, source=source, weights_sha256=weights_sha256(state))
    return StoredWeights(info, state)


def _device(wanted: str) -> torch.device:
    if wanted == "auto":
        return torch.device(_best())
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InvalidOptions(
            f"The device {wanted!r} can't be used here.", "Use auto or cpu."
        ) from error
    return device


def _best() -> str:
    if torch.cuda.is_available():  # on ROCm too
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
