"""Recognises networks by what their graph computes.

A graph in ncnn's format says what is computed, not what the network is called. It is computed here
with symbols instead of pixels, and so are the networks that are known; where both give the same
expression, its layers get the names that PyTorch knows them by. Counting layers, the shorter way,
would take a network with one connection moved for the one it resembles.
"""

from collections import Counter
from typing import Any

from inference.errors import UnsupportedModel
from inference.ncnn_param import Layer

_EXPECTED = (
    "Known are ESRGAN (RRDBNet, 3x3 convolutions with 0.2 residuals, doubled one to three times) "
    "and Compact (SRVGG: Convolution and PReLU in turn, PixelShuffle, plus the enlarged input)."
)


# Layers that own a part of the .bin file.
WEIGHTED = ("Convolution", "PReLU")


def shape(conv: Layer) -> tuple[int, int, int, int]:
    """Of a 3x3 convolution's weights: out, in, height, width."""
    out = conv.integer(0)
    return out, conv.integer(6) // (out * 9), 3, 3


class _Expressions:
    """What a graph computes, as numbers: the same number is the same expression.

    Each expression is kept once, so that comparing two graphs is comparing two numbers, however
    deep they are and however often a value is used.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._list: list[tuple[Any, ...]] = []

    def make(self, *expression: Any) -> int:
        number = self._numbers.setdefault(expression, len(self._list))
        if number == len(self._list):
            self._list.append(expression)
        return number

    def of(self, number: int) -> tuple[Any, ...]:
        return self._list[number]

    def sum(self, *terms: tuple[int, float]) -> int:
        return self.make("sum", tuple(sorted((x, round(factor, 6)) for x, factor in terms)))

    def conv(self, index: int, x: int, slope: float | None = None) -> int:
        return self.make("conv", index, x, None if slope is None else round(slope, 6))

    def resize(self, x: int, kind: int, width: float, height: float) -> int:
        return self.make("resize", x, kind, round(width, 6), round(height, 6))


_NEAREST = 1


def recognise(layers: list[Layer]) -> tuple[list[str], tuple[str, ...]]:
    """PyTorch's names for the layers that own weights, in the file's order, and notes for people.

    All those convolutions are 3x3 with bias, and their sizes fit each other. Raises
    `UnsupportedModel` naming what was found.
    """
    expressions = _Expressions()
    output = _evaluate(layers, expressions)
    weighted = [layer for layer in layers if layer.type in WEIGHTED]
    notes: tuple[str, ...] = ()
    for _ in range(2):
        for network in (_rrdbnet, _compact):
            known = network(weighted, expressions)
            if known and known[1] == output:
                return known[0], notes
        if expressions.of(output)[0] != "resize":
            break
        _, output, _, width, height = expressions.of(output)
        notes = (
            f"The file ends with a resize by {width:g} × {height:g}; "
            "only the network before it was taken.",
        )
    raise _unknown(layers)


def _unknown(layers: list[Layer], because: str = "") -> UnsupportedModel:
    found = Counter(layer.type for layer in layers)
    listed = ", ".join(f"{count} {kind[:40]}" for kind, count in found.most_common(8))
    rest = ", …" if len(found) > 8 else ""
    return UnsupportedModel(f"No known network has this graph: {listed}{rest}{because}.", _EXPECTED)


def _evaluate(layers: list[Layer], expressions: _Expressions) -> int:
    """The graph's one output as an expression of its one input."""
    values: dict[str, int] = {}
    used: set[str] = set()
    weighted = 0
    for layer in layers:
        inputs = [values[blob] for blob in layer.inputs]
        used.update(layer.inputs)
        if layer.type == "Split":
            result = inputs[0] if len(inputs) == 1 else None
        elif len(layer.outputs) != 1:
            result = None
        else:
            result = _apply(layer, inputs, weighted, expressions)
        if result is None:
            raise _unknown(layers, f"; not understood is {layer.type} {layer.name!r}")
        weighted += layer.type in WEIGHTED
        values.update(dict.fromkeys(layer.outputs, result))
    ends = [blob for blob in values if blob not in used]
    if len(ends) != 1:
        raise _unknown(layers, f"; it has {len(ends)} outputs")
    return values[ends[0]]


def _apply(layer: Layer, inputs: list[int], index: int, make: _Expressions) -> int | None:
    """What a layer makes of its inputs; `None` for what no known network does."""
    match layer.type, inputs:
        case "Input", []:
            return make.make("input")
        case "Convolution", [x] if _is_plain_3x3(layer):
            if layer.integer(9) == 0:
                return make.conv(index, x)
            slopes = layer.numbers(10)
            if layer.integer(9) == 2 and len(slopes) == 1:
                return make.conv(index, x, slopes[0])
        case "ReLU", [x]:
            # Not yet fused into the convolution, as converters leave it without their optimiser.
            match make.of(x):
                case ("conv", conv, source, None):
                    return make.conv(conv, source, layer.number(0))
        case "PReLU", [x] if layer.integer(0) > 0:
            return make.make("prelu", index, x)
        case "Concat", [_, _, *_] if layer.integer(0) == 0:
            return make.make("concat", tuple(inputs))
        case "Eltwise", [_, _, *_] if layer.integer(0) == 1:
            factors = layer.numbers(1) or [1.0] * len(inputs)
            if len(factors) == len(inputs):
                return make.sum(*zip(inputs, factors, strict=True))
        case "BinaryOp", [a, b] if layer.integer(0) == 0 and not layer.integer(1):
            return make.sum(*_scaled(a, make), *_scaled(b, make))
        case "BinaryOp", [x] if layer.integer(0) == 2 and layer.integer(1) == 1:
            return make.sum((x, layer.number(2)))
        case "Interp", [x] if layer.integer(3) == layer.integer(4) == 0:
            width, height = layer.number(2, 1.0), layer.number(1, 1.0)
            return make.resize(x, layer.integer(0), width, height)
        case "PixelShuffle", [x] if layer.integer(1) == 0:
            return make.make("shuffle", x, layer.integer(0))
    return None


