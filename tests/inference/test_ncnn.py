import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from inference.errors import EngineError, InvalidWeights, UnsupportedModel
from inference.loader import describe
from inference.ncnn import read_ncnn
from tests.inference.ncnn_writer import (
    bin_bytes,
    compact_layers,
    compact_state,
    param_text,
    rrdbnet_layers,
    rrdbnet_state,
)

RRDBNET = rrdbnet_state(features=4, growth=2)
COMPACT = compact_state()

FIRST_WEIGHTS = [-0.04736328125, -0.047271728515625, 0.55712890625, -1.8974609375]
FIRST_BIASES = [0.21254003047943115, 0.07621118426322937]
FIRST_SLOPES = [0.0010072719305753708, -0.8137637376785278]
LAST_WEIGHTS = [0.004413604736328125, -0.002010345458984375]
LAST_BIASES = [0.0125748161226511, 0.013493793085217476, 0.012496945448219776]
RRDB_FIRST_WEIGHTS = [0.051605224609375, 0.1448974609375, -0.1566162109375]
RRDB_LAST_BIASES = [0.03813227266073227, 0.03501658886671066, 0.02570718713104725]


def assert_same(network, state):
    assert list(network.state_dict) == list(state)
    for name, values in state.items():
        assert network.state_dict[name].dtype == values.dtype, name
        np.testing.assert_array_equal(network.state_dict[name], values, err_msg=name)


@pytest.mark.parametrize("dtype", ["f2", "f4"])
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("doublings", [1, 2, 3])
def test_reads_rrdbnets_of_any_size(dtype, fused, doublings):
    state = rrdbnet_state(features=4, blocks=2, growth=3, doublings=doublings, dtype=dtype)
    network = read_ncnn(param_text(rrdbnet_layers(state, fused)), bin_bytes(state))
    assert_same(network, state)
    assert network.notes == ()


@pytest.mark.parametrize("dtype", ["f2", "f4"])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_reads_compact_networks_of_any_size(dtype, scale):
    state = compact_state(features=5, convolutions=3, scale=scale, dtype=dtype)
    network = read_ncnn(param_text(compact_layers(state, scale)).encode(), bin_bytes(state))
    assert_same(network, state)


def test_odd_numbers_of_halves_are_padded_to_four_bytes():
    state = compact_state(features=3, colours=1, scale=3, dtype="f2")
    assert state["body.0.weight"].size % 2 == 1
    assert_same(read_ncnn(param_text(compact_layers(state, 3)), bin_bytes(state)), state)


def test_an_imported_network_computes_what_its_numbers_say():
    """A Compact network written out by hand in torch's functions."""
    state = compact_state(features=4, convolutions=1)
    imported = read_ncnn(param_text(compact_layers(state)), bin_bytes(state)).state_dict
    weights = {name: torch.from_numpy(values.copy()) for name, values in imported.items()}
    image = torch.rand(1, 3, 7, 9, generator=torch.Generator().manual_seed(3))
    x = image
    for index in (0, 2):
        x = torch.conv2d(x, weights[f"body.{index}.weight"], weights[f"body.{index}.bias"], 1, 1)
        x = torch.where(x > 0, x, x * weights[f"body.{index + 1}.weight"].view(1, -1, 1, 1))
    x = torch.conv2d(x, weights["body.4.weight"], weights["body.4.bias"], 1, 1)
    x = torch.pixel_shuffle(x, 4) + image.repeat_interleave(4, 2).repeat_interleave(4, 3)
    with torch.inference_mode():
        result = describe(weights)(image)
    torch.testing.assert_close(result, x.clamp(0, 1))


def test_the_real_networks_are_what_the_package_holds(models_path):
    """Numbers picked from the .bin files by hand, with struct and the offsets of the format."""
    compact = load_file(models_path / "realesr-animevideov3.safetensors")
    assert compact["body.0.weight"].dtype == torch.float16
    assert compact["body.0.weight"].flatten()[:4].tolist() == FIRST_WEIGHTS
    assert compact["body.0.bias"][:2].tolist() == FIRST_BIASES
    assert compact["body.1.weight"][:2].tolist() == FIRST_SLOPES
    assert compact["body.34.weight"].flatten()[-2:].tolist() == LAST_WEIGHTS
    assert compact["body.34.bias"][-3:].tolist() == LAST_BIASES
    rrdbnet = load_file(models_path / "realesrgan-x4plus.safetensors")
    assert rrdbnet["conv_first.weight"].flatten()[:3].tolist() == RRDB_FIRST_WEIGHTS
    assert rrdbnet["conv_last.bias"].tolist() == RRDB_LAST_BIASES


