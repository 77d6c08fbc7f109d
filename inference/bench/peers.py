"""ONNX Runtime and OpenVINO: the same weights, exported, through somebody else's runtime.

Neither is needed to run the engine. `missing` says what to install; nothing here fails at import.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.bench.setup import Result
from inference.threads import cores

Pixels = NDArray[np.uint8]

_WHITE: Any = 255.0  # OpenCV's types know arrays only, its functions numbers as well
_NEEDS = {
    "onnxruntime": ("onnxruntime", "onnx"),
    "openvino-fp32": ("openvino", "onnx"),
    "openvino-bf16": ("openvino", "onnx"),
}
PEERS = tuple(_NEEDS)


def missing(peer: str) -> str | None:
    """A sentence that says what a peer lacks and how to install it, or `None`."""
    absent = [name for name in _NEEDS[peer] if not _installed(name)]
    if not absent:
        return None
    return (
        f"{peer} is left out, for want of {' and '.join(absent)}: "
        "python -m pip install --constraint constraints.txt --group bench"
    )


def export(models: str, model: str, path: str) -> Result:
    """Write an installed network to `path` as ONNX, for pictures of any height and width.

    Input and output are float32 of shape (1, C, H, W), from 0 to 1, as the network itself has it.
    """
    import torch

    from inference.loader import describe
    from inference.weights import ModelStore

    descriptor = describe(ModelStore(Path(models)).load(model).state_dict)
    torch.onnx.export(
        descriptor.model.eval(),
        (torch.zeros(1, descriptor.input_channels, 32, 32),),
        path,
        input_names=["picture"],
        output_names=["result"],
        dynamic_axes={"picture": {2: "h", 3: "w"}, "result": {2: "H", 3: "W"}},
        dynamo=False,  # the other exporter wants one more package, and gives the same graph here
    )
    return {"bytes": Path(path).stat().st_size}


def runner(peer: str, exported: Path, pixels: Pixels) -> Callable[[Pixels], Pixels]:
    """A function from pixels to pixels, ready to run. `pixels` show the size that will come."""
    run = _onnxruntime(exported) if peer == "onnxruntime" else _openvino(peer, exported, pixels)

    def upscale(picture: Pixels) -> Pixels:
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
        planes /= 255
        return to_pixels(run(planes)[0])

    return upscale


def to_pixels(planes: NDArray[np.float32]) -> Pixels:
    """(3, H, W) from 0 to 1 to (H, W, 3), clipped and rounded.

    By OpenCV, in a tenth of numpy's time: what is around a network should not decide between them.
    """
    import cv2

    rounded = [cv2.multiply(plane, _WHITE, dtype=cv2.CV_8U) for plane in planes]
    return np.asarray(cv2.merge(rounded), np.uint8)


def _onnxruntime(exported: Path) -> Callable[[NDArray[np.float32]], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    session = onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])
    return lambda planes: session.run(None, {"picture": planes})[0]


def _openvino(peer: str, exported: Path, pixels: Pixels) -> Callable[[NDArray[np.float32]], Any]:
    import openvino

    core = openvino.Core()
    model = core.read_model(exported)
    height, width, channels = pixels.shape
    # Its best case: a program that knows the size it is compiled for.
    model.reshape([1, channels, height, width])
    compiled = core.compile_model(
        model,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": "bf16" if peer == "openvino-bf16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": cores(),
        },
    )
    return lambda planes: compiled([planes], share_inputs=True, share_outputs=True)[0]


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
