"""Writes small random networks in ncnn's format, independently of the importer.

Layers are lists `[type, name, inputs, outputs, parameters]`, so that a test can change one.
"""

import struct
from collections import Counter

import numpy as np

LEAKY = " 9=2 -23310=1,2.000000e-01"


def compact_state(features=4, convolutions=2, colours=3, scale=4, dtype="f4", seed=1):
    """Weights by PyTorch's names, in the order of the network."""
    rng = np.random.default_rng(seed)
    state = {}

    def conv(index, out, into):
        weights = rng.normal(0, 0.3, (out, into, 3, 3)).astype(dtype)
        state[f"body.{index}.weight"] = weights
        state[f"body.{index}.bias"] = rng.normal(0, 0.1, out).astype("f4")

    for index in range(convolutions + 1):
        conv(2 * index, features, features if index else colours)
        state[f"body.{2 * index + 1}.weight"] = rng.uniform(0, 1, features).astype("f4")
    conv(2 * convolutions + 2, colours * scale * scale, features)
    return state


def compact_layers(state, scale=4):
    layers = [["Input", "in", [], ["data"], ""]]
    x = "data"
    names = dict.fromkeys(name.rpartition(".")[0] for name in state)
    for index, name in enumerate(names):
        weights = state[f"{name}.weight"]
        if weights.ndim == 4:
            layers.append(conv_layer(f"Conv_{index}", x, f"b{index}", weights))
        else:
            layers.append(["PReLU", f"PRelu_{index}", [x], [f"b{index}"], f"0={len(weights)}"])
        x = f"b{index}"
    layers.append(["PixelShuffle", "shuffle", [x], ["large"], f"0={scale}"])
    layers.append(["Interp", "resize", ["data"], ["base"], f"0=1 1={scale:e} 2={scale:e}"])
    layers.append(["BinaryOp", "add", ["large", "base"], ["output"], "0=0"])
    return layers


def rrdbnet_state(features=8, blocks=1, growth=32, doublings=2, dtype="f4", seed=1):
    rng = np.random.default_rng(seed)
    state = {}

    def conv(name, out, into):
        spread = 1.4 / np.sqrt(into * 9)
        state[f"{name}.weight"] = rng.normal(0, spread, (out, into, 3, 3)).astype(dtype)
        state[f"{name}.bias"] = rng.normal(0, 0.1, out).astype("f4")

    conv("conv_first", features, 3)
    for block in range(blocks):
        for dense in (1, 2, 3):
            for k in (1, 2, 3, 4):
                conv(f"body.{block}.rdb{dense}.conv{k}", growth, features + growth * (k - 1))
            conv(f"body.{block}.rdb{dense}.conv5", features, features + growth * 4)
    conv("conv_body", features, features)
    for doubling in range(doublings):
        conv(f"conv_up{doubling + 1}", features, features)
    conv("conv_hr", features, features)
    conv("conv_last", 3, features)
    return state


def rrdbnet_layers(state, fused=True):
    """As ncnn's optimiser leaves it, or as the converter does."""
    layers = [["Input", "in", [], ["data"], ""]]

    def conv(name, x, leaky=False):
        layer = conv_layer(name, x, name, state[f"{name}.weight"])
        layers.append(layer)
        if leaky and fused:
            layer[4] += LEAKY
        elif leaky:
            layers.append(["ReLU", f"{name}_relu", [name], [f"{name}_r"], "0=2.000000e-01"])
            return f"{name}_r"
        return name

    def residual(name, x, onto):
        if fused:
            factors = "0=1 -23301=2,2.000000e-01,1.000000e+00"
            layers.append(["Eltwise", name, [x, onto], [name], factors])
        else:
            layers.append(["BinaryOp", f"{name}_mul", [x], [f"{name}_m"], "0=2 1=1 2=0.2"])
            layers.append(["BinaryOp", name, [f"{name}_m", onto], [name], "0=0"])
        return name

    def concat(name, parts):
        layers.append(["Concat", name, list(parts), [name], "0=0"])
        return name

    first = x = conv("conv_first", "data")
    blocks = sum(name.endswith("rdb1.conv1.weight") for name in state)
    for block in range(blocks):
        entry = x
        for dense in (1, 2, 3):
            base = f"body.{block}.rdb{dense}"
            parts = [x]
            for k in (1, 2, 3, 4):
                joined = parts[0] if k == 1 else concat(f"{base}.cat{k}", parts)
                parts.append(conv(f"{base}.conv{k}", joined, leaky=True))
            last = conv(f"{base}.conv5", concat(f"{base}.cat5", parts))
            x = residual(f"{base}.add", last, x)
        x = residual(f"body.{block}.add", x, entry)
    layers.append(["BinaryOp", "add", [first, conv("conv_body", x)], ["body"], "0=0"])
    x = "body"
    for doubling in range(1, 1 + sum(name.startswith("conv_up") for name in state) // 2):
        layers.append(["Interp", f"up{doubling}", [x], [f"up{doubling}"], "0=1 1=2.0 2=2.0"])
        x = conv(f"conv_up{doubling}", f"up{doubling}", leaky=True)
    conv("conv_last", conv("conv_hr", x, leaky=True))
    return layers


def conv_layer(name, x, out, weights):
    count = f"0={len(weights)} 1=3 4=1 5=1 6={weights.size}"
    return ["Convolution", name, [x], [out], count]


def param_text(layers):
    """With a Split wherever a value is used more than once, as ncnn demands."""
    uses = Counter(blob for layer in layers for blob in layer[2])
    taken = Counter()
    lines = []
    blobs = 0

    def line(kind, name, inputs, outputs, parameters):
        nonlocal blobs
        blobs += len(outputs)
        words = [kind, name, str(len(inputs)), str(len(outputs)), *inputs, *outputs, parameters]
        lines.append(" ".join(words).rstrip())

    for kind, name, inputs, outputs, parameters in layers:
        renamed = []
        for blob in inputs:
            renamed.append(f"{blob}_split_{taken[blob]}" if uses[blob] > 1 else blob)
            taken[blob] += 1
        line(kind, name, renamed, outputs, parameters)
        for blob in outputs:
            if uses[blob] > 1:
                copies = [f"{blob}_split_{n}" for n in range(uses[blob])]
                line("Split", f"split_{blob}", [blob], copies, "")
    return "\n".join(["7767517", f"{len(lines)} {blobs}", *lines, ""])


def bin_bytes(state):
    data = bytearray()
    for name, values in state.items():
        if values.ndim == 4:
            raw = values.tobytes()
            flag = 0x01306B47 if values.dtype == np.float16 else 0
            data += struct.pack("<I", flag) + raw + b"\0" * (-len(raw) % 4)
        else:
            assert values.dtype == np.float32, name
            data += values.tobytes()
    return bytes(data)