@pytest.mark.parametrize(
    ("name", "architecture", "tags"),
    [
        ("realesrgan-x4plus", "ESRGAN", ["64nf", "23nb"]),
        ("realesrgan-x4plus-anime-6b", "ESRGAN", ["64nf", "6nb"]),
        ("realesr-animevideov3", "Compact", ["64nf", "16nc"]),
    ],
)
def test_the_real_networks_are_recognised(models_path, name, architecture, tags):
    descriptor = describe(load_file(models_path / f"{name}.safetensors"))
    assert (descriptor.architecture.id, descriptor.tags) == (architecture, tags)
    assert (descriptor.scale, descriptor.input_channels, descriptor.output_channels) == (4, 3, 3)


@pytest.mark.parametrize("layers", [compact_layers(COMPACT), rrdbnet_layers(RRDBNET)])
def test_a_resize_behind_the_network_is_left_out_with_a_note(layers):
    state = COMPACT if layers[2][0] == "PReLU" else RRDBNET
    blob = layers[-1][3][0]
    layers.append(["Interp", "half", [blob], ["half"], "0=3 1=5.000000e-01 2=5.000000e-01"])
    network = read_ncnn(param_text(layers), bin_bytes(state))
    assert_same(network, state)
    assert network.notes == (
        "The file ends with a resize by 0.5 × 0.5; only the network before it was taken.",
    )


def change(layers, name, field, old, new):
    layer = next(layer for layer in layers if layer[1] == name)
    assert old in layer[field]
    if isinstance(layer[field], str):
        layer[field] = layer[field].replace(old, new)
    else:
        layer[field][layer[field].index(old)] = new


@pytest.mark.parametrize(
    ("name", "field", "old", "new"),
    [
        ("body.0.rdb2.add", 2, "body.0.rdb1.add", "conv_first"),  # a residual from elsewhere
        ("body.0.rdb2.add", 4, "2.000000e-01", "3.000000e-01"),
        ("body.0.rdb1.conv3", 4, "2.000000e-01", "1.000000e-01"),
        ("body.0.rdb1.conv3", 4, "9=2", "9=1"),
        ("body.0.rdb1.conv5", 4, "4=1", "4=1 9=2 -23310=1,0.2"),
        ("conv_hr", 2, "conv_up2", "conv_up1"),  # one doubling skipped
        ("up1", 4, "0=1", "0=2"),  # bilinear
        ("up1", 4, "1=2.0", "1=3.0"),
        ("conv_body", 4, "1=3", "1=5"),
        ("conv_body", 4, "4=1", "4=0"),
        ("conv_body", 4, "4=1", "4=1 3=2"),
        ("conv_body", 4, "4=1", "4=1 8=2"),
        ("conv_body", 4, "5=1", "5=0"),
        ("add", 4, "0=0", "0=1"),
        ("body.0.rdb1.cat3", 4, "0=0", "0=1"),
    ],
)
def test_a_graph_that_only_looks_like_an_rrdbnet_is_refused(name, field, old, new):
    layers = rrdbnet_layers(RRDBNET)
    change(layers, name, field, old, new)
    with pytest.raises(UnsupportedModel, match=r"No known network has this graph: .*Convolution"):
        read_ncnn(param_text(layers), bin_bytes(RRDBNET))


def test_the_order_of_joined_values_counts():
    layers = rrdbnet_layers(RRDBNET)
    joined = next(layer for layer in layers if layer[1] == "body.0.rdb1.cat3")
    joined[2].reverse()
    with pytest.raises(UnsupportedModel):
        read_ncnn(param_text(layers), bin_bytes(RRDBNET))


@pytest.mark.parametrize(
    ("name", "field", "old", "new"),
    [
        ("shuffle", 4, "0=4", "0=2"),
        ("shuffle", 4, "0=4", "0=4 1=1"),
        ("resize", 4, "0=1", "0=3"),
        ("add", 4, "0=0", "0=2"),
        ("Conv_2", 2, "b1", "b0"),  # around a PReLU
        ("PRelu_1", 4, "0=4", "0=3"),
    ],
)
def test_a_graph_that_only_looks_like_a_compact_network_is_refused(name, field, old, new):
    layers = compact_layers(COMPACT)
    change(layers, name, field, old, new)
    with pytest.raises(UnsupportedModel):
        read_ncnn(param_text(layers), bin_bytes(COMPACT))


def test_other_networks_are_refused_by_what_was_found():
    layers = [
        ["Input", "in", [], ["data"], ""],
        ["Convolution", "c", ["data"], ["x"], "0=4 1=3 4=1 5=1 6=108"],
        ["Deconvolution", "d", ["x"], ["y"], "0=3"],
    ]
    with pytest.raises(UnsupportedModel) as caught:
        read_ncnn(param_text(layers), b"")
    assert "1 Input, 1 Convolution, 1 Deconvolution" in caught.value.message
    assert "not understood is Deconvolution 'd'" in caught.value.message
    assert "RRDBNet" in caught.value.hint


