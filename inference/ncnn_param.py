"""Parses ncnn's text description of a graph.

A file is a magic number, the number of layers and of values, and one line for each layer: type,
name, how many values go in and out, their names, and `key=value` pairs. Knows nothing of what the
layers mean. The text is of unknown origin: nothing is allocated by a number that it contains.
"""

import math
import re
from dataclasses import dataclass, field

from inference.errors import InvalidWeights

_MAGIC = "7767517"
_MAX_BYTES = 1 << 20  # 23 blocks take 116 KB
_LONGEST_NAME = 255  # ncnn's own limit
_INTEGER = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_NUMBER = re.compile(r"[-+]?[0-9]{0,20}\.?[0-9]{0,20}(e[-+]?[0-9]{1,3})?", re.ASCII | re.IGNORECASE)
# An array under key k is written under this minus k, with its length before its values.
_ARRAY = -23300

Parameter = int | float | tuple[float, ...]


@dataclass(frozen=True)
class Layer:
    """One line of the graph. Its inputs are outputs of lines above."""

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: dict[int, Parameter] = field(default_factory=dict)

    def integer(self, key: int, default: int = 0) -> int:
        """The whole number under a key."""
        value = self.parameters.get(key, default)
        if not isinstance(value, int):
            raise InvalidWeights(
                f"Layer {self.name!r} of the .param file has {value!r}, not a whole number."
            )
        return value

    def number(self, key: int, default: float = 0.0) -> float:
        """The number under a key."""
        value = self.parameters.get(key, default)
        if isinstance(value, tuple):
            raise InvalidWeights(
                f"Layer {self.name!r} of the .param file has a list where one number belongs."
            )
        return float(value)

    def numbers(self, key: int) -> tuple[float, ...]:
        """The array under a key, empty when there is none."""
        value = self.parameters.get(key, ())
        return value if isinstance(value, tuple) else (float(value),)


def parse_param(param: bytes | str) -> list[Layer]:
    """The layers in the file's order. Raises `InvalidWeights`."""
    if len(param) > _MAX_BYTES:
        raise InvalidWeights(
            f"The .param file has {len(param)} bytes; more than {_MAX_BYTES} are never needed."
        )
    lines = _text(param).split("\n")
    if lines[0].strip() != _MAGIC:
        raise InvalidWeights(
            f"The .param file does not start with {_MAGIC}.",
            "Only the text form of ncnn's format can be read.",
        )
    while lines and not lines[-1].strip():
        lines.pop()
    counts = lines[1].split() if len(lines) > 1 else []
    if len(counts) != 2 or not all(map(_INTEGER.fullmatch, counts)):
        raise _damaged(2, "the numbers of layers and values are missing")
    layers: list[Layer] = []
    known: set[str] = set()
    for number, line in enumerate(lines[2:], start=3):
        layer = _layer(number, line)
        for blob in layer.inputs:
            if blob not in known:
                raise _damaged(number, f"the value {blob!r} is used before it is made")
        for blob in layer.outputs:
            if blob in known:
                raise _damaged(number, f"the value {blob!r} is made twice")
            known.add(blob)
        layers.append(layer)
    found = len(layers), len(known)
    promised = int(counts[0]), int(counts[1])
    if found != promised:
        raise InvalidWeights(
            f"The .param file promises {promised[0]} layers and {promised[1]} values, and has "
            f"{found[0]} and {found[1]}.",
            "Get the file again from its source.",
        )
    return layers


def _text(param: bytes | str) -> str:
    if isinstance(param, str):
        return param
    try:
        return param.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidWeights(
            "The .param file is not text.", "Only the text form of ncnn's format can be read."
        ) from error


def _layer(number: int, line: str) -> Layer:
    words = line.split()
    if len(words) < 4 or not all(map(_INTEGER.fullmatch, words[2:4])):
        raise _damaged(number, "it is not a layer")
    ins, outs = int(words[2]), int(words[3])
    if ins < 0 or outs < 0 or 4 + ins + outs > len(words):
        raise _damaged(number, f"{ins} values in and {outs} out are promised, not given")
    if not all(len(word) <= _LONGEST_NAME and word.isprintable() for word in words):
        raise _damaged(number, "a name in it is too long or not printable")
    parameters: dict[int, Parameter] = {}
    for word in words[4 + ins + outs :]:
        key, _, value = word.partition("=")
        if not _INTEGER.fullmatch(key):
            raise _damaged(number, f"{word[:40]!r} is not a parameter")
        if int(key) > _ARRAY:
            parameters[int(key)] = _value(number, value)
            continue
        length, *items = value.split(",")
        if length != str(len(items)):
            raise _damaged(number, f"{word[:40]!r} does not have as many values as it says")
        parameters[_ARRAY - int(key)] = tuple(float(_value(number, item)) for item in items)
    inputs = tuple(words[4 : 4 + ins])
    return Layer(words[0], words[1], inputs, tuple(words[4 + ins :][:outs]), parameters)


def _value(number: int, word: str) -> int | float:
    if _INTEGER.fullmatch(word):
        return int(word)
    if _NUMBER.fullmatch(word) and any(c.isdigit() for c in word.lower().split("e")[0]):
        value = float(word)
        if math.isfinite(value):
            return value
    raise _damaged(number, f"{word[:40]!r} is not a number")


def _damaged(number: int, because: str) -> InvalidWeights:
    return InvalidWeights(
        f"Line {number} of the .param file is damaged: {because}.",
        "Get the file again from its source.",
    )