def _scaled(x: int, make: _Expressions) -> tuple[tuple[int, float], ...]:
    """`x` as terms of a sum: a product with a number is one term, so that `a*0.2 + b` is a sum."""
    match make.of(x):
        case ("sum", ((_, _),) as terms):
            return tuple(terms)
    return ((x, 1.0),)


def _is_plain_3x3(layer: Layer) -> bool:
    """With bias, one pixel of zeros around it, and as many weights as its channels need."""
    sides = [layer.integer(key, 3) for key in (1, 11)]
    pads = [layer.integer(key, 1) for key in (4, 14, 15, 16)]
    steps = [layer.integer(key, 1) for key in (2, 3, 12, 13)]
    out, count = layer.integer(0), layer.integer(6)
    return (
        layer.integer(1) == 3
        and layer.integer(4) == 1
        and sides == [3, 3]
        and set(pads + steps) == {1}
        and layer.number(18) == 0  # what it is padded with
        and layer.integer(5) == 1
        and layer.integer(8) == layer.integer(19) == 0  # quantised, dynamic
        and out > 0
        and count > 0
        and count % (out * 9) == 0
    )


def _rrdbnet(weighted: list[Layer], make: _Expressions) -> tuple[list[str], int] | None:
    """Names and expression of the RRDBNet with this many convolutions."""
    if any(layer.type != "Convolution" for layer in weighted):
        return None
    # First, body and the last two, 15 a block, and one for each doubling: at most three of these.
    blocks, doublings = divmod(len(weighted) - 4, 15)
    if blocks < 1 or not 1 <= doublings <= 3:
        return None
    shapes = (shape(layer)[:2] for layer in weighted)
    colours, features = shape(weighted[0])[1], shape(weighted[0])[0]
    growth = shape(weighted[1])[0]
    names: list[str] = []

    def conv(name: str, x: int, wide: tuple[int, int], slope: float | None = None) -> int:
        """`wide` are the channels out and in that the network has here."""
        fits = next(shapes) == wide
        names.append(name)
        return make.conv(len(names) - 1 if fits else -1, x, slope)

    square = (features, features)
    first = conv("conv_first", make.make("input"), (features, colours))
    x = first
    for block in range(blocks):
        entry = x
        for dense in (1, 2, 3):
            parts = [x]
            for k in range(1, 5):
                joined = parts[0] if k == 1 else make.make("concat", tuple(parts))
                wide = growth, features + growth * (k - 1)
                parts.append(conv(f"body.{block}.rdb{dense}.conv{k}", joined, wide, 0.2))
            joined = make.make("concat", tuple(parts))
            wide = features, features + growth * 4
            last = conv(f"body.{block}.rdb{dense}.conv5", joined, wide)
            x = make.sum((last, 0.2), (x, 1.0))
        x = make.sum((x, 0.2), (entry, 1.0))
    x = make.sum((conv("conv_body", x, square), 1.0), (first, 1.0))
    for doubling in range(1, doublings + 1):
        x = conv(f"conv_up{doubling}", make.resize(x, _NEAREST, 2.0, 2.0), square, 0.2)
    x = conv("conv_hr", x, square, 0.2)
    return names, conv("conv_last", x, (colours, features))


def _compact(weighted: list[Layer], make: _Expressions) -> tuple[list[str], int] | None:
    """Names and expression of the SRVGG network with this many layers."""
    if len(weighted) < 3 or len(weighted) % 2 == 0:
        return None
    kinds = [layer.type for layer in weighted]
    if kinds != ["Convolution", "PReLU"] * (len(kinds) // 2) + ["Convolution"]:
        return None
    features, colours = shape(weighted[0])[:2]
    last = shape(weighted[-1])[0]
    scale = next((s for s in range(1, 17) if colours * s * s == last), 0)
    x = make.make("input")
    for index, layer in enumerate(weighted):
        if layer.type == "PReLU":
            fits = layer.integer(0) == features
            x = make.make("prelu", index if fits else -1, x)
        else:
            wide = (
                last if index == len(weighted) - 1 else features,
                colours if index == 0 else features,
            )
            x = make.conv(index if shape(layer)[:2] == wide else -1, x)
    x = make.make("shuffle", x, scale)
    enlarged = make.resize(make.make("input"), _NEAREST, float(scale), float(scale))
    names = [f"body.{index}" for index in range(len(weighted))]
    return names, make.sum((x, 1.0), (enlarged, 1.0))