@pytest.mark.parametrize("flag", [0x000D4B38, 0x0002C056, 1, 0xFFFFFFFF])
def test_quantised_weights_are_refused(flag):
    data = struct.pack("<I", flag) + bin_bytes(COMPACT)[4:]
    with pytest.raises(UnsupportedModel, match=f"{flag:#010x}"):
        read_ncnn(param_text(compact_layers(COMPACT)), data)


def test_missing_and_spare_bytes_are_counted():
    param, data = param_text(compact_layers(COMPACT)), bin_bytes(COMPACT)
    with pytest.raises(InvalidWeights, match=r"needs 192 bytes at position \d+, and 191 are left"):
        read_ncnn(param, data[:-1])
    with pytest.raises(InvalidWeights, match=f"has {len(data) + 3} bytes.*needs {len(data)}: 3"):
        read_ncnn(param, data + b"abc")


@pytest.mark.parametrize(
    "param",
    [
        b"",
        b"hello\n",
        b"\xff\xfe\x00",
        b"7767517",
        b"7767517\n",
        b"7767517\n1\n",
        b"7767517\n1 x\n",
        b"7767517\n-1 -1\n",
        b"7767517\n999999999 999999999\n",
        b"7767517\n1 1\nInput in 0 1\n",
        b"7767517\n1 1\nInput in -1 1 data\n",
        b"7767517\n1 1\nInput in 0 999999999 data\n",
        b"7767517\n1 1\nInput in 0 1 data x=1\n",
        b"7767517\n1 1\nInput in 0 1 data 0=nan\n",
        b"7767517\n1 1\nInput in 0 1 data 0=inf\n",
        b"7767517\n1 1\nInput in 0 1 data 0=1e999\n",
        b"7767517\n1 1\nInput in 0 1 data 0=\n",
        b"7767517\n1 1\nInput in 0 1 data 0=" + b"9" * 5000 + b"\n",
        b"7767517\n1 1\nInput in 0 1 data -23300=3,1,2\n",
        b"7767517\n1 1\nInput in 0 1 data -23300=999999999\n",
        b"7767517\n1 1\n" + b"I" * 300 + b" in 0 1 data\n",
        b"7767517\n1 1\nInput i\x1b[2Jn 0 1 data\n",
        b"7767517\n2 2\nInput in 0 1 data\nReLU r 1 1 other y\n",
        b"7767517\n2 1\nInput in 0 1 data\nInput in 0 1 data\n",
        b"7767517\n2 1\nInput in 0 1 data\n",
        b"7767517\n" + b"\n" * (2 << 20),
    ],
    ids=range(26),
)
def test_damaged_graphs_are_named_as_such(param):
    with pytest.raises(InvalidWeights):
        read_ncnn(param, b"")


@pytest.mark.parametrize("count", ["999999999", "-36", "0", "0.5", "-23306=1,3"])
def test_sizes_are_checked_before_anything_is_read(count):
    layers = compact_layers(COMPACT)
    change(layers, "Conv_2", 4, "6=144", f"6={count}")
    with pytest.raises((InvalidWeights, UnsupportedModel)):
        read_ncnn(param_text(layers), bin_bytes(COMPACT))


PAIRS = [
    (param_text(rrdbnet_layers(RRDBNET)).encode(), bin_bytes(RRDBNET)),
    (param_text(compact_layers(COMPACT)).encode(), bin_bytes(COMPACT)),
]


@settings(max_examples=150, deadline=2000)
@given(
    pair=st.sampled_from(PAIRS),
    in_param=st.booleans(),
    at=st.floats(0, 1, exclude_max=True),
    cut=st.integers(0, 12),
    put=st.binary(max_size=12) | st.from_regex(r"[-0-9=, \n.einaf]{1,12}", fullmatch=True),
)
def test_files_changed_anywhere_are_read_or_refused(pair, in_param, at, cut, put):
    files = list(pair)
    which = 0 if in_param else 1
    old = files[which]
    position = int(at * len(old))
    put = put.encode() if isinstance(put, str) else put
    files[which] = old[:position] + put + old[position + cut :]
    try:
        network = read_ncnn(*files)
    except EngineError as error:
        refusal = error
    else:
        sizes = [a.nbytes for a in network.state_dict.values()]
        flags = 4 * sum(a.ndim == 4 for a in network.state_dict.values())
        assert sum(sizes) + flags == len(files[1])
        return
    assert refusal.message.endswith(".")
    assert len(refusal.message) < 1000
