"""Opens networks in ncnn's format: a text file with the graph, a binary one with the numbers.

The binary file has no names and no sizes: it holds the numbers of one layer after the other, in the
order of the graph. A convolution is four bytes that say how its weights are stored, the weights
(out, in, height, width) and the float32 bias; a PReLU is its float32 slopes. Knows nothing of
paths and torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import InvalidWeights, UnsupportedModel
from inference.ncnn_graph import WEIGHTED, recognise, shape
from inference.ncnn_param import Layer, parse_param

_FLOAT16 = 0x01306B47
_FLOAT32 = 0


@dataclass(frozen=True)
class ImportedNetwork:
    """A network's numbers, named as its authors' PyTorch code names them."""

    state_dict: Mapping[str, NDArray[Any]]
    """Weights float16 or float32 as they were stored; biases and slopes float32."""
    notes: tuple[str, ...]
    """What of the file was left out, one sentence each."""


def read_ncnn(param: bytes | str, bin: bytes) -> ImportedNetwork:
    """Read an ESRGAN or Compact network.

    Every byte is accounted for. Raises `UnsupportedModel` for any other graph and for quantised
    weights, `InvalidWeights` for files that are damaged or do not belong together.
    """
    layers = parse_param(param)
    names, notes = recognise(layers)
    reader = _Reader(bin)
    state_dict: dict[str, NDArray[Any]] = {}
    for layer, name in zip((x for x in layers if x.type in WEIGHTED), names, strict=True):
        if layer.type == "PReLU":
            state_dict[f"{name}.weight"] = reader.floats(layer, layer.integer(0))
        else:
            state_dict[f"{name}.weight"] = reader.weights(layer).reshape(*shape(layer))
            state_dict[f"{name}.bias"] = reader.floats(layer, layer.integer(0))
    reader.finish()
    return ImportedNetwork(state_dict, notes)


class _Reader:
    """Takes a weight file apart from front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    def _take(self, layer: Layer, size: int) -> memoryview:
        left = len(self._data) - self._at
        if size > left:
            raise InvalidWeights(
                f"The .bin file ends early: layer {layer.name!r} needs {size} bytes at position "
                f"{self._at}, and {left} are left.",
                "Get both files again, from the same source.",
            )
        self._at += size
        return self._data[self._at - size : self._at]

    def floats(self, layer: Layer, count: int) -> NDArray[Any]:
        return np.frombuffer(self._take(layer, 4 * count), "<f4")

    def weights(self, layer: Layer) -> NDArray[Any]:
        count = layer.integer(6)
        flag = int.from_bytes(self._take(layer, 4), "little")
        if flag == _FLOAT32:
            return self.floats(layer, count)
        if flag != _FLOAT16:
            raise UnsupportedModel(
                f"Layer {layer.name!r} is stored as {flag:#010x}, which is neither float16 nor "
                "float32.",
                "Quantised networks cannot be used. If it is not one, the two files don't belong "
                "together.",
            )
        padded = self._take(layer, (2 * count + 3) // 4 * 4)
        return np.frombuffer(padded[: 2 * count], "<f2")

    def finish(self) -> None:
        left = len(self._data) - self._at
        if left:
            raise InvalidWeights(
                f"The .bin file has {len(self._data)} bytes, and the network of the .param file "
                f"needs {self._at}: {left} are left over.",
                "Get both files again, from the same source.",
            )
